"""feed.subscribe: order, resumption, gaps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessioncache import AsyncSessionCache, Change, FeedGap, InvalidArgument, RetentionPolicy, Session, SessionCache
from tests.engines import Engine
from tests.engines.raw import client_for

if TYPE_CHECKING:
    from sessioncache.feed._async import AsyncSubscription


async def _read(changes: AsyncSubscription, count: int) -> list[Change]:
    found: list[Change] = []
    while len(found) < count:
        found += await changes.read()
    return found


async def test_a_session_is_followed_in_commit_order(cache: AsyncSessionCache) -> None:
    """A subscription to a session tells each of its changes once, in the order of revisions, and nothing else's."""
    async with cache.feed.subscribe("s") as changes:
        await cache.sessions.save(Session(id="s", title="a"))
        await cache.transcripts.append("other", {"n": 1})
        await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
        await cache.sessions.update("s", title="b")
        await cache.transcripts.pop("s")
        await cache.transcripts.save("s", [{"n": 3}])
        await cache.transcripts.delete("s")
        await cache.retention.update("s", ttl_ms=1_000_000)
        await cache.sessions.delete("s")
        told = await _read(changes, 8)

    assert [change.kind for change in told] == [
        "session.saved",
        "transcript.appended",
        "session.updated",
        "transcript.popped",
        "transcript.replaced",
        "transcript.deleted",
        "retention.updated",
        "session.deleted",
    ]
    assert [change.revision for change in told] == list(range(1, 9))
    assert {change.session_id for change in told} == {"s"}
    assert told[1].details == {"first_seq": "1", "last_seq": "2"}
    assert told[2].details["title"] == "b"


async def test_a_namespace_is_followed_over_all_shards(cache: AsyncSessionCache) -> None:
    """A subscription to the namespace tells the changes of every session, whatever its shard."""
    ids = [f"s{number}" for number in range(20)]
    async with cache.feed.subscribe() as changes:
        for session_id in ids:
            await cache.transcripts.append(session_id, {"n": 1})
        told = await _read(changes, 20)

    assert sorted(change.session_id for change in told) == sorted(ids)


async def test_it_begins_where_it_was_entered(cache: AsyncSessionCache) -> None:
    """Changes before the `with` statement are not told; those after it are, even before the first read."""
    await cache.transcripts.append("s", {"n": 1})
    async with cache.feed.subscribe("s") as changes:
        await cache.transcripts.append("s", {"n": 2})
        told = await _read(changes, 1)

    assert [change.details["first_seq"] for change in told] == ["2"]


@pytest.mark.parametrize("session_id", ["s", None])
async def test_it_goes_on_at_a_cursor(cache: AsyncSessionCache, session_id: str | None) -> None:
    """A later subscription with the cursor of an earlier one leaves nothing out and repeats nothing."""
    async with cache.feed.subscribe(session_id) as changes:
        for number in range(5):
            await cache.transcripts.append("s", {"n": number})
        first = await changes.read(limit=2)
        cursor = changes.cursor
    await cache.transcripts.append("s", {"n": 5})
    async with cache.feed.subscribe(session_id, cursor=cursor) as changes:
        rest = await _read(changes, 4)

    assert [change.revision for change in first + rest] == [1, 2, 3, 4, 5, 6]


@pytest.mark.engines("valkey", "cluster")
async def test_a_waiting_reader_wakes(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """A reader that waits gets a change that another process commits, one session or all."""
    async with cache.feed.subscribe("s") as one, cache.feed.subscribe() as every:
        waiting = asyncio.gather(anext(aiter(one)), anext(aiter(every)))
        await other_cache.transcripts.append("s", {"n": 1})
        told = await asyncio.wait_for(waiting, 20)

    assert [change.kind for change in told] == ["transcript.appended"] * 2


async def test_what_was_trimmed_is_a_gap_once(cache: AsyncSessionCache, engine: Engine) -> None:
    """A reader that comes too late hears FeedGap, once, and then what is still there."""
    await cache.transcripts.append("s", {"n": 0})
    async with cache.feed.subscribe("s") as changes:
        for number in range(1, 6):
            await cache.transcripts.append("s", {"n": number})
        feed = cache.keys.session("s").shard.feed
        with client_for(engine, feed) as client:
            client.xtrim(feed, maxlen=2, approximate=False)
        with pytest.raises(FeedGap, match="were trimmed") as caught:
            await changes.read()
        rest = await _read(changes, 2)

    assert [change.revision for change in rest] == [5, 6]
    async with cache.feed.subscribe("s", cursor=caught.value.cursor) as changes:
        await cache.transcripts.append("s", {"n": 6})
        assert [change.revision for change in await _read(changes, 3)] == [5, 6, 7]


async def test_several_gaps_are_told_one_by_one(cache: AsyncSessionCache, engine: Engine) -> None:
    """A cursor taken after the first of several gaps leads to the others, and past no change that was not given out."""
    ids = [f"s{number}" for number in range(40)]
    async with cache.feed.subscribe() as changes:
        for session_id in ids:
            await cache.transcripts.append(session_id, {"n": 1})
        for shard in (0, 1):
            feed = cache.keys.shard(shard).feed
            with client_for(engine, feed) as client:
                client.xtrim(feed, maxlen=1, approximate=False)
        left = sum(shard.feed_length for shard in await cache.stats.shards())
        with pytest.raises(FeedGap, match="shard 0") as caught:
            await changes.read(wait_ms=0)
        assert caught.value.cursor == changes.cursor

    async with cache.feed.subscribe(cursor=caught.value.cursor) as changes:
        with pytest.raises(FeedGap, match="shard 1"):
            await changes.read(wait_ms=0)
        assert len(await _read(changes, left)) == left
        assert await changes.read(wait_ms=0) == []


async def test_changes_that_the_server_lost_are_a_gap(cache: AsyncSessionCache, engine: Engine) -> None:
    """A reader that has seen more than the server still knows hears FeedGap, not silence."""
    async with cache.feed.subscribe("s") as changes:
        for number in range(3):
            await cache.transcripts.append("s", {"n": number})
        await _read(changes, 3)
        keys = cache.keys.session("s").shard
        with client_for(engine, keys.feed) as client:
            client.delete(keys.feed)
            client.hset(keys.totals, "feed_seq", "1")
        with pytest.raises(FeedGap, match="lost changes"):
            await changes.read(wait_ms=0)


async def test_a_lost_counter_is_set_right(cache: AsyncSessionCache, engine: Engine) -> None:
    """Where the totals were lost but the feed was not, writes go on and so do the numbers."""
    await cache.transcripts.append("s", [{"n": 1}])
    await cache.transcripts.append("s", [{"n": 2}])
    keys = cache.keys.session("s").shard
    with client_for(engine, keys.totals) as client:
        client.delete(keys.totals)
    appended = await cache.transcripts.append("s", {"n": 3})
    async with cache.feed.subscribe("s") as changes:
        await cache.transcripts.append("s", {"n": 4})
        told = await _read(changes, 1)

    assert appended.count == 3
    assert told[0].number == 4


async def test_the_feed_is_capped(cache: AsyncSessionCache) -> None:
    """A shard's feed remembers about as many changes as the policy says."""
    await cache.retention.save(RetentionPolicy(feed_items=10))
    for number in range(300):
        await cache.transcripts.append("s", {"n": number})
    shards = await cache.stats.shards()

    assert max(shard.feed_length for shard in shards) < 250


@pytest.mark.engines("valkey")
async def test_foreign_cursors_are_refused(cache: AsyncSessionCache) -> None:
    """A cursor of another subscription, or none at all, is InvalidArgument."""
    async with cache.feed.subscribe("s") as changes:
        cursor = changes.cursor
    with pytest.raises(InvalidArgument, match="another subscription"):
        cache.feed.subscribe("t", cursor=cursor)
    with pytest.raises(InvalidArgument, match="cursor"):
        cache.feed.subscribe("s", cursor="broken")


def test_the_sync_twin_iterates(sync_cache: SessionCache) -> None:
    """Changes can be read without an event loop."""
    with sync_cache.feed.subscribe("s") as changes:
        sync_cache.transcripts.append("s", {"n": 1})
        change = next(iter(changes))

    assert (change.kind, change.session_id) == ("transcript.appended", "s")


@pytest.mark.foreign_keys
@pytest.mark.engines("valkey", "redis", "cluster")
async def test_numbers_that_a_failover_gave_out_again_are_a_gap(cache: AsyncSessionCache, engine: Engine) -> None:
    """A reader whose last changes were lost, and whose numbers others have now, hears FeedGap and goes on behind it."""
    keys = cache.keys.session("s")
    names = (keys.record, keys.transcript, keys.operations, keys.shard.totals, keys.shard.feed)
    async with cache.feed.subscribe("s") as changes:
        for number in range(3):
            await cache.transcripts.append("s", {"n": number})
        with client_for(engine, keys.record) as client:
            behind = {name: client.dump(name) for name in names}
        for number in range(3):
            await cache.transcripts.append("s", {"lost": number})
        await _read(changes, 6)
        cursor = changes.cursor
        with client_for(engine, keys.record) as client:
            for name, value in behind.items():
                client.execute_command("RESTORE", name, 0, value, "REPLACE")
        await asyncio.sleep(0.002)
        for number in range(5):
            await cache.transcripts.append("s", {"new": number})
        with pytest.raises(FeedGap, match="another one at number 6"):
            await changes.read()
        assert [change.number for change in await _read(changes, 2)] == [7, 8]
    async with cache.feed.subscribe("s", cursor=cursor) as changes:
        with pytest.raises(FeedGap, match="another one at number 6"):
            await changes.read()
