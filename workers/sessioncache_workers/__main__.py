"""`python -m sessioncache_workers`: the worker and its health port in one process.

```
python -m sessioncache_workers             work until told to stop
python -m sessioncache_workers --check     look whether it could, and say so
python -m sessioncache_workers --version   say which release this is
```

Exit codes: 0 after SIGTERM or SIGINT, 1 if it broke or a check failed, 2 for settings that cannot work. A Redis that is
away or full, at the start or later, ends nothing: the process waits, alive and not ready.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from sessioncache.errors import BackendError, ConfigurationError
from sessioncache.health import HealthServer, LoopTick
from sessioncache.maintenance.archive_files import check_archive_url
from sessioncache.maintenance.summarise import load_summariser
from sessioncache.metrics import render
from sessioncache.settings import Settings
from sessioncache_workers import logs
from sessioncache_workers.clockwork import Clockwork
from sessioncache_workers.office import Office
from sessioncache_workers.readiness import failed_checks, readiness
from sessioncache_workers.relief import Relief
from sessioncache_workers.settings import WorkerSettings, cache_settings, load_settings, misspelt
from sessioncache_workers.worker import ShardWorker, make_worker

__all__ = ["main", "serve"]

log = logging.getLogger("sessioncache_workers")

LIVE_AGE_MAX_S: Final = 30.0
CANCEL_AGAIN_S: Final = 0.5
EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_CONFIGURATION: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop, or look whether it could; the exit code."""
    parser = argparse.ArgumentParser(
        prog="sessioncache-worker",
        description="Looks after the sessions of SESSIONCACHE_NAMESPACES. Its options are variables; "
        "docs/operations.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('sessioncache-workers')}")
    parser.add_argument(
        "--check",
        action="store_true",
        help="look at settings, servers and namespaces, and exit with 1 or 2 if it could not work",
    )
    given = parser.parse_args(arguments)
    try:
        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format)
        _refuse_missing(cache_settings())
        for told in misspelt():
            log.warning("unknown variable", extra={"fields": {"reason": told}})
        return asyncio.run(check(settings) if given.check else serve(settings))
    except ConfigurationError as error:
        print(f"sessioncache-worker: {error}", file=sys.stderr)  # noqa: T201 - before there may be a log
        return EXIT_CONFIGURATION


def _refuse_missing(settings: Settings) -> None:
    """Look whether what jobs need is installed: each run would fail otherwise, and nothing be archived, say.

    Raises:
        ConfigurationError: there is no such summariser, or nothing that knows the archive's URL.
    """
    if settings.summariser:
        load_summariser(settings.summariser)
    if settings.archive_url:
        check_archive_url(settings.archive_url)


async def check(settings: WorkerSettings) -> int:
    """Say whether a worker could work with these settings now; the exit code.

    Raises:
        ConfigurationError: a URL or server that cannot work, or namespaces of a newer release.
    """
    office = Office(settings, cache_settings())
    try:
        await office.archive.try_now()
        failed = await failed_checks(office)
    finally:
        await office.aclose()
    for name, reason in failed.items():
        print(f"sessioncache-worker: {name}: {reason}", file=sys.stderr)  # noqa: T201 - the answer to a command
    if not failed:
        found = ", ".join(f"{name} ({cache.keys.shards} shards)" for name, cache in office.caches.items())
        said = f"ready to look after {found or 'namespaces that are not there yet'}"
        print(f"sessioncache-worker: {said}")  # noqa: T201 - the answer to a command
    return EXIT_FAILED if failed else EXIT_OK


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
            ready=lambda: readiness(office, takes_jobs=worker.allow_pick_jobs),
            metrics=partial(render, office.registry),
        )
        await opened.enter_async_context(health)
        opened.push_async_callback(worker.close)
        # Before anybody is told that it runs: who hears so may end it.
        _stop_on_signals(office, worker)
        log.info("started", extra={"fields": _introduction(office, health.port)})
        await _until_stopped(office, worker)
    log.info("stopped", extra={"fields": {"worker": office.name}})
    return EXIT_OK


def _introduction(office: Office, port: int) -> dict[str, str]:
    """What a worker says of itself when it begins."""
    settings = office.settings
    high = settings.relieve_high
    return {
        "version": version("sessioncache-workers"),
        "worker": office.name,
        "namespaces": ",".join(settings.namespaces),
        "queue": office.queue.name,
        "jobs": ",".join(office.periods),
        "live_sessions": f"removed above {high:.0%} of maxmemory" if high else "never removed",
        "health": f"http://{settings.host}:{port}",
    }


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
    """Run the worker, the clockwork, relief and the gauges; whichever fails ends all."""
    working = asyncio.create_task(worker.async_run())
    loops: list[Coroutine[Any, Any, None]] = [Clockwork(office, worker.wake).run(), Relief(office).run(), watch(office)]
    beside = [asyncio.create_task(loop) for loop in loops]
    await asyncio.wait({working, *beside}, return_when=asyncio.FIRST_COMPLETED)
    worker.halt()
    # More than once: the driver swallows a cancellation that comes while it connects.
    while left := [task for task in beside if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    for ended in await asyncio.gather(working, *beside, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended


async def watch(office: Office) -> None:
    """Refresh the gauges of namespaces and servers, as long as the process lives."""
    while True:
        for number, (namespace, cache) in enumerate(list(office.caches.items())):
            try:
                office.gauges.show(await cache.stats.get())
                if number == 0:
                    # They share their servers.
                    office.servers.show(await cache.stats.servers())
            except (BackendError, ConfigurationError) as error:
                office.gauges.forget(namespace)
                if number == 0:
                    office.servers.forget()
                log.warning("gauges not refreshed", extra={"fields": {"namespace": namespace, "error": error.code}})
        await asyncio.sleep(office.settings.gauges_every_s)


if __name__ == "__main__":
    sys.exit(main())
