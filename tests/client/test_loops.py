"""One cache and several event loops: one after the other, at once, in forked processes; and caches that were closed."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sessioncache import AsyncSessionCache, BackendUnavailable, ConfigurationError
from tests.engines import Engine
from tests.engines.caches import make_async_cache, make_sync_cache

# Who closes an event loop before its connections hears of each from Python, and from redis-py.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore:loop is closed:ResourceWarning", "ignore:Exception ignored in"
)


@pytest.fixture(autouse=True)
def _all_collected() -> Iterator[None]:
    """Warnings of what was not closed come in the test that did not close it."""
    yield
    gc.collect()


async def _append_many(cache: AsyncSessionCache) -> None:
    await asyncio.gather(*[cache.transcripts.append("s", {"n": n}) for n in range(100)])


async def _follow(cache: AsyncSessionCache) -> None:
    async with asyncio.timeout(30), cache.feed.subscribe() as changes:
        waiting = asyncio.ensure_future(changes.read())
        while not waiting.done():
            await cache.transcripts.append("s", {"n": 0})
            await asyncio.sleep(0.01)
        await waiting


def _connections(engine: Engine, name: str) -> int:
    gc.collect()
    with Redis.from_url(engine.url) as client:
        return sum(1 for one in client.client_list() if one["name"] == name)


def _sockets() -> int:
    """Open files of this process; 0 where the system does not tell."""
    files = Path("/proc/self/fd")
    return len(list(files.iterdir())) if files.is_dir() else 0


@pytest.mark.engines("valkey", "cluster")
@pytest.mark.parametrize("transport", ["multiplex", "redis-py"])
@pytest.mark.parametrize("work", [_append_many, _follow])
def test_loops_may_follow_one_another(
    engine: Engine, namespace: str, transport: str, work: Callable[[AsyncSessionCache], Coroutine[Any, Any, None]]
) -> None:
    """A cache goes on working when its event loop was closed and another one begins, the feed too."""
    cache = make_async_cache(engine, namespace, transport=transport)
    for _ in range(3):
        asyncio.run(work(cache))
    asyncio.run(cache.aclose())


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("transport", ["multiplex", "redis-py"])
def test_a_loop_that_ended_leaves_no_connection(engine: Engine, namespace: str, transport: str) -> None:
    """However many event loops a cache has served: it holds the sockets of one."""

    async def append(cache: AsyncSessionCache) -> None:
        await cache.transcripts.append("s", {"n": 0})

    cache = make_async_cache(engine, namespace, transport=transport, client_name=namespace)
    asyncio.run(append(cache))
    assert _connections(engine, namespace) == 1
    sockets = _sockets()
    for _ in range(5):
        asyncio.run(append(cache))
    while _connections(engine, namespace) > 1:
        time.sleep(0.01)
    assert _sockets() <= sockets
    assert len(cache.connection.traffic.lines) <= 1
    asyncio.run(cache.aclose())


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("transport", ["multiplex", "redis-py"])
def test_a_second_loop_beside_a_running_one_is_refused(engine: Engine, namespace: str, transport: str) -> None:
    """While one event loop uses a cache, another one is told to have its own; the first goes on undisturbed."""

    async def beside() -> None:
        async with make_async_cache(engine, namespace, transport=transport) as cache:
            with ThreadPoolExecutor() as threads:
                refused = asyncio.get_running_loop().run_in_executor(threads, asyncio.run, _append_many(cache))
                await _append_many(cache)
                with pytest.raises(ConfigurationError, match="another event loop"):
                    await refused
            assert await cache.transcripts.count("s") == 100

    asyncio.run(beside())


@pytest.mark.engines("valkey")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_gets_connections_of_its_own(engine: Engine, namespace: str) -> None:
    """A child that was forked while its parent's event loop ran may use the cache, and does the parent no harm."""

    async def parent(cache: AsyncSessionCache) -> None:
        await _append_many(cache)
        child = os.fork()
        if child == 0:
            done = 1
            try:
                asyncio.events._set_running_loop(None)
                asyncio.run(_append_many(cache))
                done = 0
            finally:
                os._exit(done)
        await _append_many(cache)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert status == 0
        assert await cache.transcripts.count("s") == 300
        await cache.aclose()

    asyncio.run(parent(make_async_cache(engine, namespace)))


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("transport", ["multiplex", "redis-py"])
def test_a_closed_cache_refuses_calls(engine: Engine, namespace: str, transport: str) -> None:
    """Calls to a cache that was closed fail, whatever the transport, on its own event loop and on another."""
    cache = make_async_cache(engine, namespace, transport=transport)

    async def use_and_close() -> None:
        await _append_many(cache)
        await cache.aclose()
        with pytest.raises(BackendUnavailable, match="closed"):
            await cache.transcripts.count("s")

    asyncio.run(use_and_close())
    with pytest.raises(BackendUnavailable, match="closed"):
        asyncio.run(cache.transcripts.count("s"))
    asyncio.run(cache.aclose())

    threads = make_sync_cache(engine, namespace)
    threads.close()
    with pytest.raises(BackendUnavailable, match="closed"):
        threads.transcripts.count("s")
    threads.close()
