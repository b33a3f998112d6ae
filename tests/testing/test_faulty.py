"""Calls that fail as planned, calls that are counted, and calls that wait at gates."""

from __future__ import annotations

import asyncio

import pytest

from sessioncache import AsyncSessionCache, BackendTimeout, BackendUnavailable, SessionCache
from sessioncache.client.build import make_settings
from sessioncache.testing import (
    AsyncFaultyTransport,
    AsyncGatedTransport,
    AsyncRecordingTransport,
    FaultyTransport,
    RecordingTransport,
    fake_cache,
    fake_cache_sync,
)

PATIENT = {"call_timeout_ms": 60_000, "retry_wait_max_ms": 1}


def test_a_refused_call_is_sent_again() -> None:
    """The retry layer repeats what never reached the server, under its operation id."""
    lowest = RecordingTransport(fake_cache_sync()._lowest)
    faulty = FaultyTransport(lowest)
    cache = SessionCache(faulty, make_settings(None, "test", PATIENT))
    fault = faulty.faults.refuse("transcripts.append", times=2)
    appended = cache.transcripts.append("chat", {"n": 1})
    assert (fault.hit, appended.repeated, lowest.names().count("transcripts.append")) == (2, False, 1)


async def test_a_lost_reply_happens_once() -> None:
    """A call that was carried out, but whose answer was lost, is answered as repeated."""
    recording = AsyncRecordingTransport(fake_cache()._lowest)
    faulty = AsyncFaultyTransport(recording)
    cache = AsyncSessionCache(faulty, make_settings(None, "test", PATIENT))
    faulty.faults.lose_reply("transcripts.append")
    appended = await cache.transcripts.append("chat", {"n": 1})
    sent = [call for call in recording.calls if call.name == "transcripts.append"]
    assert (appended.repeated, appended.last_seq, len(sent)) == (True, 1, 2)
    assert sent[0].args[1] == sent[1].args[1], "the operation id is another one"


async def test_a_repeated_call_happens_once() -> None:
    """A driver that sends blindly twice is answered as repeated."""
    faulty = AsyncFaultyTransport(fake_cache()._lowest)
    cache = AsyncSessionCache(faulty, make_settings(None, "test", PATIENT))
    faulty.faults.repeat("transcripts.append", skip=1)
    assert not (await cache.transcripts.append("chat", {"n": 1})).repeated
    assert (await cache.transcripts.append("chat", {"n": 2})).repeated
    assert await cache.transcripts.count("chat") == 2


async def test_calls_sent_together_fail_one_by_one() -> None:
    """In a batch each call has its own fault, and the others are answered."""
    recording = AsyncRecordingTransport(fake_cache()._lowest)
    faulty = AsyncFaultyTransport(recording)
    cache = AsyncSessionCache(faulty, make_settings(None, "test", {"call_timeout_ms": 1}))
    await cache.open()
    faulty.faults.refuse("stats.read", skip=3, times=1_000_000)
    with pytest.raises(BackendUnavailable, match="refused by the test"):
        await cache.stats.shards()
    assert recording.round_trips[-2:-1] == [] or "stats.read" in recording.names()
    faulty.faults.clear()
    faulty.faults.lose_reply("stats.read", times=1_000_000)
    with pytest.raises(BackendTimeout, match="lost by the test"):
        await cache.stats.shards()


async def test_a_gate_holds_a_call_until_it_is_opened() -> None:
    """What others do while a call waits behind its gate comes first, though the call was begun before."""
    gated = AsyncGatedTransport(fake_cache()._lowest)
    cache = AsyncSessionCache(gated, make_settings(None, "test", {}))
    await cache.transcripts.append("chat", {"n": 0})
    gate = gated.gate("transcripts.append")
    late = asyncio.create_task(cache.transcripts.append("chat", {"n": 1}))
    await gate.reached()
    await cache.sessions.update("chat", title="first")
    gate.open()
    assert (await late).revision == 3


async def test_a_gate_behind_a_call_holds_its_answer() -> None:
    """At a gate behind the call, the server has done it and the caller does not know."""
    gated = AsyncGatedTransport(fake_cache()._lowest)
    cache = AsyncSessionCache(gated, make_settings(None, "test", {}))
    gate = gated.gate("transcripts.append", "after")
    late = asyncio.create_task(cache.transcripts.append("chat", {"n": 1}))
    await gate.reached()
    assert (await cache.transcripts.count("chat"), late.done()) == (1, False)
    gate.open()
    assert (await late).last_seq == 1
