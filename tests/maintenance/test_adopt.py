"""Finding sessions that no list knows any more."""

from __future__ import annotations

from sessioncache import AsyncSessionCache
from sessioncache.maintenance import adopt, reconcile
from tests.maintenance.conftest import Surgeon

NAMES = ("plain", "with:colon", "ümlaut {x} *", "100%")


async def lose_every_list(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Take everything away but the sessions."""
    shard = cache.keys.shard(0)
    with surgeon.at(shard.totals) as client:
        client.delete(shard.by_updated, shard.by_user, shard.deadlines, shard.totals)


async def test_lost_sessions_are_listed_again(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """After every list is lost, adopting and reconciling bring all of them and the totals back."""
    for name in NAMES:
        await cache.transcripts.append(name, [{"n": 1}, {"n": 2}], user="bob")
    before = await cache.stats.get()
    await lose_every_list(cache, surgeon)
    report = await adopt.run(cache, 0, limit=100)
    assert (report.changed, report.details, report.done) == (4, {"adopted": 4}, True)
    await reconcile.run(cache, 0, limit=100)
    after = await cache.stats.get()
    assert (after.sessions, after.messages, after.bytes) == (before.sessions, before.messages, before.bytes)
    assert {item.id for item in await cache.sessions.list(user="bob", limit=10)} == set(NAMES)


async def test_known_sessions_are_left_as_they_are(cache: AsyncSessionCache) -> None:
    """Where the lists know everything, nothing is changed; what was deleted does not come back."""
    for name in NAMES:
        await cache.transcripts.append(name, {"n": 1})
    await cache.session("plain").delete()
    report = await adopt.run(cache, 0, limit=100)
    assert (report.changed, report.details) == (0, {})
    assert await cache.sessions.count() == 3


async def test_stops_at_the_limit(cache: AsyncSessionCache) -> None:
    """A run that would look at more sessions than it may says that there are more."""
    for name in NAMES:
        await cache.transcripts.append(name, {"n": 1})
    assert not (await adopt.run(cache, 0, limit=1)).done
