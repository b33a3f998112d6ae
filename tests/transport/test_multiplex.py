"""Caches whose tasks share one connection, on real servers: what goes over it, and what is left of it."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.exceptions import ConnectionError as DriverConnectionError

from sessioncache import AsyncSessionCache, BackendError, BackendUnavailable, ConfigurationError, SessionCache, Settings
from sessioncache.embedded import EmbeddedServer
from sessioncache.namespaces import questions
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.cluster_async import AsyncClusterTransport
from sessioncache.transport.connect_async import connect
from sessioncache.transport.dialling import Dialling
from sessioncache.transport.endpoint import parse_url
from sessioncache.transport.multiplex_async import MultiplexNode, multiplexed
from sessioncache.transport.node_async import AsyncNode
from sessioncache.transport.redis_async import AsyncRedisTransport
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from tests.engines import Engine
from tests.engines.caches import make_async_cache
from tests.transport.proxy import Proxy
from tests.transport.virtual import VirtualLoop
from tests.transport.waiting import until
from tests.wire import tour

EVERYWHERE = pytest.mark.engines("valkey", "redis", "cluster", "sentinel", "acl", "tls")
ECHO: Call[bytes] = Call("server.echo", "ECHO", (), ("hello",), decode=bytes, routed_by=Key("key"))


def node_of(cache: AsyncSessionCache) -> MultiplexNode:
    """The only node of a cache on one server."""
    assert isinstance(cache._lowest, AsyncRedisTransport)
    assert isinstance(cache._lowest._node, MultiplexNode)
    return cache._lowest._node


def connections(engine: Engine, name: str) -> int:
    """How many connections of that name the primaries have."""
    found = 0
    for server in engine.primaries():
        told = server.command("CLIENT", "LIST")
        assert isinstance(told, bytes)
        found += told.count(b" name=%s " % name.encode())
    return found


@EVERYWHERE
async def test_each_of_many_tasks_gets_its_own(engine: Engine, namespace: str) -> None:
    """Eighty tasks that write and read what only they know all read that, over one connection a server."""
    async with make_async_cache(engine, namespace, client_name=namespace) as cache:

        async def work(task: int) -> None:
            for number in range(6):
                await cache.transcripts.append(f"chat {task}", {"task": task, "n": number})
                await cache.sessions.update(f"chat {task}", title=f"title {task} {number}")
                session = await cache.sessions.get(f"chat {task}")
                assert session is not None
                assert session.title == f"title {task} {number}"
                page = await cache.transcripts.list(f"chat {task}")
                assert page.messages == [{"task": task, "n": n} for n in range(number + 1)]

        await asyncio.gather(*[work(task) for task in range(80)])
        assert connections(engine, namespace) <= len(engine.primaries())
    await until(lambda: connections(engine, namespace) == 0)


@EVERYWHERE
async def test_tasks_that_are_cancelled_shift_nothing(engine: Engine, namespace: str) -> None:
    """While every third task is cut off at some moment, the others get their own."""
    async with make_async_cache(engine, namespace) as cache:
        for task in range(10):
            await cache.transcripts.append(f"chat {task}", {"task": task})

        async def read(task: int) -> None:
            for _ in range(10):
                assert (await cache.transcripts.list(f"chat {task}")).messages == [{"task": task}]

        tasks = [asyncio.create_task(read(task % 10)) for task in range(60)]
        for number in range(0, 60, 3):
            for _ in range(number % 7):
                await asyncio.sleep(0)
            tasks[number].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [
            result for result in results if result is not None and not isinstance(result, asyncio.CancelledError)
        ] == []


@pytest.fixture
async def proxy(engine: Engine) -> AsyncIterator[Proxy]:
    """A proxy in front of the engine."""
    assert engine.server is not None
    async with Proxy(engine.server.port) as started:
        yield started


@pytest.mark.engines("valkey")
async def test_what_many_ask_in_one_tick_is_one_write(proxy: Proxy, namespace: str) -> None:
    """Sixty-four appends that begin together are one write on the wire."""
    async with AsyncSessionCache.from_url(proxy.url, namespace=namespace, shards=4) as cache:
        await cache.transcripts.append("chat", {"n": -1})
        before = proxy.requests
        await asyncio.gather(*[cache.transcripts.append(f"chat {number}", {"n": 0}) for number in range(64)])
        assert proxy.requests - before == 1
        assert await cache.sessions.count() == 65


@pytest.mark.engines("valkey", "redis")
async def test_all_lost_in_one_write_happens_once(proxy: Proxy, namespace: str) -> None:
    """A connection that breaks under forty appends to one session, before or after they ran, loses and doubles none."""
    options: dict[str, Any] = {"call_timeout_ms": 50_000, "retry_wait_max_ms": 20, "shards": 4}
    async with AsyncSessionCache.from_url(proxy.url, namespace=namespace, **options) as cache:
        await cache.transcripts.append("chat", {"n": -1})
        for after in (1, 0):
            proxy.cut_after_request, proxy.cut_before_request = after, 1 - after
            appended = await asyncio.gather(
                *[cache.transcripts.append("chat", {"n": n, "a": after}) for n in range(40)]
            )
            assert any(each.repeated for each in appended) == bool(after)
        found = [(message.get("a"), message["n"]) for message in (await cache.transcripts.list("chat")).messages[1:]]
        assert sorted(found) == [(after, n) for after in (0, 1) for n in range(40)]


@pytest.mark.engines("valkey")
async def test_a_thousand_tasks_at_the_start_make_one_connection(engine: Engine, namespace: str) -> None:
    """Whoever needs the connection waits for the same one, also if the first of them is cancelled."""
    async with make_async_cache(engine, namespace, client_name=namespace) as cache:
        node_of(cache)._channel = None
        tasks = [asyncio.create_task(cache._lowest.call(ECHO)) for _ in range(1_000)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert await asyncio.gather(*tasks[1:]) == [b"hello"] * 999
        # The first one is that of the beginning.
        assert connections(engine, namespace) == 2


@pytest.mark.engines("valkey")
async def test_a_server_that_stands_still_is_not_flooded(engine: Engine, namespace: str) -> None:
    """Beyond what the socket takes, callers wait: little is kept in hand, and all is answered in the end."""
    assert engine.server is not None
    async with make_async_cache(engine, namespace, command_timeout_ms=30_000) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        channel = node_of(cache)._channel
        assert channel is not None
        assert channel._transport is not None
        engine.server.pause()
        try:
            long = {"text": "x" * 100_000}
            tasks = [asyncio.create_task(cache.transcripts.append(f"chat {n}", long)) for n in range(200)]
            await until(lambda: channel._is_paused and len(channel._queue) > 100)
            assert channel._transport.get_write_buffer_size() < 400_000
        finally:
            engine.server.resume()
        await asyncio.gather(*tasks)
        assert await cache.sessions.count() == 201
        assert channel is node_of(cache)._channel


@pytest.mark.engines("valkey", "tls")
async def test_closing_waits_for_what_is_under_way(engine: Engine, namespace: str) -> None:
    """A call that was made before the cache is closed is answered; one made after it fails; nothing stays open."""
    assert engine.server is not None
    cache = await make_async_cache(engine, namespace, client_name=namespace).open()
    await cache.transcripts.append("chat", {"n": 0})
    engine.server.pause()
    try:
        call = asyncio.create_task(cache.transcripts.append("chat", {"n": 1}))
        for _ in range(10):
            await asyncio.sleep(0)
        closing = asyncio.create_task(cache.aclose())
        for _ in range(10):
            await asyncio.sleep(0)
        with pytest.raises(BackendUnavailable, match="closed"):
            await cache.transcripts.append("chat", {"n": 2})
        assert not closing.done()
    finally:
        engine.server.resume()
    assert (await call).last_seq == 2
    await closing
    await cache.aclose()
    await until(lambda: connections(engine, namespace) == 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.engines("valkey")
async def test_closing_does_not_wait_for_ever(engine: Engine, namespace: str) -> None:
    """A server that says nothing any more holds the close up for as long as an answer may take."""
    assert engine.server is not None
    cache = await make_async_cache(engine, namespace, command_timeout_ms=100).open()
    engine.server.pause()
    try:
        call = asyncio.create_task(cache.sessions.exists("chat"))
        for _ in range(10):
            await asyncio.sleep(0)
        await cache.aclose()
        with pytest.raises(BackendError, match=r"no answer|lost"):
            await call
    finally:
        engine.server.resume()


@pytest.mark.engines("valkey")
async def test_waiting_for_the_feed_holds_nobody_up(engine: Engine, namespace: str) -> None:
    """A blocking read has a connection of its own."""
    async with make_async_cache(engine, namespace, client_name=namespace) as cache:
        stream = cache.keys.shard(0).feed
        listening = asyncio.create_task(cache._lowest.listen({stream: "$"}, wait_ms=20_000))
        await until(lambda: connections(engine, namespace) == 2)
        await cache.transcripts.append("chat", {"n": 0})
        assert node_of(cache)._channel is not None
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.engines("valkey")
async def test_a_command_that_blocks_is_refused(engine: Engine, namespace: str) -> None:
    """What would hold up everybody behind it is not sent."""
    async with make_async_cache(engine, namespace) as cache:
        wait: Call[Any] = Call("server.wait", "WAIT", (), (1, 0), decode=int, routed_by=Key("key"))
        with pytest.raises(Exception, match="WAIT needs a connection of its own"):
            await cache._lowest.call(wait)
        assert await cache._lowest.call(ECHO) == b"hello"


@pytest.mark.engines("valkey")
def test_one_event_loop_after_the_other(engine: Engine, namespace: str) -> None:
    """A cache that was closed in no loop is used in the next one, with a connection of that loop."""
    cache = make_async_cache(engine, namespace, client_name=namespace)

    async def append(number: int) -> int:
        return (await cache.transcripts.append("chat", {"n": number})).last_seq

    loops = [asyncio.new_event_loop() for _ in range(3)]
    try:
        assert [loop.run_until_complete(append(n)) for n, loop in enumerate([*loops, *loops])] == [1, 2, 3, 4, 5, 6]
        loops[2].run_until_complete(cache.aclose())
        for loop in loops:
            loop.run_until_complete(asyncio.sleep(0.01))
        assert connections(engine, namespace) == 0
    finally:
        for loop in loops:
            loop.close()


@pytest.mark.engines("valkey")
async def test_a_forgotten_cache_leaves_no_connection(engine: Engine, namespace: str) -> None:
    """A cache that nobody closed, and nobody has any more, takes its connection with it."""
    cache = await make_async_cache(engine, namespace, client_name=namespace).open()
    assert connections(engine, namespace) == 1
    del cache
    gc.collect()
    await until(lambda: connections(engine, namespace) == 0)


async def test_a_server_that_never_answers_is_no_connection() -> None:
    """Connecting ends when its time is up, handshake included, and says where to."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cache = AsyncSessionCache.from_url(f"redis://127.0.0.1:{port}", connect_timeout_ms=20, call_timeout_ms=50)
        with pytest.raises(Exception, match=f"no connection to 127.0.0.1:{port} within 20 ms"):
            await cache.sessions.exists("chat")
        await cache.aclose()


async def test_a_server_with_no_room_is_unavailable(namespace: str) -> None:
    """What a server says in place of an answer, before it hangs up, is told as it is, and tried again."""
    with (
        EmbeddedServer(appendonly=False, options={"maxclients": 1}) as server,
        socket.create_connection(("127.0.0.1", server.port)) as taken,
    ):
        taken.sendall(b"PING\r\n")
        assert taken.recv(100) == b"+PONG\r\n"
        cache = AsyncSessionCache.from_url(server.url, namespace=namespace, call_timeout_ms=50, retry_wait_max_ms=5)
        with pytest.raises(BackendUnavailable, match="max number of clients"):
            await cache.sessions.exists("chat")
        await cache.aclose()


class _Dead(Dialling):
    """Counts how often it is dialled, and nobody answers."""

    dialled = 0

    async def dial(self) -> Any:  # noqa: ANN401 - never answers
        _Dead.dialled += 1
        await asyncio.sleep(0.001)
        raise DriverConnectionError("nobody there")


def test_a_server_that_is_away_is_dialled_now_and_then() -> None:
    """However many tasks ask again and again, there are pauses between the attempts, and they grow."""
    settings = Settings(retry_wait_max_ms=1_000)
    loop = VirtualLoop()
    _Dead.dialled = 0

    async def story() -> None:
        dead = _Dead(settings, parse_url(settings), None)
        listener: Any = type(
            "Listener", (), {"aclose": _nothing, "connection_pool": type("", (), {"disconnect": _nothing})}
        )
        node = MultiplexNode(dead, listener, limit_ms=1_000)

        async def ask() -> None:
            while loop.time() < 20:
                (outcome,) = await node.run((ECHO,))
                assert isinstance(outcome, DriverConnectionError)
                await asyncio.sleep(0.01)

        await asyncio.gather(*[ask() for _ in range(50)])
        await node.aclose()

    loop.play(story)
    loop.close()
    # Without pauses each of 50 tasks would dial 90 times a second, together at least 90.
    assert 20 < _Dead.dialled < 400


async def _nothing() -> None:
    """A method that does nothing."""


def test_the_default_is_shared_where_it_can_be() -> None:
    """Writes that wait for replicas have the pool; who asks for the impossible is told."""

    def node(**options: Any) -> type[AsyncNode]:
        lowest = connect(Settings(**options))
        assert isinstance(lowest, AsyncRedisTransport)
        return type(lowest._node)

    assert node() is MultiplexNode
    assert node(transport="multiplex") is MultiplexNode
    assert node(transport="redis-py") is AsyncNode
    assert node(durability="replicated") is AsyncNode
    assert node(durability="replicated", transport="redis-py") is AsyncNode
    with pytest.raises(ConfigurationError, match='durability="replicated" needs transport="redis-py"'):
        node(durability="replicated", transport="multiplex")
    assert SessionCache.from_url(transport="multiplex") is not None


class Invalidations:
    """A listener of a near-cache."""

    greeting: Sequence[tuple[str, ...]] = (("CLIENT", "TRACKING", "ON", "BCAST"),)

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lost = 0

    def on_push(self, message: list[Any]) -> None:
        if message[0] == b"invalidate":
            self.heard += message[1] or []

    def on_lost(self) -> None:
        self.lost += 1


@pytest.mark.engines("valkey", "redis", "cluster")
async def test_pushes_reach_their_listener(engine: Engine, namespace: str) -> None:
    """With a listener connections speak RESP3: it hears what others change, and every call reads as it did."""
    pushes = Invalidations()
    settings = Settings(url=engine.url, namespace=namespace, shards=4)
    endpoint = parse_url(settings)
    nodes = multiplexed(settings, endpoint, pushes)
    lowest: AsyncTransport = AsyncRedisTransport(nodes(None))
    if engine.cluster is not None:
        lowest = AsyncClusterTransport(nodes, endpoint.hosts)
    async with AsyncSessionCache(lowest, settings) as tracking, make_async_cache(engine, namespace) as plain:
        await tour.walk(tracking)
        config = questions.namespace_config(config=tracking.keys.config)
        told = await lowest.call(config)
        assert told == await plain._lowest.call(config)
        pushes.heard.clear()
        await plain.transcripts.append("chat", {"n": 1})
        record = str(plain.keys.session("chat").record).encode()
        while record not in pushes.heard:
            await tracking.sessions.get("chat")
        assert (await tracking.transcripts.list("chat")).messages == [{"n": 1}]
        for server in engine.primaries():
            server.command("CLIENT", "KILL", "TYPE", "normal")
        await tracking.transcripts.count("chat")
        assert pushes.lost >= 1
