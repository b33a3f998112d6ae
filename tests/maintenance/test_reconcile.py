"""Repairing what a shard says about its records."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy, SessionTorn
from sessioncache.errors import LeaseLost
from sessioncache.maintenance import Report, counting, reconcile
from sessioncache.stats.models import ShardStats
from sessioncache.upkeep.models import View
from tests.maintenance.conftest import Surgeon


async def fill(cache: AsyncSessionCache, count: int = 3) -> None:
    """So many sessions of two messages each."""
    for number in range(count):
        await cache.transcripts.append(f"s{number}", [{"n": number}, {"n": number}], user=f"u{number}")


async def shard_of(cache: AsyncSessionCache) -> ShardStats:
    """The numbers of the only shard."""
    [shard] = await cache.stats.shards()
    return shard


async def totals(cache: AsyncSessionCache) -> tuple[int, int, int]:
    """Sessions, messages and bytes of the only shard."""
    shard = await shard_of(cache)
    return shard.sessions, shard.messages, shard.bytes


@pytest.mark.engines("fakeredis", "valkey", "redis", "cluster", "sentinel", "acl")
async def test_a_sound_shard_is_left_as_it_is(cache: AsyncSessionCache) -> None:
    """Where everything agrees, nothing is changed and nothing reported."""
    await fill(cache)
    before = await totals(cache)
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.examined, report.changed, report.details, report.notes, report.done) == (3, 0, {}, [], True)
    assert await totals(cache) == before


@pytest.mark.parametrize("index", ["by_updated", "by_user", "deadlines"])
async def test_a_missing_entry_comes_back(cache: AsyncSessionCache, surgeon: Surgeon, index: str) -> None:
    """A session that one of the lists lost is listed again, as it was."""
    await fill(cache)
    key = getattr(cache.keys.shard(0), index)
    with surgeon.at(key) as client:
        before = client.zrange(key, 0, -1, withscores=True)
        client.zpopmin(key)
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1, withscores=True) == before
    assert report.details == {index.replace("_", "-"): 1}


@pytest.mark.parametrize("index", ["by_updated", "by_user", "deadlines"])
async def test_a_lost_list_comes_back(cache: AsyncSessionCache, surgeon: Surgeon, index: str) -> None:
    """A whole list that is gone is made again from the others."""
    await fill(cache)
    key = getattr(cache.keys.shard(0), index)
    with surgeon.at(key) as client:
        before = client.zrange(key, 0, -1, withscores=True)
        client.delete(key)
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1, withscores=True) == before
    assert report.details == {index.replace("_", "-"): 3}


@pytest.mark.parametrize("index", ["by_updated", "by_user", "deadlines"])
async def test_an_entry_without_a_record_goes(cache: AsyncSessionCache, surgeon: Surgeon, index: str) -> None:
    """What a list names, and what is not there, is not named any more."""
    await fill(cache)
    key = getattr(cache.keys.shard(0), index)
    with surgeon.at(key) as client:
        before = client.zrange(key, 0, -1, withscores=True)
        client.zadd(key, {"u9\0ghost" if index == "by_user" else "ghost": 0})
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1, withscores=True) == before
    assert report.details == {index.replace("_", "-"): 1}


@pytest.mark.parametrize("index", ["by_updated", "deadlines"])
async def test_a_wrong_score_is_set_right(cache: AsyncSessionCache, surgeon: Surgeon, index: str) -> None:
    """A list that orders a session by another time than its record's is set right."""
    await fill(cache)
    key = getattr(cache.keys.shard(0), index)
    with surgeon.at(key) as client:
        before = client.zscore(key, "s1")
        client.zadd(key, {"s1": 1})
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zscore(key, "s1") == before
    assert report.details == {index.replace("_", "-"): 1}


async def test_a_wrong_owner_is_set_right(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A session that is listed under a second user is listed under its own alone."""
    await fill(cache)
    key = cache.keys.shard(0).by_user
    with surgeon.at(key) as client:
        before = client.zrange(key, 0, -1)
        client.zadd(key, {"a-thief\0s1": 0})
        await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1) == before


async def test_totals_are_counted_anew(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Totals that are off are set to what the records hold, and the report says how far they were off."""
    await fill(cache)
    before = await totals(cache)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hset(key, mapping={"sessions": 7, "messages": 1, "bytes": 0})
    report = await reconcile.run(cache, 0, limit=100)
    assert await totals(cache) == before
    assert report.details == {"totals": 1}
    assert report.notes[0].startswith("the totals of shard 0 were off: sessions by +4, messages by -5, bytes by -")


async def test_lost_totals_are_counted_anew(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Totals that are gone come back, and the feed goes on behind what it has told."""
    await fill(cache)
    before = await totals(cache)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.delete(key)
    await reconcile.run(cache, 0, limit=100)
    assert await totals(cache) == before
    await cache.transcripts.append("s0", {"n": 9})
    assert (await totals(cache))[:2] == (3, 7)


@pytest.mark.parametrize("name", ["feed_seq", "settled", "sessions", "messages", "documents"])
@pytest.mark.parametrize("value", ["x", "1.5", "007"])
async def test_totals_that_are_no_numbers_are_counted_anew(
    cache: AsyncSessionCache, surgeon: Surgeon, name: str, value: str
) -> None:
    """A total that holds no number is named, and set right; the shard takes writes again, and its feed goes on."""
    await fill(cache)
    before = await totals(cache)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hset(key, name, value)
        dry = await reconcile.run(cache, 0, limit=100, dry_run=True)
        assert client.hmget(key, [name]) == [value.encode()]
    report = await reconcile.run(cache, 0, limit=100)
    for told in (dry, report):
        assert told.done
        assert told.notes[0] == f"totals of shard 0 held no number: {name}"
    assert await totals(cache) == before
    assert not (await reconcile.run(cache, 0, limit=100)).changed
    newest, _changes = await cache.upkeep.changes(0, after=0, limit=0)
    await cache.transcripts.append("s0", {"n": 9})
    assert (await cache.upkeep.changes(0, after=newest, limit=10))[0] == newest + 1
    assert (await totals(cache))[:2] == (3, 7)


async def test_torn_sessions_are_reported_not_changed(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A session whose transcript is gone stays torn, is named, and counts for what its removal will take away."""
    await fill(cache)
    key = cache.keys.session("s1").transcript
    with surgeon.at(key) as client:
        client.delete(key)
    before = await totals(cache)
    report = await reconcile.run(cache, 0, limit=100)
    assert report.details == {"torn": 1}
    assert "'s1'" in report.notes[0]
    assert await totals(cache) == before
    with pytest.raises(SessionTorn):
        await cache.transcripts.list("s1", last=1)
    await cache.session("s1").delete()
    assert (await totals(cache))[:2] == (2, 4)


async def test_the_policy_is_copied(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A shard that missed a change of the policy gets it."""
    policy = RetentionPolicy(ttl_ms=5_000, keep_messages=7)
    await cache.retention.save(policy)
    key = cache.keys.shard(0).policy
    with surgeon.at(key) as client:
        client.hset(key, "ttl_ms", "1")
    report = await reconcile.run(cache, 0, limit=100)
    assert report.details == {"policy": 1}
    assert await cache.upkeep.policy(0) == policy


async def test_the_limit_leaves_totals_alone(cache: AsyncSessionCache) -> None:
    """A run that sees a part of the shard says so, and does not count that part as the whole."""
    await fill(cache)
    before = await totals(cache)
    report = await reconcile.run(cache, 0, limit=2)
    assert (report.examined, report.done) == (2, False)
    assert await totals(cache) == before


async def test_a_late_worker_is_refused(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Whoever lost the shard's lease repairs nothing."""
    await fill(cache)
    key = cache.keys.shard(0).by_updated
    late = await cache.upkeep.acquire(0, "reconcile", holder="a", ttl_ms=60_000)
    await cache.upkeep.acquire(0, "reconcile", holder="a", ttl_ms=60_000)
    with surgeon.at(key) as client:
        client.delete(key)
    with pytest.raises(LeaseLost):
        await reconcile.run(cache, 0, limit=10, lease=late)
    assert (await shard_of(cache)).indexed == 0


@pytest.mark.engines("valkey", "redis", "cluster")
async def test_writers_and_reconcile_do_not_disturb_each_other(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Totals that were off are right after runs among writers, who create, append to and delete sessions."""
    monkeypatch.setattr("sessioncache.maintenance.batch.BATCH", 3)
    await fill(cache, 12)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hincrby(key, "messages", 1000)
    finished = asyncio.Event()
    runs: list[Report] = []

    async def write(writer: int) -> None:
        for number in itertools.count():
            await cache.transcripts.append(f"w{writer}-{number % 5}", {"n": number})
            if number % 3 == 0:
                await cache.session(f"w{writer}-{(number + 2) % 5}").delete()
            if finished.is_set():
                return

    async with asyncio.TaskGroup() as group:
        for writer in range(4):
            group.create_task(write(writer))
        runs += [await reconcile.run(cache, 0, limit=1000) for _ in range(5)]
        finished.set()
    runs.append(await reconcile.run(cache, 0, limit=1000))
    held = [item.id async for item in cache.sessions.each()]
    counted = sum([await cache.transcripts.count(session_id) for session_id in held])
    assert (await totals(cache))[:2] == (len(held), counted)
    assert sum(run.details.get("totals", 0) for run in runs) == 1


async def test_a_shard_that_never_holds_still_does_not_matter(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where known and new sessions are changed before each look, totals are set right all the same."""
    await fill(cache)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hincrby(key, "messages", 1000)
    view = cache.upkeep.view
    names = itertools.count()

    async def view_late(shard: int, *, after: int, limit: int) -> View:
        await cache.transcripts.append(f"new-{next(names)}", {"n": 0})
        await cache.transcripts.append("s0", {"n": 0})
        return await view(shard, after=after, limit=limit)

    monkeypatch.setattr(cache.upkeep, "view", view_late)
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.details, report.done) == ({"totals": 1}, True)
    assert (await totals(cache))[1] == 6 + 2 * next(names)


async def test_more_changes_than_one_look_sees(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is changed during the count is counted in parts; where that never ends, the report says so."""
    await fill(cache)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hincrby(key, "messages", 1000)
    view = cache.upkeep.view
    monkeypatch.setattr(counting, "BATCH", 2)
    late = 40

    async def view_late(shard: int, *, after: int, limit: int) -> View:
        for n in range(late):
            await cache.transcripts.append(f"new-{n}", {"n": n})
        return await view(shard, after=after, limit=limit)

    monkeypatch.setattr(cache.upkeep, "view", view_late)
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.details, report.done) == ({"unsettled": 1}, False)
    late = 1
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.details, report.done) == ({"totals": 1}, True)


async def test_two_corrections_do_not_add_up(cache: AsyncSessionCache) -> None:
    """Of two runs that found the same totals off, only the first one corrects them."""
    await fill(cache)
    seen = (await cache.upkeep.view(0, after=0, limit=1)).totals
    assert await cache.upkeep.settle(0, settled=seen.settled, lacking={"sessions": 1})
    assert not await cache.upkeep.settle(0, settled=seen.settled, lacking={"sessions": 1})
    assert (await totals(cache))[0] == 4


async def test_what_the_feed_forgot_is_not_guessed(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Where the feed was trimmed during the count, the totals stay, and the report says why."""
    await fill(cache)
    key = cache.keys.shard(0).totals
    trimmed: list[Report] = []

    def trim(report: Report) -> None:
        if not trimmed:
            trimmed.append(report)
            with surgeon.at(key) as client:
                client.hincrby(key, "feed_seq", 3)

    report = await reconcile.run(cache, 0, limit=100, progress=trim)
    assert (report.details, report.done) == ({"unsettled": 1}, False)
    assert report.notes == ["more was changed during the count than the feed remembers"]
