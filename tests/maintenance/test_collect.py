"""Collecting what was left behind, and dictionaries that nothing needs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, LeaseLost
from sessioncache.maintenance import collect, compact, dictionary
from tests.engines import Engine
from tests.engines.raw import client_for
from tests.maintenance.conftest import Surgeon

HOUR_MS = 3_600_000
COUNT = 60


async def seal(cache: AsyncSessionCache, name: str, text: str) -> str:
    """Sessions whose messages are compressed with a dictionary made of them; its hash."""
    cache.keys.now_override_ms = max(cache.keys.now_override_ms or 0, int(time.time() * 1000))
    for n in range(COUNT):
        message = {"role": "user", "content": f"{text} number {n * 7919 % 9973} {n}"}
        await cache.transcripts.append(f"{name}{n}", [message, message | {"role": "assistant"}])
    # Of the oldest sessions, so another size makes another one.
    made = await dictionary.train(cache, size=1_024 if name == "a" else 2_048)
    assert made is not None
    later(cache, HOUR_MS)
    assert (await compact.run(cache, 0, limit=10_000)).details["sealed"] == COUNT
    return made[0]


def later(cache: AsyncSessionCache, ms: int) -> None:
    """Let time pass."""
    assert cache.keys.now_override_ms is not None
    cache.keys.now_override_ms += ms


async def kept(cache: AsyncSessionCache) -> set[str]:
    """The dictionaries of the shard."""
    return set(await cache.upkeep.kept_dictionaries(0))


async def delete(cache: AsyncSessionCache, name: str) -> None:
    """Delete those sessions."""
    for n in range(COUNT):
        await cache.sessions.delete(f"{name}{n}")


@pytest.mark.engines("fakeredis", "valkey", "cluster")
async def test_an_old_dictionary_goes_when_nothing_needs_it(cache: AsyncSessionCache) -> None:
    """It stays while one chunk needs it, and ten minutes longer; the one that is sealed with stays for good."""
    old, new = await seal(cache, "a", "where is my order"), await seal(cache, "b", "please cancel the flight")
    later(cache, HOUR_MS)
    for _ in range(2):
        await collect.run(cache, 0, limit=10_000)
        later(cache, HOUR_MS)
    assert await kept(cache) == {old, new}
    for n in range(1, COUNT):
        await cache.sessions.delete(f"a{n}")
    await collect.run(cache, 0, limit=10_000)
    later(cache, HOUR_MS)
    assert "dictionaries" not in (await collect.run(cache, 0, limit=10_000)).details
    assert (await cache.transcripts.list("a0")).count == 2
    await cache.sessions.delete("a0")
    for wait_ms, gone in ((0, False), (599_999, False), (1, True)):
        later(cache, wait_ms)
        report = await collect.run(cache, 0, limit=10_000)
        assert (report.details.get("dictionaries", 0), report.done) == (int(gone), True)
    assert await kept(cache) == {new}
    assert (await cache.transcripts.list(f"b{COUNT - 1}")).count == 2
    assert (await collect.run(cache, 0, limit=10_000)).changed == 0


@pytest.mark.engines("fakeredis", "valkey")
async def test_a_dictionary_that_somebody_begins_to_need_stays(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that is made with it behind the back of who looks, without a lease, keeps it; so does one later on."""
    old = await seal(cache, "a", "where is my order")
    data = (await cache.upkeep.current_dictionary()).data
    assert data is not None
    await seal(cache, "b", "please cancel the flight")
    await delete(cache, "a")
    await collect.run(cache, 0, limit=10_000)
    later(cache, HOUR_MS)
    await cache.transcripts.append(
        "late", [{"role": "user", "content": f"where is my order number {n}"} for n in range(9)]
    )
    later(cache, HOUR_MS)
    forget = cache.upkeep.forget

    async def sealed_meanwhile(*args: Any, **options: Any) -> bool:
        newest = await cache.upkeep.current_dictionary()
        assert newest.data is not None
        await cache.upkeep.save_current_dictionary(old, data)
        assert (await compact.run(cache, 0, limit=10_000)).details["sealed"] == 1
        await cache.upkeep.save_current_dictionary(newest.name, newest.data)
        return await forget(*args, **options)

    monkeypatch.setattr(cache.upkeep, "forget", sealed_meanwhile)
    report = await collect.run(cache, 0, limit=10_000)
    assert "dictionaries" not in report.details
    assert old in await kept(cache)
    assert len((await cache.transcripts.list("late")).messages) == 9
    monkeypatch.undo()
    for _ in range(2):
        later(cache, HOUR_MS)
        await collect.run(cache, 0, limit=10_000)
    assert old in await kept(cache)


@pytest.mark.engines("valkey")
async def test_nothing_is_removed_while_somebody_seals(cache: AsyncSessionCache) -> None:
    """A worker that seals keeps the dictionaries where they are; one that comes late, after collecting, is refused."""
    old = await seal(cache, "a", "where is my order")
    await seal(cache, "b", "please cancel the flight")
    await delete(cache, "a")
    await collect.run(cache, 0, limit=10_000)
    later(cache, HOUR_MS)
    sealing = await cache.upkeep.acquire(0, "compact", holder="sealer", ttl_ms=1_000)
    assert "dictionaries" not in (await collect.run(cache, 0, limit=10_000)).details
    assert old in await kept(cache)
    later(cache, 1_001)
    assert (await collect.run(cache, 0, limit=10_000)).details["dictionaries"] == 1
    await cache.transcripts.append("late", {"n": 1})
    later(cache, HOUR_MS)
    with pytest.raises(LeaseLost):
        await compact.run(cache, 0, limit=10_000, lease=sealing)


@pytest.mark.engines("valkey")
async def test_a_session_that_cannot_be_read_keeps_all(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Where nobody knows what a session needs, no dictionary is removed."""
    old = await seal(cache, "a", "where is my order")
    await seal(cache, "b", "please cancel the flight")
    await delete(cache, "a")
    key = cache.keys.session("torn").sealed
    with surgeon.at(key) as client:
        client.set(key, "no list")
    for _ in range(3):
        assert "cannot be read" in (await collect.run(cache, 0, limit=10_000)).notes[0]
        later(cache, HOUR_MS)
    assert old in await kept(cache)
    with surgeon.at(key) as client:
        client.delete(key)


async def test_leftovers_get_their_time(cache: AsyncSessionCache, engine: Engine, surgeon: Surgeon) -> None:
    """A tombstone, a part of an import and a lease that would never expire do so; a row that leads nowhere goes."""
    await cache.transcripts.append("gone", {"n": 1})
    await cache.leases.acquire("held", ttl_ms=60_000)
    await cache.sessions.delete("gone")
    session, shard = cache.keys.session("gone"), cache.keys.shard(0)
    staging, lease = session.staging("import"), cache.keys.session("held").lease
    with surgeon.at(session.tombstone) as client:
        client.xadd(staging, {"m": "{}"})
        client.persist(session.tombstone)
        client.persist(lease)
        client.zadd(shard.links, {"w\0nowhere\0nobody": 0})
    report = await collect.run(cache, 0, limit=10_000)
    assert (report.details, report.changed) == ({"links": 1, "leftovers": 3}, 4)
    with client_for(engine, staging) as client:
        assert client.pttl(staging) in range(1, 600_001)
        assert client.pttl(session.tombstone) in range(1, HOUR_MS + 1)
        assert client.pttl(lease) != -1
    assert (await collect.run(cache, 0, limit=10_000)).changed == 0


async def test_a_run_goes_on_where_the_last_one_came_to(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit stops a run; runs together look at every key."""
    for n in range(30):
        await cache.transcripts.append(f"s{n}", {"n": 1})
    monkeypatch.setattr(collect, "SCAN_COUNT", 10)
    reports = [await collect.run(cache, 0, limit=20)]
    while not reports[-1].done:
        reports.append(await collect.run(cache, 0, limit=20))
    assert len(reports) > 2
    assert sum(report.examined for report in reports) >= 90


async def test_a_dictionary_whose_use_is_not_known_stays(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Where it is no number how often a dictionary was used, it stays, and the rest of the job is done."""
    cache.keys.now_override_ms = int(time.time() * 1000)
    data = b"where is my order" * 20
    name = "00112233aabbccdd"
    await cache.upkeep.save_dictionary(0, name, data)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hset(key, f"used:{name}", "often")
    for _ in range(3):
        assert (await collect.run(cache, 0, limit=10_000)).done
        later(cache, HOUR_MS)
    assert await kept(cache) == {name}
