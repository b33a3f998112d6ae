"""Servers that may be broken, processes that may be killed, and the verdict of both auditors."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sessioncache import AsyncSessionCache, audit
from sessioncache.embedded import EmbeddedServer
from tests.faults.judge import Promises, judge
from tests.workers.conftest import WorkerProcess

SHARDS = 2


@pytest.fixture(scope="module")
def reused() -> Iterator[EmbeddedServer]:
    """A server with append-only data, for all tests of a file."""
    with EmbeddedServer(options={"appendfsync": "everysec"}) as started:
        yield started


@pytest.fixture
def server(reused: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """The server, running and empty."""
    reused.resume()
    reused.start()
    reused.command("FLUSHALL")
    yield reused
    reused.resume()
    reused.start()
    reused.command("CONFIG", "SET", "maxmemory", 0)


@pytest.fixture
async def cache(server: EmbeddedServer, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """What agents use."""
    async with AsyncSessionCache.from_url(server.url, namespace=namespace, shards=SHARDS) as opened:
        yield opened


@pytest.fixture
def promises() -> Promises:
    """What was told to those who wrote."""
    return Promises()


async def verdict(cache: AsyncSessionCache, servers: list[EmbeddedServer], promises: Promises) -> None:
    """Both auditors find nothing.

    Raises:
        AssertionError: one of them does.
    """
    report = await audit.run(cache, pace=0)
    assert (report.found, report.finished) == ({}, True), report.notes
    clients = [Redis.from_url(server.url) for server in servers]
    try:
        assert await asyncio.to_thread(judge, clients, cache.keys.namespace, promises) == []
    finally:
        for client in clients:
            client.close()


class Stem:
    """`stem.py`: forks processes that run jobs."""

    def __init__(self, url: str, namespace: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stem", url, namespace, str(SHARDS)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.line()[1] == "ready"

    def line(self) -> list[Any]:
        """What is told next."""
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        assert told, "the stem died"
        found: list[Any] = json.loads(told)
        return found

    def begin(self, job: str, *, holder: str, ttl_ms: int, batch: int = 5, sleep_at: int = 0, **options: Any) -> None:
        """Have a job run over all shards, until it stops itself behind a batch, if it is told to."""
        assert self._process.stdin is not None
        task = {"job": job, "holder": holder, "ttl_ms": ttl_ms, "batch": batch, "sleep_at": sleep_at}
        self._process.stdin.write(json.dumps(task | {"options": options}) + "\n")
        self._process.stdin.flush()

    def until(self, word: str, count: int | None = None) -> list[Any] | None:
        """Wait for what is told so; None where the job ended before."""
        while True:
            told = self.line()
            if told[1] == word and (count is None or told[2] == count):
                return told
            if told[1] == "ended":
                return None

    def kill_at(self, count: int) -> bool:
        """SIGKILL while a batch is under way; whether one was."""
        told = self.until("batch", count)
        if told is None:
            return False
        os.kill(told[0], signal.SIGKILL)
        while True:
            ended = self.line()
            if ended[1] == "ended":
                return bool(ended[2])

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def stem(server: EmbeddedServer, namespace: str, cache: AsyncSessionCache) -> Iterator[Stem]:
    """Forks processes that run jobs in the test's namespace."""
    assert cache.keys.shards == SHARDS
    started = Stem(server.url, namespace)
    yield started
    started.close()


@pytest.fixture
def start(namespace: str, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts worker processes on a URL; none outlives the test."""
    started: list[WorkerProcess] = []

    def start(url: str, **variables: str) -> WorkerProcess:
        started.append(WorkerProcess(url, namespace, tmp_path / f"worker-{len(started)}.log", **variables))
        return started[-1]

    yield start
    for worker in started:
        worker.process.kill()
        worker.process.wait()
