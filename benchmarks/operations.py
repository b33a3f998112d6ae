"""What workers do, and what agents feel of it: stages on one server, which is filled once.

The rule of this module: one thing at a time. In each stage one pool of real worker processes does one job, beside
agents whose calls are measured; before and behind each stage the same agents are measured alone.

```
fill ─ alone ─ reconcile ─ alone ─ sweep ⅓ ─ alone ─ sweep ⅓ ─ alone ─ sweep ⅓ ─ alone ─ seal ─ alone      idle
                4 workers           1 worker          2 workers         4 workers         4 workers     its own server
```
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import redis

from benchmarks.agents import Agents, Lap
from benchmarks.cores import Cores
from benchmarks.filling import fill
from benchmarks.meter import Meter
from benchmarks.pool import NICENESS, workers
from benchmarks.results import Sample
from benchmarks.subject import OURS, BenchmarkError
from benchmarks.weigh import used_bytes
from benchmarks.workloads import POOLS, Workload
from sessioncache import AsyncSessionCache, SessionCache, audit
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance.jobs import JOBS

__all__ = ["Staged", "measure_stages"]

NAMESPACE: Final = "operations"
SHARDS: Final = 64
SHARDS_QUICK: Final = 16
"""Each job has costs a shard, which few sessions do not pay back."""

SERVER_OPTIONS: Final[dict[str, str | int | bool]] = {"maxclients": "4096"}
ALONE_S: Final = 15.0
ALONE_QUICK_S: Final = 2.0
IDLE_S: Final = 30.0
IDLE_QUICK_S: Final = 3.0
IDLE_SESSIONS: Final = 1000
IDLE_SHARDS_QUICK: Final = 4
STAGE_LIMIT_S: Final = 3600
BEGIN_POLL_S: Final = 0.02
POLL_S: Final = 0.2


@dataclass(frozen=True)
class Staged:
    """What the stages gave."""

    samples: list[Sample]
    facts: list[str]
    """Sentences: what they hold for."""


def measure_stages(workloads: Sequence[Workload], tell: Callable[[str], None], *, quick: bool) -> Staged:
    """Fill a server and go through all stages.

    Raises:
        BenchmarkError: a worker ended, a stage did not, or what is stored then is not what it should be.
    """
    sessions = workloads[0].operations
    shards = SHARDS_QUICK if quick else SHARDS
    cores = Cores()
    with ExitStack() as stack:
        server = stack.enter_context(_server())
        cores.pin_server(server.pid)
        tell(f"filling: {sessions:,} sessions, half of them due")
        seconds = asyncio.run(_fill(server, sessions, shards=shards, due=True))
        tell(f"filled in {seconds:.0f} s")
        bytes_filled = used_bytes(server.port)
        cache = stack.enter_context(SessionCache.from_url(server.url, namespace=NAMESPACE, shards=shards))
        agents = stack.enter_context(Agents(server.url, NAMESPACE, shards))
        cores.pin_client(agents.pid)
        stages = _Stages(server, cache, agents, cores, tell, quick=quick)
        stages.run(sessions)
        agents.lap()
    stages.idle(quick=quick)
    size = (
        f"{sessions:,} sessions of one short message in {shards} shards, half of them due: {bytes_filled / 1e9:.2f} GB"
    )
    return Staged(stages.samples, [f"{size}; filled in {seconds:.0f} s; workers have a niceness of {NICENESS}"])


def _server() -> EmbeddedServer:
    return EmbeddedServer(appendonly=False, options=SERVER_OPTIONS)


async def _fill(server: EmbeddedServer, sessions: int, *, shards: int, due: bool) -> float:
    async with AsyncSessionCache.from_url(server.url, namespace=NAMESPACE, shards=shards) as cache:
        return await fill(cache, server.url, sessions, due=due)


class _Stages:
    """All stages, one after another."""

    def __init__(
        self,
        server: EmbeddedServer,
        cache: SessionCache,
        agents: Agents,
        cores: Cores,
        tell: Callable[[str], None],
        *,
        quick: bool,
    ) -> None:
        self.samples: list[Sample] = []
        self._server = server
        self._cache = cache
        self._agents = agents
        self._cores = cores
        self._tell = tell
        self._quick = quick
        self._meter = Meter(server)
        self._before: Lap

    def run(self, sessions: int) -> None:
        """Reconcile everything, sweep a third of what is due with each pool, seal the rest.

        Raises:
            BenchmarkError: sessions are missing, or too many, or an audit finds something.
        """
        due = self._due()
        if not sessions // 2 <= due <= sessions // 2 + 1:
            raise BenchmarkError(f"{due} sessions are due, not half of {sessions}")
        self._alone()
        self._pass("reconcile", "reconcile")
        for position, count in enumerate(POOLS):
            self._sweep(count, down_to=due * (len(POOLS) - 1 - position) // len(POOLS))
        left = self._stored()
        if not sessions - due <= left <= sessions - due + sessions // 100 + 100:
            raise BenchmarkError(f"{left} sessions are left of {sessions}, of which {due} were due")
        self._pass("seal", "compact")
        if self._quick:
            report = asyncio.run(_audit(self._server.url, self._cache.keys.shards))
            if report.found or not report.finished:
                raise BenchmarkError(f"an audit finds {report.found}: {report.notes}")

    def _sweep(self, count: int, *, down_to: int) -> None:
        before = self._due()
        self._stage(f"sweep-{count}", "expire", count, lambda: self._due() <= down_to, lambda: before - self._due())

    def _pass(self, key: str, job: str) -> None:
        """A job over all shards."""
        started_ms = self._cache.schedule.look([job]).now_ms
        stored = self._stored()

        def is_done() -> bool:
            shards = self._cache.schedule.look([job]).shards
            return all(shard.passed_ms.get(job, 0) >= started_ms for shard in shards if shard.changes)

        self._stage(key, job, POOLS[-1], is_done, lambda: stored)

    def _stage(self, key: str, job: str, count: int, is_done: Callable[[], bool], sessions: Callable[[], int]) -> None:
        """One pool at one job until it is done, and what the agents felt."""
        self._tell(f"{key}: {count} workers")
        with workers(self._server, NAMESPACE, count, self._cores, job=job) as pool:
            pool.begin()
            self._until(lambda: self._is_held(job) or is_done(), BEGIN_POLL_S)
            bytes_before, started = used_bytes(self._server.port), time.perf_counter()
            self._agents.lap()
            self._meter.since_last()
            self._until(is_done, POLL_S)
            seconds, bytes_after = time.perf_counter() - started, used_bytes(self._server.port)
            lap, busy_us = self._agents.lap(), self._meter.since_last().process_cpu_us
            done = sessions()
        before, alone = self._before, self._alone()
        freed = bytes_before - bytes_after
        numbers = _felt(lap, busy_us) | {
            "sessions": done,
            "seconds": seconds,
            "sessions_per_s": done / seconds,
            "freed_bytes": freed,
            "freed_bytes_per_s": freed / seconds,
        }
        base = _felt(before + alone, 0.0)
        self.samples += [Sample(key, OURS, 0, numbers), Sample(f"{key}-base", OURS, 0, base)]
        self._tell(
            f"{key}: {done:,} sessions in {seconds:.1f} s, {done / seconds:,.0f}/s; agents' p99 "
            f"{numbers['p99_us'] / 1000:.2f} ms, {base['p99_us'] / 1000:.2f} ms without; load {os.getloadavg()[0]:.1f}"
        )

    def _alone(self) -> Lap:
        """The agents without workers."""
        self._agents.lap()
        time.sleep(ALONE_QUICK_S if self._quick else ALONE_S)
        self._before = self._agents.lap()
        return self._before

    def idle(self, *, quick: bool) -> None:
        """What workers cost a server on which there is nothing to do."""
        count = POOLS[-1]
        self._tell(f"idle: {count} workers")
        with EmbeddedServer(appendonly=False) as server:
            self._cores.pin_server(server.pid)
            shards = IDLE_SHARDS_QUICK if quick else SHARDS
            asyncio.run(_fill(server, IDLE_SESSIONS, shards=shards, due=False))
            limit_s = IDLE_QUICK_S if quick else IDLE_S
            meter = Meter(server)
            base = _share(meter, limit_s)
            with (
                SessionCache.from_url(server.url, namespace=NAMESPACE, shards=shards) as cache,
                workers(server, NAMESPACE, count, self._cores) as pool,
            ):
                pool.begin()
                self._until(lambda: _is_settled(cache), POLL_S)
                share = _share(meter, limit_s)
        for key, value in (("idle", share), ("idle-base", base)):
            numbers = {"server_percent": value * 100, "seconds": limit_s, "load_average": os.getloadavg()[0]}
            self.samples.append(Sample(key, OURS, 0, numbers))
        self._tell(f"idle: {share:.2%} of a core, {base:.2%} without workers")

    def _due(self) -> int:
        """Sessions that are overdue and stored."""
        with redis.Redis(port=self._server.port) as client:
            pipeline = client.pipeline(transaction=False)
            now_ms = int(time.time() * 1000)
            for shard in self._cache.keys:
                pipeline.zcount(shard.deadlines, 1, now_ms)
            return sum(pipeline.execute())

    def _stored(self) -> int:
        return sum(shard.sessions for shard in self._cache.stats.shards())

    def _is_held(self, job: str) -> bool:
        """Whether a worker has begun."""
        with redis.Redis(port=self._server.port) as client:
            pipeline = client.pipeline(transaction=False)
            for shard in self._cache.keys:
                pipeline.hexists(shard.lease(job), "holder")
            return any(pipeline.execute())

    @staticmethod
    def _until(is_so: Callable[[], bool], every_s: float) -> None:
        limit = time.monotonic() + STAGE_LIMIT_S
        while not is_so():
            if time.monotonic() > limit:
                raise BenchmarkError(f"a stage did not end within {STAGE_LIMIT_S} s")
            time.sleep(every_s)


def _felt(lap: Lap, busy_us: float) -> dict[str, float]:
    """What agents felt, and the machine."""
    return {
        "p50_us": lap.quantile(0.5),
        "p99_us": lap.quantile(0.99),
        "calls_per_s": len(lap.calls_us) / lap.seconds,
        "load_average": os.getloadavg()[0],
    } | ({"server_busy": busy_us / 1e6 / lap.seconds} if busy_us else {})


def _share(meter: Meter, seconds: float) -> float:
    """The server's share of a core over some time in which nobody asks for anything."""
    meter.since_last()
    started = time.perf_counter()
    time.sleep(seconds)
    return meter.since_last().process_cpu_us / 1e6 / (time.perf_counter() - started)


def _is_settled(cache: SessionCache) -> bool:
    """Whether each job that has a turn has come through every shard once."""
    jobs = [name for name, job in JOBS.items() if job.every_s is not None and not job.needs]
    return all(set(jobs) <= set(shard.passed_ms) for shard in cache.schedule.look(jobs).shards if shard.changes)


async def _audit(url: str, shards: int) -> audit.AuditReport:
    async with AsyncSessionCache.from_url(url, namespace=NAMESPACE, shards=shards) as cache:
        return await audit.run(cache, pace=0)
