"""Calls that are cut off, repeated or lost: each happens once or not at all, and nobody sees a half of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sessioncache import NO_BASE, AsyncSessionCache, BackendTimeout, BackendUnavailable, Session
from sessioncache.rooms._async import AsyncRoom
from sessioncache.testing import AsyncFaultyTransport, AsyncGatedTransport
from tests.engines import Engine, list_keys
from tests.engines.caches import lowest_transport, make_async_cache

ANYHOW: dict[str, Any] = {"base": NO_BASE, "operation_id": None}


def room_of(cache: AsyncSessionCache) -> AsyncRoom:
    """A room with links."""
    return AsyncRoom(cache._transport, cache.keys, "checkpoints", kind="c")


DO: dict[str, Callable[[AsyncSessionCache], Awaitable[object]]] = {
    "transcripts.append": lambda cache: cache.transcripts.append("s", {"n": "new"}),
    "transcripts.save": lambda cache: cache.transcripts.save("s", [{"n": "new"}]),
    "transcripts.pop": lambda cache: cache.transcripts.pop("s"),
    "transcripts.delete": lambda cache: cache.transcripts.delete("s"),
    "sessions.save": lambda cache: cache.sessions.save(Session(id="s", metadata={"m": 1}), messages=[{"n": "new"}]),
    "sessions.update": lambda cache: cache.sessions.update("s", title="new"),
    "sessions.delete": lambda cache: cache.sessions.delete("s"),
    "retention.update": lambda cache: cache.retention.update("s", ttl_ms=99_000),
    "documents.save": lambda cache: cache.documents.save("s", {"old": None, "new": 1}),
    "checkpoints.save": lambda cache: room_of(cache).save("s", [("new", b"x")], user=None, **ANYHOW),
    "checkpoints.update": lambda cache: room_of(cache).update("s", "old", ["new", "1"], **ANYHOW),
    "checkpoints.delete": lambda cache: room_of(cache).delete("s", ["old"], **ANYHOW),
}
"""Every write of a session, by name."""


async def _do(cache: AsyncSessionCache, name: str) -> object:
    return await DO[name](cache)


async def _state(cache: AsyncSessionCache) -> tuple[object, ...]:
    """Everything that can be seen of the session, times left out."""
    session = await cache.sessions.get("s")
    page = await cache.transcripts.list("s")
    stats = await cache.stats.get()
    seen = None if session is None else (session.title, session.revision, session.metadata, session.ttl_ms)
    messages = [(entry.seq, entry.message) for entry in page]
    documents = await cache.documents.get("s")
    entries = [(entry.id, entry.payload) async for entry in room_of(cache).each("s")]
    return (seen, messages, documents.values, entries, stats.sessions, stats.messages, stats.bytes)


async def _prepare(cache: AsyncSessionCache) -> None:
    await cache.sessions.save(Session(id="s", title="old"), messages=[{"n": 1}, {"n": 2}], documents={"old": 1})
    await room_of(cache).save("s", [("old", b"1:a1:1")], user=None, **ANYHOW)


@pytest.mark.parametrize("fault", ["lose_reply", "repeat"])
@pytest.mark.parametrize("name", DO)
async def test_a_write_that_ran_unseen_or_twice_happens_once(
    engine: Engine, namespace: str, name: str, fault: str
) -> None:
    """A write whose answer was lost and that is sent again, or that the driver sends twice, changes what one would."""
    async with make_async_cache(engine, namespace) as plain:
        await _prepare(plain)
        await _do(plain, name)
        expected = await _state(plain)
        await plain.sessions.delete("s")
    lowest, settings = lowest_transport(engine, f"{namespace}x")
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        await _prepare(cache)
        planned = getattr(faulty.faults, fault)(name)
        answer = await _do(cache, name)

        assert planned.hit == 1
        assert await _state(cache) == expected
        assert answer is not None
        assert answer is not False


@pytest.mark.parametrize("name", DO)
async def test_a_write_that_was_not_sent_changes_nothing(engine: Engine, namespace: str, name: str) -> None:
    """Where no attempt got through, the caller hears so after its time, and everything is as it was."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=50, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        await _prepare(cache)
        before = await _state(cache)
        faulty.faults.refuse(name, times=10_000)
        with pytest.raises(BackendUnavailable):
            await _do(cache, name)
        faulty.faults.clear()

        assert await _state(cache) == before


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("kind", ["refuse", "lose_reply"])
async def test_a_long_replacement_that_dies_between_two_steps(
    engine: Engine, namespace: str, step: int, kind: str
) -> None:
    """Readers see the old transcript or the new one, whichever step was the last; what was staged expires by itself."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=20, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        await cache.transcripts.append("s", [{"n": "old"}, {"n": "old"}])
        name = "transcripts.save" if step == 3 else "transcripts.stage"
        getattr(faulty.faults, kind)(name, skip=step % 3, times=10_000)
        with pytest.raises((BackendUnavailable, BackendTimeout)):
            await cache.transcripts.save("s", [{"n": "new"}] * 1_500)
        faulty.faults.clear()
        seen = [entry.message["n"] async for entry in cache.transcripts.each("s")]
        swapped = step == 3 and kind == "lose_reply"

        assert seen == (["new"] * 1_500 if swapped else ["old"] * 2)
        assert all(key.pttl_ms > 0 for key in list_keys(engine) if "staging" in key.name)
        await cache.transcripts.save("s", [{"n": "again"}] * 600)
        assert await cache.transcripts.count("s") == 600


@pytest.mark.parametrize("name", DO)
async def test_a_cancelled_caller_leaves_old_or_new(engine: Engine, namespace: str, name: str) -> None:
    """A caller that is cancelled after its write ran leaves exactly that write, and the cache goes on working."""
    lowest, settings = lowest_transport(engine, namespace)
    gated = AsyncGatedTransport(lowest)
    async with AsyncSessionCache(gated, settings) as cache:
        await _prepare(cache)
        before = await _state(cache)
        gate = gated.gate(name, "after")
        task = asyncio.create_task(_do(cache, name))
        await gate.reached()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()
        after = await _state(cache)

        assert after != before
        appended = await cache.transcripts.append("s", {"n": "later"})
        assert (await cache.transcripts.list("s", last=1)).items[0].seq == appended.last_seq
