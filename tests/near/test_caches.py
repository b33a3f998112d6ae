"""Caches with a near-cache on real servers: what is answered from memory, and that it is never what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sessioncache import (
    AsyncSessionCache,
    ConfigurationError,
    DataError,
    RetentionPolicy,
    Session,
    SessionCache,
    Settings,
)
from sessioncache.near import NearCache
from sessioncache.transcripts.models import TranscriptPage
from sessioncache.transport.connect_async import connect
from tests.engines import Engine
from tests.engines.caches import SHARDS, make_async_cache
from tests.engines.raw import client_for
from tests.sealing.sealing import seal

pytestmark = pytest.mark.engines("valkey", "redis", "cluster")

ROOM = 1_000_000
PATIENT: dict[str, Any] = {"near_cache_bytes": ROOM, "near_cache_stale_ms": 600_000}
"""So that no test depends on how quick the machine is."""


@pytest.fixture
async def reader(engine: Engine, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """A cache that keeps what it reads."""
    async with make_async_cache(engine, namespace, **PATIENT) as opened:
        yield opened


@pytest.fixture
def near(reader: AsyncSessionCache) -> NearCache:
    """What it keeps."""
    assert reader.near is not None
    return reader.near


async def warmed(reader: AsyncSessionCache, session_id: str = "chat") -> tuple[Session | None, TranscriptPage]:
    """Read record and tail until both are kept."""
    near = reader.near
    assert near is not None
    while True:
        hits = near.hits
        found = await reader.sessions.get(session_id), await reader.transcripts.list(session_id, last=50)
        if near.hits == hits + 2:
            return found


async def test_a_second_read_asks_nobody(cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache) -> None:
    """Record and tail are answered from memory, as they were answered by the server."""
    await cache.transcripts.append("chat", [{"n": number} for number in range(60)])
    first = await reader.sessions.get("chat"), await reader.transcripts.list("chat", last=50)
    assert (near.hits, near.misses, near.entries) == (0, 2, 2)
    again = await reader.sessions.get("chat"), await reader.transcripts.list("chat", last=50)
    assert (near.hits, near.misses) == (2, 2)
    assert again == first == (await cache.sessions.get("chat"), await cache.transcripts.list("chat", last=50))


async def test_smaller_tails_are_parts_of_larger(
    cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """From the last ten come the last three, none, and the count; more than was read is asked for."""
    await cache.transcripts.append("chat", [{"n": number} for number in range(12)])
    await reader.transcripts.list("chat", last=10)
    for last in (10, 3, 1, 0, 10):
        assert await reader.transcripts.list("chat", last=last) == await cache.transcripts.list("chat", last=last)
    assert await reader.transcripts.count("chat") == 12
    assert (near.hits, near.misses) == (6, 1)
    assert len(await reader.transcripts.list("chat", last=11)) == 11
    assert (near.hits, near.misses) == (6, 2)
    await reader.transcripts.list("chat", last=12)
    assert len(await reader.transcripts.list("chat", last=500)) == 12
    assert (near.hits, near.misses) == (7, 3)


async def test_cursors_lead_on_from_memory(cache: AsyncSessionCache, reader: AsyncSessionCache) -> None:
    """The page behind a page from memory is the one behind it."""
    await cache.transcripts.append("chat", [{"n": number} for number in range(10)])
    for _ in range(2):
        page = await reader.transcripts.list("chat", last=4)
        older = await reader.transcripts.list("chat", cursor=page.cursor)
        assert [message["n"] for message in [*older.messages, *page.messages]] == list(range(2, 10))


async def test_everybody_gets_his_own(cache: AsyncSessionCache, reader: AsyncSessionCache) -> None:
    """What one caller does to what he got, the next one does not see."""
    written = {"role": "user", "content": [{"text": "hello"}, "there", []], "more": {"deep": {"n": 1}}}
    await cache.transcripts.append("chat", written)
    await cache.sessions.update("chat", metadata={"key": {"inner": [1]}})
    for _ in range(4):
        (message,) = (await reader.transcripts.list("chat", last=5)).messages
        assert message == written
        message["content"][0]["text"] = message["more"]["deep"]["n"] = "changed"
        message["content"][2].append("more")
        message.clear()
        session = await reader.sessions.get("chat")
        assert session is not None
        assert session.metadata == {"key": {"inner": [1]}}
        session.metadata["key"]["inner"].append(2)
        session.title = "changed"


async def test_what_is_nested_deeply_is_decoded_each_time(cache: AsyncSessionCache, reader: AsyncSessionCache) -> None:
    """A message too deep for copying is everybody's own, too."""
    deep: Any = {}
    for _ in range(100):
        deep = {"inner": deep}
    await cache.transcripts.append("chat", deep)
    for _ in range(3):
        (message,) = (await reader.transcripts.list("chat", last=5)).messages
        assert message == deep
        message["inner"]["inner"].clear()


async def test_sealed_messages_are_kept_like_others(
    cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """Sealing changes nothing of what is read from memory, and what lies on both sides of the seam is kept as one."""
    await cache.transcripts.append("chat", [{"n": number, "more": [number]} for number in range(20)])
    _, before = await warmed(reader)
    assert await seal(cache, "chat", keep=4)
    await reader.sessions.exists("chat")
    for last in (50, 20, 10, 3, 0):
        page = await reader.transcripts.list("chat", last=last)
        assert page == await cache.transcripts.list("chat", last=last)
        assert page.messages == before.messages[20 - last :] if last else page.messages == []
    hits = near.hits
    assert (await reader.transcripts.list("chat", last=50)).messages == before.messages
    assert near.hits == hits + 1
    await cache.transcripts.save("chat", [{"n": -1}], through=9)
    await reader.sessions.exists("chat")
    for _ in range(2):
        assert await reader.transcripts.list("chat", last=50) == await cache.transcripts.list("chat", last=50)


class Reversed:
    """Stores everything backwards."""

    header = b"\x1f"

    def encode(self, json_bytes: bytes) -> bytes:
        """Backwards, behind the header."""
        return self.header + json_bytes[::-1]

    def decode(self, payload: bytes) -> bytes:
        """Forwards again."""
        return payload[:0:-1]


async def test_a_codec_is_asked_as_without(engine: Engine, namespace: str) -> None:
    """Messages that are stored in another form come out of memory as they were."""
    settings = {"namespace": namespace, "shards": SHARDS, **PATIENT}
    async with AsyncSessionCache.from_url(engine.url, codec=Reversed(), **settings) as coded:
        await coded.transcripts.append("chat", {"text": "hello", "parts": [{}]})
        first, *others = [await coded.transcripts.list("chat", last=5) for _ in range(3)]
        assert first.messages == [{"text": "hello", "parts": [{}]}]
        assert others == [first] * 2
        assert coded.near is not None
        assert coded.near.hits == 2


CHANGES: dict[str, Callable[[AsyncSessionCache], Awaitable[object]]] = {
    "append": lambda cache: cache.transcripts.append("chat", {"n": 9}),
    "pop": lambda cache: cache.transcripts.pop("chat"),
    "replace": lambda cache: cache.transcripts.save("chat", [{"n": 7}]),
    "replace below": lambda cache: cache.transcripts.save("chat", [{"n": 7}], through=1),
    "delete messages": lambda cache: cache.transcripts.delete("chat"),
    "edit": lambda cache: cache.sessions.update("chat", title="new"),
    "save": lambda cache: cache.sessions.save(Session(id="chat", status="new"), messages=[{"n": 8}]),
    "delete": lambda cache: cache.sessions.delete("chat"),
    "document": lambda cache: cache.documents.save("chat", {"state": {"n": 1}}),
    "update": lambda cache: cache.context.save("chat", {"first": {"n": 1}}),
    "retention": lambda cache: cache.retention.update("chat", ttl_ms=5_000),
    "trace": lambda cache: cache.traces.append("chat", {"n": 1}),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_elsewhere_is_seen_once_it_was_told(
    what: str, cache: AsyncSessionCache, reader: AsyncSessionCache
) -> None:
    """After another process's write was acknowledged and the server said anything more here, the new state is read."""
    await cache.transcripts.append("chat", [{"n": number} for number in range(3)])
    before, _ = await warmed(reader)
    await CHANGES[what](cache)
    # Not from memory, over the same connection: behind it stands nothing that was said before.
    await reader.sessions.exists("chat")
    now = await reader.sessions.get("chat")
    assert now == await cache.sessions.get("chat") != before
    assert await reader.transcripts.list("chat", last=50) == await cache.transcripts.list("chat", last=50)


@pytest.mark.parametrize("what", CHANGES)
async def test_own_writes_are_seen_at_once(what: str, cache: AsyncSessionCache, reader: AsyncSessionCache) -> None:
    """After a write of the same cache nothing older comes from memory."""
    await cache.transcripts.append("chat", [{"n": number} for number in range(3)])
    before, _ = await warmed(reader)
    await CHANGES[what](reader)
    now = await reader.sessions.get("chat")
    assert now == await cache.sessions.get("chat") != before
    assert await reader.transcripts.list("chat", last=50) == await cache.transcripts.list("chat", last=50)


async def test_a_task_that_polls_lets_others_have_their_turn(reader: AsyncSessionCache) -> None:
    """Who reads from memory again and again, and never waits, sees what another task of the process writes."""
    await reader.transcripts.append("chat", {"n": 0})
    await warmed(reader)
    writing = asyncio.create_task(reader.transcripts.append("chat", {"n": 1}))
    while len(await reader.transcripts.list("chat", last=5)) < 2:
        continue
    await writing


async def test_absence_is_asked_for_each_time(
    cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """An unknown session is not remembered as such: nobody would tell of its beginning if its slot moved meanwhile."""
    for _ in range(3):
        assert await reader.sessions.get("chat") is None
        assert (await reader.transcripts.list("chat", last=5)).messages == []
    assert (near.hits, near.entries) == (0, 0)
    await cache.transcripts.append("chat", {"n": 0})
    assert (await reader.transcripts.list("chat", last=5)).messages == [{"n": 0}]
    assert await reader.sessions.get("chat") is not None


async def test_a_session_ends_at_its_deadline(
    cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """Past the deadline a session is not given out of memory, though nobody has written."""
    await cache.transcripts.append("chat", {"n": 0})
    await cache.retention.update("chat", ttl_ms=3_600_000)
    await warmed(reader)
    clock, entries = near.clock, near.entries
    near.clock = lambda: clock() + 3_500
    near._stale_s = 10_000
    hits = near.hits
    await reader.sessions.get("chat")
    assert near.hits == hits + 1
    near.clock = lambda: clock() + 3_601
    await reader.sessions.get("chat")
    await reader.transcripts.list("chat", last=5)
    assert near.hits == hits + 1
    assert near.entries <= entries


async def test_where_reads_move_deadlines_all_are_asked(
    cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """With slide_on_read nothing is kept; a policy that changes takes effect at once."""
    await cache.transcripts.append("chat", {"n": 0})
    await warmed(reader)
    await cache.retention.save(RetentionPolicy(slide_on_read=True))
    await reader.sessions.exists("chat")
    hits = near.hits
    for _ in range(3):
        await reader.sessions.get("chat")
        await reader.transcripts.list("chat", last=5)
    assert (near.hits, near.entries) == (hits, 0)
    await cache.retention.save(RetentionPolicy())
    await warmed(reader)


@pytest.mark.foreign_keys
async def test_damage_is_not_kept(engine: Engine, reader: AsyncSessionCache, near: NearCache) -> None:
    """What cannot be read is an error each time, and left out each time where the caller wants that."""
    await reader.transcripts.append("chat", {"n": 0})
    key = str(reader.keys.session("chat").transcript)
    with client_for(engine, key) as client:
        found: Any = client.xrange(key)
        entry = found[0][0]
        client.delete(key)
        client.xadd(key, {"m": "{broken"}, id=entry)
    for _ in range(3):
        with pytest.raises(DataError):
            await reader.transcripts.list("chat", last=5)
        page = await reader.transcripts.list("chat", last=5, on_corrupt="skip")
        assert page.skipped == (1,)
    assert (near.hits, near.entries) == (0, 0)


async def test_bytes_stay_within_their_room(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """However much is read, no more is kept than there is room for; what is read often stays."""
    ids = [f"chat {number}" for number in range(100)]
    for session_id in ids:
        await cache.transcripts.append(session_id, [{"text": "x" * 100}] * 5)
    async with make_async_cache(engine, namespace, near_cache_bytes=40_000, near_cache_stale_ms=600_000) as small:
        assert small.near is not None
        for session_id in ids:
            await small.sessions.get(session_id)
            await small.transcripts.list(session_id, last=5)
            await small.transcripts.list(session_id, last=5)
            await small.sessions.get(ids[0])
            assert small.near.bytes <= 40_000
        assert 10 < small.near.entries < 100
        assert small.near.hits >= 150
        long = [{"text": "x" * 3_000}] * 4
        await small.transcripts.append("long", long)
        for _ in range(2):
            assert (await small.transcripts.list("long", last=5)).messages == long
        small.near.clear()
        assert (small.near.bytes, small.near.entries) == (0, 0)


@pytest.mark.engines("valkey", "redis")
async def test_a_server_that_forgets_whom_to_tell(
    engine: Engine, cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """A server with no room for what it has to tell says so beforehand, and nothing old is read."""
    (server,) = engine.primaries()
    server.command("CONFIG", "SET", "tracking-table-max-keys", 5)
    try:
        ids = [f"chat {number}" for number in range(40)]
        for turn in range(3):
            for session_id in ids:
                await cache.transcripts.append(session_id, {"turn": turn})
            await reader.sessions.exists("chat")
            for session_id in ids:
                page = await reader.transcripts.list(session_id, last=5)
                assert [message["turn"] for message in page.messages] == list(range(turn + 1))
        assert near.invalidations > 0
    finally:
        server.command("CONFIG", "SET", "tracking-table-max-keys", 1_000_000)


@pytest.mark.engines("valkey", "redis")
async def test_an_emptied_server_empties_the_memory(
    engine: Engine, cache: AsyncSessionCache, reader: AsyncSessionCache, near: NearCache
) -> None:
    """After FLUSHALL nothing is there, here either."""
    await cache.transcripts.append("chat", {"n": 0})
    await warmed(reader)
    engine.flush()
    assert not await reader.sessions.exists("chat")
    assert near.entries == 0
    assert await reader.sessions.get("chat") is None


@pytest.mark.engines("valkey")
async def test_it_is_refused_where_nobody_would_tell() -> None:
    """A near-cache without the shared connection is a configuration error, not a cache that is silently slower."""
    unshared: list[dict[str, Any]] = [{"transport": "redis-py"}, {"durability": "replicated"}]
    for options in unshared:
        with pytest.raises(ConfigurationError, match='near_cache_bytes needs transport="multiplex"'):
            AsyncSessionCache.from_url(near_cache_bytes=1, **options)
    with pytest.raises(ConfigurationError, match="near_cache_bytes is for AsyncSessionCache"):
        SessionCache.from_url(near_cache_bytes=1)
    settings = Settings(near_cache_bytes=1)
    with pytest.raises(ConfigurationError, match="near_cache_bytes needs a cache that was made by"):
        AsyncSessionCache(connect(settings), settings)
    assert AsyncSessionCache.from_url().near is None
