"""Connections that break, hang or are taken away in the middle of a call, and what goes over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, BackendUnavailable, SessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache.testing import AsyncRecordingTransport
from sessioncache.transport.connect_async import connect
from tests.engines import Engine
from tests.engines.caches import make_async_cache, make_sync_cache
from tests.transport.proxy import Proxy
from tests.transport.waiting import until

pytestmark = [pytest.mark.engines("valkey", "redis"), pytest.mark.usefixtures("transport")]

PATIENT: dict[str, Any] = {"call_timeout_ms": 50_000, "retry_wait_max_ms": 20}


@pytest.fixture
async def proxy(engine: Engine) -> AsyncIterator[Proxy]:
    """A proxy in front of the engine."""
    assert engine.server is not None
    async with Proxy(engine.server.port) as started:
        yield started


@pytest.fixture
async def cache(proxy: Proxy, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """An open cache behind the proxy."""
    async with AsyncSessionCache.from_url(proxy.url, namespace=namespace, shards=4, **PATIENT) as opened:
        yield opened


def server_of(engine: Engine) -> EmbeddedServer:
    """The single server of the engine."""
    assert engine.server is not None
    return engine.server


def info(server: EmbeddedServer, section: str, name: str) -> int:
    """A number that INFO tells."""
    text = server.command("INFO", section)
    assert isinstance(text, bytes)
    return int(text.decode().partition(f"{name}:")[2].split()[0].split(",")[0].removeprefix("calls="))


async def test_an_append_is_one_round_trip(cache: AsyncSessionCache, proxy: Proxy, engine: Engine) -> None:
    """Once connected and loaded, an append is one write to the socket and one command, counted on the wire."""
    await cache.transcripts.append("chat", {"n": 0})
    server = server_of(engine)
    requests, calls = proxy.requests, info(server, "commandstats", "cmdstat_evalsha")
    commands = info(server, "stats", "total_commands_processed")
    for number in range(10):
        await cache.transcripts.append("chat", {"n": number})
    assert proxy.requests - requests == 10
    assert info(server, "commandstats", "cmdstat_evalsha") - calls == 10
    # INFO itself is counted too, and on some servers what a script calls.
    assert info(server, "stats", "total_commands_processed") - commands >= 10


async def test_listing_is_one_round_trip(cache: AsyncSessionCache, proxy: Proxy) -> None:
    """A page of sessions over all shards is one write to the socket."""
    for number in range(12):
        await cache.transcripts.append(f"chat {number}", {"n": 0})
    await cache.sessions.list()
    requests = proxy.requests
    assert len(await cache.sessions.list(limit=5)) == 5
    assert proxy.requests - requests == 1


async def test_a_reply_lost_on_the_wire_happens_once(cache: AsyncSessionCache, proxy: Proxy) -> None:
    """The server did it, the connection broke before the answer: the call is repeated and answered as a repeat."""
    await cache.transcripts.append("chat", {"n": 0})
    for number in range(1, 6):
        proxy.cut_after_request = 1
        appended = await cache.transcripts.append("chat", {"n": number})
        assert (appended.repeated, appended.last_seq) == (True, number + 1)
    assert [message["n"] for message in (await cache.transcripts.list("chat")).messages] == list(range(6))


async def test_a_request_lost_on_the_wire_happens_once(cache: AsyncSessionCache, proxy: Proxy) -> None:
    """The connection broke before the server had the request: the call is repeated and happens."""
    await cache.transcripts.append("chat", {"n": 0})
    proxy.cut_before_request = 1
    appended = await cache.transcripts.append("chat", {"n": 1})
    assert (appended.repeated, appended.last_seq) == (False, 2)


async def test_lost_replies_of_calls_sent_together_happen_once(cache: AsyncSessionCache, proxy: Proxy) -> None:
    """A page that is lost is read again."""
    await cache.transcripts.append("chat", {"n": 0})
    proxy.cut_after_request = 1
    assert [summary.id for summary in await cache.sessions.list()] == ["chat"]


async def test_killed_connections_are_replaced(engine: Engine, namespace: str) -> None:
    """While others append, the server cuts all their connections again and again: nothing is lost, nothing twice."""
    server = server_of(engine)
    async with make_async_cache(engine, namespace, **PATIENT) as cache:
        written: list[int] = []

        async def write(writer: int) -> None:
            for number in range(8):
                await cache.transcripts.append(f"chat {writer % 3}", {"writer": writer, "n": number})
                written.append(number)

        writers = [asyncio.create_task(write(writer)) for writer in range(6)]
        for kills in range(20):
            await asyncio.to_thread(server.command, "CLIENT", "KILL", "TYPE", "normal")
            await until(lambda kills=kills: len(written) > kills)  # type: ignore[misc]  # bound in each round
        await asyncio.gather(*writers)
        for session in range(3):
            page = await cache.transcripts.list(f"chat {session}")
            found = [(message["writer"], message["n"]) for message in page.messages]
            expected = {(writer, number) for writer in (session, session + 3) for number in range(8)}
            assert (len(found), set(found)) == (16, expected)
            assert all([n for w, n in found if w == writer] == list(range(8)) for writer in (session, session + 3))


async def test_a_timeout_that_did_execute_happens_once(engine: Engine, namespace: str) -> None:
    """A server that hangs for longer than a command may take does in the end what was sent, once."""
    server = server_of(engine)
    options = PATIENT | {"command_timeout_ms": 60, "connect_timeout_ms": 60, "retry_wait_max_ms": 5}
    async with make_async_cache(engine, namespace, **options) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        lowest = AsyncRecordingTransport(connect(cache.settings))
        hanging = AsyncSessionCache(lowest, cache.settings)
        await hanging.transcripts.append("chat", {"n": 1})
        lowest.clear()
        server.pause()
        try:
            late = asyncio.create_task(hanging.transcripts.append("chat", {"n": 2}))
            await until(lambda: len(lowest.calls) >= 3)
        finally:
            server.resume()
        appended = await late
        await hanging.aclose()
        page = await cache.transcripts.list("chat")
        assert ([message["n"] for message in page.messages], appended.last_seq) == ([0, 1, 2], 3)


async def test_a_cancelled_task_leaves_no_reply_behind(engine: Engine, namespace: str) -> None:
    """A task that is cancelled while it waits takes its reply with it: the next call gets its own."""
    server = server_of(engine)
    options = PATIENT | {"connections_max": 1, "command_timeout_ms": 30_000}
    async with make_async_cache(engine, namespace, **options) as cache:
        for name in ("one", "two"):
            await cache.transcripts.append(name, {"name": name})
        server.pause()
        try:
            waiting = asyncio.create_task(cache.transcripts.list("one", last=1))
            many = asyncio.create_task(cache.stats.shards())
            for _ in range(20):
                await asyncio.sleep(0)
            waiting.cancel()
            many.cancel()
            await asyncio.gather(waiting, many, return_exceptions=True)
            assert waiting.cancelled()
        finally:
            server.resume()
        for name in ("two", "one", "two"):
            assert (await cache.transcripts.list(name, last=1)).messages == [{"name": name}]


async def test_a_cancelled_write_happened_or_not(engine: Engine, namespace: str) -> None:
    """Appends that are cancelled at any moment are in the transcript at most once, and shift nobody's answers."""
    async with make_async_cache(engine, namespace, connections_max=3, **PATIENT) as cache:
        await cache.open()
        acknowledged: list[int] = []

        async def write(number: int) -> None:
            appended = await cache.transcripts.append("chat", {"n": number})
            assert not appended.repeated
            acknowledged.append(number)

        for number in range(60):
            task = asyncio.create_task(write(number))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await write(60)
        found = [message["n"] for message in (await cache.transcripts.list("chat")).messages]
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)


async def test_a_restarted_server_is_found_again(engine: Engine, namespace: str) -> None:
    """While the server is down calls wait; when it is back they go through, with their scripts loaded anew."""
    with EmbeddedServer(binary=server_of(engine).binary, appendonly=True) as server:
        async with AsyncSessionCache.from_url(server.url, namespace=namespace, shards=4, **PATIENT) as cache:
            await cache.transcripts.append("chat", {"n": 0})
            server.kill()
            waiting = [asyncio.create_task(cache.transcripts.append("chat", {"n": number})) for number in (1, 2, 3)]
            await asyncio.sleep(0)
            await asyncio.to_thread(server.start)
            assert {appended.last_seq for appended in await asyncio.gather(*waiting)} == {2, 3, 4}
            assert await cache.transcripts.count("chat") == 4


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """A refused connection ends as BackendUnavailable when the time is up, naming the address."""
    cache = AsyncSessionCache.from_url("redis://127.0.0.1:1", call_timeout_ms=30, retry_wait_max_ms=5)
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1:1"):
        await cache.sessions.exists("chat")
    await cache.aclose()
    with pytest.raises(BackendUnavailable), SessionCache.from_url("redis://127.0.0.1:1", call_timeout_ms=30) as sync:
        sync.sessions.exists("chat")


async def test_more_tasks_than_connections(engine: Engine, namespace: str) -> None:
    """Calls beyond the connection limit wait for a free one, and all go through."""
    async with make_async_cache(engine, namespace, connections_max=2) as cache:
        await asyncio.gather(*[cache.transcripts.append("chat", {"n": number}) for number in range(50)])
        assert await cache.transcripts.count("chat") == 50


async def test_a_unix_socket(engine: Engine, namespace: str) -> None:
    """A cache works over a unix socket, in both colours."""
    with EmbeddedServer(binary=server_of(engine).binary, appendonly=False, unix_socket=True) as server:
        async with AsyncSessionCache.from_url(server.unix_url, namespace=namespace) as cache:
            await cache.transcripts.append("chat", {"n": 0})
        with SessionCache.from_url(server.unix_url, namespace=namespace) as sync:
            assert sync.transcripts.append("chat", {"n": 1}).last_seq == 2


def test_the_sync_side_survives_killed_connections(engine: Engine, namespace: str) -> None:
    """The generated twin replaces connections that were cut, and goes on."""
    with make_sync_cache(engine, namespace, **PATIENT) as cache:
        for number in range(10):
            server_of(engine).command("CLIENT", "KILL", "TYPE", "normal")
            assert cache.transcripts.append("chat", {"n": number}).last_seq == number + 1
        server_of(engine).command("SCRIPT", "FLUSH")
        assert cache.transcripts.count("chat") == 10


async def test_an_address_that_moves_to_the_new_primary_is_followed(namespace: str) -> None:
    """A demoted server that keeps its connections is left, in either colour: the next attempt asks the address."""
    options: dict[str, Any] = {"namespace": namespace, "shards": 4, **PATIENT}
    with EmbeddedServer(appendonly=False) as old, EmbeddedServer(appendonly=False) as new:
        async with Proxy(old.port) as address, AsyncSessionCache.from_url(address.url, **options) as cache:
            sync = SessionCache.from_url(address.url, **options)
            try:
                await cache.transcripts.append("chat", {"n": 1})
                await asyncio.to_thread(sync.transcripts.append, "chat", {"n": 2})
                address.move_to(new.port)
                old.command("REPLICAOF", "127.0.0.1", str(new.port))
                await cache.transcripts.append("chat", {"n": 3})
                await asyncio.to_thread(sync.transcripts.append, "chat", {"n": 4})
                assert await cache.transcripts.count("chat") == 2
            finally:
                sync.close()
