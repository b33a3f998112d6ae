"""Scripts that a server does not have (any more) are loaded, and the call goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, SessionCache
from sessioncache.transport.connect_async import connect
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from tests.engines import Engine

pytestmark = [
    pytest.mark.engines("valkey", "redis", "cluster", "acl", "sentinel"),
    pytest.mark.usefixtures("transport"),
]


def forget_scripts(engine: Engine) -> None:
    """As a restart or a failover does."""
    for server in engine.primaries():
        server.command("SCRIPT", "FLUSH", "SYNC")


async def test_a_forgotten_script_is_loaded_again(cache: AsyncSessionCache, engine: Engine) -> None:
    """SCRIPT FLUSH between any two calls goes unnoticed, and nothing happens twice."""
    for number in range(5):
        appended = await cache.transcripts.append("chat", {"n": number})
        assert (appended.last_seq, appended.repeated) == (number + 1, False)
        forget_scripts(engine)
        assert await cache.transcripts.count("chat") == number + 1
        forget_scripts(engine)


async def test_a_script_forgotten_by_a_batch_is_loaded_again(cache: AsyncSessionCache, engine: Engine) -> None:
    """Calls sent together recover together, each answered in its place."""
    for number in range(8):
        await cache.transcripts.append(f"chat {number}", {"n": number})
    shards = await cache.stats.shards()
    forget_scripts(engine)
    assert [(shard.shard, shard.sessions) for shard in await cache.stats.shards()] == [
        (shard.shard, shard.sessions) for shard in shards
    ]
    forget_scripts(engine)
    assert len(await cache.sessions.list()) == 8


async def test_many_tasks_recover_at_once(cache: AsyncSessionCache, engine: Engine) -> None:
    """Tasks that all meet a server without scripts each write once."""
    await cache.transcripts.append("chat", {"n": -1})
    forget_scripts(engine)
    await asyncio.gather(*[cache.transcripts.append("chat", {"n": number}) for number in range(30)])
    messages = (await cache.transcripts.list("chat")).messages
    assert sorted(message["n"] for message in messages) == list(range(-1, 30))


@pytest.mark.engines("valkey", "redis")
async def test_a_script_that_is_flushed_within_a_batch_recovers(cache: AsyncSessionCache) -> None:
    """Calls behind a flush in the same batch are sent again, those in front of it are not."""
    await cache.transcripts.append("chat", {"n": 0})
    lowest = connect(cache.settings)
    keys = cache.keys
    from sessioncache.transcripts import lua
    from sessioncache.wire.call import Write, new_operation_id

    def append() -> Call[Any]:
        write = Write(new_operation_id())
        return lua.append(session=keys.session("chat"), write=write, user="", marks="m", payloads=[b"{}"])

    flush: Call[Any] = Call("script.flush", "SCRIPT", (), ("FLUSH",), decode=bytes, routed_by=Key(keys.config))
    answers = await lowest.call_many([append(), flush, append(), append()])
    await lowest.aclose()
    assert [answers[index].last_seq for index in (0, 2, 3)] == [2, 3, 4]
    assert not any(answers[index].repeated for index in (0, 2, 3))


def test_the_sync_side_loads_scripts_again(sync_cache: SessionCache, engine: Engine) -> None:
    """The generated twin recovers in the same way, alone and in a batch."""
    assert sync_cache.transcripts.append("chat", {"n": 0}).last_seq == 1
    forget_scripts(engine)
    assert sync_cache.transcripts.append("chat", {"n": 1}).last_seq == 2
    forget_scripts(engine)
    assert len(sync_cache.sessions.list()) == 1
