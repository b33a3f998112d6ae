"""`python -m sessioncache_workers`: the worker and its health port in one process.

Exit codes: 0 after SIGTERM or SIGINT, 1 if it broke, 2 for settings that cannot work. A Redis that is away, at the
start or later, ends nothing: the process waits, alive and not ready.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from redis.exceptions import RedisError

from sessioncache.errors import BackendError, ConfigurationError, SessionCacheError
from sessioncache.health import HealthServer, LoopTick, ReadyState
from sessioncache.metrics import render
from sessioncache_workers import logs
from sessioncache_workers.office import Office
from sessioncache_workers.settings import WorkerSettings, cache_settings, load_settings
from sessioncache_workers.worker import ShardWorker, make_worker

__all__ = ["main", "serve"]

log = logging.getLogger("sessioncache_workers")

LIVE_AGE_MAX_S: Final = 30.0
READY_TIMEOUT_S: Final = 1.5
EXIT_OK: Final = 0
EXIT_CONFIGURATION: Final = 2


def main() -> int:
    """Run until told to stop; the exit code."""
    try:
        settings = load_settings()
        logs.configure(settings.log_level)
        return asyncio.run(serve(settings))
    except ConfigurationError as error:
        print(f"sessioncache-worker: {error}", file=sys.stderr)  # noqa: T201 - before there may be a log
        return EXIT_CONFIGURATION


async def serve(settings: WorkerSettings) -> int:
    """Work and answer on the health port until a signal comes.

    Raises:
        ConfigurationError: a URL, port, namespace or server that cannot work.
    """
    office = Office(settings, cache_settings())
    async with AsyncExitStack() as opened:
        opened.push_async_callback(office.aclose)
        tick = await opened.enter_async_context(LoopTick())
        worker = make_worker(office)
        health = HealthServer(
            settings.host,
            settings.port,
            live=lambda: tick.age_s < LIVE_AGE_MAX_S,
            ready=lambda: readiness(office, worker),
            metrics=partial(render, office.registry),
        )
        await opened.enter_async_context(health)
        opened.push_async_callback(worker.close)
        # Before anybody is told that it runs: who hears so may end it.
        _stop_on_signals(office, worker)
        log.info(
            "started",
            extra={
                "fields": {
                    "worker": office.name,
                    "namespaces": ",".join(settings.namespaces),
                    "queue": office.queue.name,
                    "health": f"http://{settings.host}:{health.port}",
                }
            },
        )
        await _until_stopped(office, worker)
    log.info("stopped", extra={"fields": {"worker": office.name}})
    return EXIT_OK


def _stop_on_signals(office: Office, worker: ShardWorker) -> None:
    """Let SIGTERM and SIGINT end the worker: the first when its jobs are done or their time is up, a second at once."""
    stopping: list[asyncio.Task[None]] = []

    def stop(signal_name: str) -> None:
        if stopping:
            worker.halt()
            return
        log.info("stopping", extra={"fields": {"signal": signal_name, "jobs": len(worker.tasks)}})
        stopping.append(asyncio.create_task(worker.drain(office.settings.drain_s)))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)


async def _until_stopped(office: Office, worker: ShardWorker) -> None:
    """Run the worker and the gauges; whichever fails ends both."""
    working = asyncio.create_task(worker.async_run())
    watching = asyncio.create_task(watch(office))
    await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    worker.halt()
    for ended in await asyncio.gather(working, watching, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended


async def watch(office: Office) -> None:
    """Refresh the gauges of the namespaces, as long as the process lives.

    Raises:
        ConfigurationError: a namespace whose shard count differs, or a server that is too old.
    """
    while True:
        for namespace, cache in office.caches.items():
            try:
                office.gauges.show(await cache.stats.get())
            except BackendError as error:
                office.gauges.forget(namespace)
                log.warning("gauges not refreshed", extra={"fields": {"namespace": namespace, "error": error.code}})
        await asyncio.sleep(office.settings.gauges_every_s)


async def readiness(office: Office, worker: ShardWorker) -> ReadyState:
    """Whether jobs could be taken and done now."""
    cache = next(iter(office.caches.values()))
    sessions, queue = await asyncio.gather(_check(cache.retention.get()), _check(office.queue.redis.ping()))
    return ReadyState(
        {"sessions": sessions, "queue": queue, "worker": "ok" if worker.allow_pick_jobs else "it is stopping"}
    )


async def _check(asked: Awaitable[object]) -> str:
    """`ok`, or what is wrong."""
    try:
        await asyncio.wait_for(asked, READY_TIMEOUT_S)
    except TimeoutError:
        return f"Redis did not answer within {READY_TIMEOUT_S:g} s"
    except (SessionCacheError, RedisError, OSError) as error:
        return str(error)
    return "ok"


if __name__ == "__main__":
    sys.exit(main())
