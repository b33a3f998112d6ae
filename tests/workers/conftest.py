"""Worker processes on a server of the test's own, which may be stopped and started again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache_workers.office import Office
from sessioncache_workers.settings import cache_settings, load_settings

LIMIT_S = 90
POLL_S = 0.02
QUICK = {
    "SESSIONCACHE_SHARDS": "2",
    "SESSIONCACHE_WORKER_PORT": "0",
    "SESSIONCACHE_WORKER_TICK_EVERY_S": "1",
    "SESSIONCACHE_WORKER_POLL_DELAY_MS": "50",
    "SESSIONCACHE_WORKER_LEASE_TTL_MS": "1000",
    "SESSIONCACHE_WORKER_RELIEVE_EVERY_S": "0.5",
    "SESSIONCACHE_WORKER_PRUNE_EVERY_S": "1",
    "SESSIONCACHE_WORKER_RECONCILE_EVERY_S": "1",
    "SESSIONCACHE_WORKER_GAUGES_EVERY_S": "0.2",
}
"""Everything as often as it can be."""


async def until(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it did not come in time.
    """
    try:
        async with asyncio.timeout(LIMIT_S):
            while not await is_so():  # noqa: ASYNC110 - another process sends no event
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"this did not happen within {LIMIT_S} s: {what}") from None


async def fill(cache: AsyncSessionCache, count: int) -> None:
    """So many sessions."""
    for first in range(0, count, 100):
        numbers = range(first, min(first + 100, count))
        await asyncio.gather(*(cache.transcripts.append(f"s{number}", {"n": number}) for number in numbers))


async def stored(cache: AsyncSessionCache) -> int:
    """Sessions that are not swept, overdue or not."""
    return sum(shard.sessions for shard in await cache.stats.shards())


async def swept(cache: AsyncSessionCache) -> bool:
    """Whether none is left."""
    return await stored(cache) == 0


class WorkerProcess:
    """`python -m sessioncache_workers`, its log and its health port."""

    def __init__(self, url: str, namespace: str, log: Path, **variables: str) -> None:
        """Start it."""
        self._log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONCACHE_")}
        named = {"SESSIONCACHE_URL": url, "SESSIONCACHE_NAMESPACE": namespace}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sessioncache_workers"], env=inherited | QUICK | named | variables, stderr=file
            )

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text(encoding="utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log; one that it is just writing is not among them."""
        return [json.loads(line) for line in self.log.splitlines(keepends=True) if line.endswith("\n")]

    async def started(self) -> None:
        """Wait until it listens."""

        async def listens() -> bool:
            assert self.process.poll() is None, self.log
            return '"health": ' in self.log

        await until(listens, "the worker listens")

    def _get(self, page: str) -> tuple[int, bytes]:
        found = re.search(r'"health": "([^"]+)"', self.log)
        assert found is not None, self.log
        try:
            with urllib.request.urlopen(f"{found.group(1)}/{page}", timeout=10) as answer:  # noqa: S310 - its own port
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    async def get(self, page: str) -> tuple[int, bytes]:
        """Status and body of a page of its health port."""
        return await asyncio.to_thread(self._get, page)

    async def checks(self) -> tuple[bool, dict[str, str]]:
        """What /readyz says."""
        status, body = await self.get("readyz")
        said = json.loads(body)
        assert said["ready"] == (status == 200)
        return said["ready"], said["checks"]

    async def is_ready(self) -> bool:
        """Whether /readyz says so."""
        return (await self.checks())[0]

    async def metric(self, line: str) -> float:
        """A sample of /metrics, by name and labels as they are printed; 0 where there is none."""
        _, body = await self.get("metrics")
        found = re.search(rf"^{re.escape(line)} (\S+)$", body.decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the exit code."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, LIMIT_S)


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server with append-only persistence, so that a restart loses nothing."""
    with EmbeddedServer() as started:
        yield started


@pytest.fixture
async def cache(server: EmbeddedServer, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """What agents would use."""
    async with AsyncSessionCache.from_url(server.url, namespace=namespace, shards=2) as opened:
        yield opened


@pytest.fixture
def start(server: EmbeddedServer, namespace: str, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts worker processes; none outlives the test."""
    started: list[WorkerProcess] = []

    def start(**variables: str) -> WorkerProcess:
        log = tmp_path / f"worker-{len(started)}.log"
        started.append(WorkerProcess(variables.pop("url", server.url), namespace, log, **variables))
        return started[-1]

    yield start
    for worker in started:
        worker.process.kill()
        worker.process.wait()


@pytest.fixture
async def office(server: EmbeddedServer, cache: AsyncSessionCache, namespace: str) -> AsyncIterator[Office]:
    """What the parts of a process share; its namespace was created by `cache`."""
    settings = load_settings(namespaces=(namespace,), max_jobs=2, tick_every_s=60)
    made = Office(settings, cache_settings(url=server.url))
    await made.find_namespaces()
    assert made.caches[namespace].keys.shards == cache.keys.shards
    yield made
    await made.aclose()
