"""What a connection tells the near-cache of itself, and what is sent in front of a read that may be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sessioncache.sessions import lua
from sessioncache.transport.channel import Channel
from sessioncache.transport.redis_async import AsyncRedisTransport
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from tests.engines import Engine
from tests.engines.caches import make_async_cache
from tests.transport.virtual import VirtualLoop, Wire

NEAR: dict[str, Any] = {"near_cache_bytes": 100_000, "near_cache_stale_ms": 600_000}


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """A loop that never sleeps."""
    made = VirtualLoop()
    yield made
    made.close()


def test_an_answer_confirms_the_moment_of_the_question(loop: VirtualLoop) -> None:
    """However long an answer was on its way, all changes before its question have been told; not those after it."""

    async def story() -> None:
        channel = Channel(limit_ms=10_000)
        wire = Wire(channel.loop, channel)
        assert channel.confirmed_at < 0
        await asyncio.sleep(5)
        first = asyncio.ensure_future(channel.exchange([b"a", b"b"]))
        await asyncio.sleep(2)
        second = asyncio.ensure_future(channel.exchange([b"c"]))
        await asyncio.sleep(1)
        wire.say(b":1\r\n")
        assert channel.confirmed_at < 0
        wire.say(b":2\r\n")
        assert channel.confirmed_at == 5
        wire.say(b":3\r\n")
        assert channel.confirmed_at == 7
        await asyncio.gather(first, second)
        wire.say(b">1\r\n:1\r\n")
        assert channel.confirmed_at == 7
        channel.close()

    loop.play(story)


def test_a_connection_that_ends_is_not_current(loop: VirtualLoop) -> None:
    """One that was lost, closed, or only waits for its last answers is not one to rely on."""

    async def story() -> None:
        lost, closed, retired = (Channel(limit_ms=1_000) for _ in range(3))
        wires = [Wire(loop, channel) for channel in (lost, closed, retired)]
        call = asyncio.ensure_future(retired.exchange([b"a"]))
        await asyncio.sleep(0.1)
        assert all(channel.is_current for channel in (lost, closed, retired))
        lost.connection_lost(None)
        closed.close()
        retired.retire()
        assert not any(channel.is_current for channel in (lost, closed, retired))
        wires[2].say(b":1\r\n")
        assert await call == [1]
        await retired.ended

    loop.play(story)


@pytest.mark.engines("valkey")
async def test_calls_beside_a_watched_one_get_their_own(engine: Engine, namespace: str) -> None:
    """What is sent in front of one call shifts no reply of the others, scripts that are loaded before it neither."""
    async with make_async_cache(engine, namespace, **NEAR) as cache:
        for name in ("chat", "other"):
            await cache.transcripts.append(name, {"n": 0})
        near = cache.near
        assert near is not None
        keys = [cache.keys.session(name) for name in ("chat", "other")]
        echoes = [Call(f"server.echo{n}", "ECHO", (), (f"{n}",), decode=bytes, routed_by=Key("key")) for n in range(3)]
        for _ in range(2):
            with near.fill(keys[0]) as first, near.fill(keys[1]) as second:
                calls: list[Call[Any]] = [
                    echoes[0],
                    lua.get(session=keys[0], now_override_ms=None).watched(first),
                    echoes[1],
                    lua.exists(session=keys[1], now_override_ms=None).watched(second),
                    echoes[2],
                ]
                one, session, two, exists, three = await cache._lowest.call_many(calls)
                assert (one, session.messages, two, exists, three) == (b"0", 1, b"1", True, b"2")
                first.keep("record", "kept", size=1)
                second.keep("record", "kept, too", size=1)
            found = [near.get(each, "record") for each in keys]
            assert [kept and kept.value for kept in found] == ["kept", "kept, too"]
            near.clear()


@pytest.mark.engines("valkey")
async def test_what_is_asked_of_a_slot_on_its_way_is_not_kept(engine: Engine, namespace: str) -> None:
    """Behind ASKING nobody asks to be told, and what was read is not kept."""
    async with make_async_cache(engine, namespace, **NEAR) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        assert isinstance(cache._lowest, AsyncRedisTransport)
        near = cache.near
        assert near is not None
        keys = cache.keys.session("chat")
        with near.fill(keys) as fill:
            call = lua.get(session=keys, now_override_ms=None).watched(fill)
            (reply,) = await cache._lowest._node.run([call], asking=True)
            session = call.decode(reply)
            assert session is not None
            assert session.messages == 1
            fill.keep("record", reply, size=1)
        assert near.entries == 0


@pytest.mark.engines("valkey")
def test_another_event_loop_begins_anew(engine: Engine, namespace: str) -> None:
    """A cache that goes on in another loop has a new connection there, and forgets what the former one was to tell."""
    cache = make_async_cache(engine, namespace, **NEAR)
    near = cache.near
    assert near is not None

    async def read() -> int:
        await cache.transcripts.append("chat", {"n": 0})
        for _ in range(2):
            await cache.sessions.get("chat")
        await cache.sessions.exists("other")
        return near.entries

    loops = [asyncio.new_event_loop() for _ in range(2)]
    try:
        assert loops[0].run_until_complete(read()) == 1
        assert loops[1].run_until_complete(cache.sessions.exists("other")) is False
        assert near.entries == 0
        assert loops[1].run_until_complete(read()) == 1
        loops[1].run_until_complete(cache.aclose())
        assert near.entries == 0
        loops[0].run_until_complete(asyncio.sleep(0.01))
    finally:
        for loop in loops:
            loop.close()
