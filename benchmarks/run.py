"""One run: rounds over rows over subjects, on one server.

The rule of this module: subjects take turns within each row of each round (ABC, BCA, CAB …), on an emptied server, so
that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import redis

from benchmarks.delay import delayed
from benchmarks.environment import NotInstalled, python_for
from benchmarks.meter import Meter
from benchmarks.results import Results, Sample
from benchmarks.subject import Subject, SubjectProcess
from benchmarks.workloads import DELAY_MS, Workload
from sessioncache.embedded import EmbeddedServer

__all__ = ["Plan", "measure", "ping_us"]

PINGS: Final = 300
SERVER_OPTIONS: Final = {
    # A rewrite of the append-only file would fork in the middle of somebody's turn.
    "auto-aof-rewrite-percentage": "0",
    "maxclients": "4096",
}


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    subjects: Sequence[Subject]
    workloads: Sequence[Workload]
    rounds: int
    file: Path
    progress: Callable[[str], None]
    """Is told of every turn before it begins."""


def measure(plan: Plan) -> Results:
    """Do it.

    Raises:
        BenchmarkError: a subject failed.
    """
    results = Results()
    with ExitStack() as stack:
        processes = _start(plan, results, stack)
        server = stack.enter_context(EmbeddedServer(options=SERVER_OPTIONS))
        proxied = stack.enter_context(delayed(server.port, DELAY_MS))
        results.facts = _facts(plan, server) | {"ping_p50_us": _pings(server.port, proxied)}
        turns = _Turns(server, proxied, plan.file)
        for number in range(plan.rounds):
            first = number % max(len(processes), 1)
            for workload in plan.workloads:
                for process in processes[first:] + processes[:first]:
                    plan.progress(f"round {number + 1} of {plan.rounds}: {workload.name}: {process.subject.name}")
                    results.samples.append(turns.take(process, workload, number))
        results.facts["subjects"] = {process.subject.name: process.versions for process in processes}
    results.facts["load_average_after"] = os.getloadavg()[0]
    return results


def _start(plan: Plan, results: Results, stack: ExitStack) -> list[SubjectProcess]:
    processes = []
    for subject in plan.subjects:
        plan.progress(f"environment of {subject.name}")
        try:
            python = python_for(subject.requirements)
        except NotInstalled as error:
            results.missing[subject.name] = f"not installed: {error}"
            continue
        processes.append(stack.enter_context(SubjectProcess(subject, python)))
    return processes


class _Turns:
    """The server, and one subject after another on it."""

    def __init__(self, server: EmbeddedServer, proxied: int, file: Path) -> None:
        self._server = server
        self._proxied = proxied
        self._file = str(file)
        self._meter = Meter(server)

    def take(self, process: SubjectProcess, workload: Workload, number: int) -> Sample:
        """One subject's turn on the emptied server."""
        self._server.command("FLUSHALL", "SYNC")
        port = self._proxied if workload.delayed else self._server.port
        process.prepare(
            work=workload.work,
            url=f"redis://127.0.0.1:{port}",
            file=self._file,
            tasks=workload.tasks,
            operations=workload.operations,
        )
        self._meter.since_last()
        ran = process.run()
        did = self._meter.since_last()
        process.finish()
        operations = ran["operations"]
        return Sample(
            workload=workload.name,
            subject=process.subject.name,
            round=number,
            operations_per_s=operations / ran["seconds"],
            p50_us=ran["p50_us"],
            p99_us=ran["p99_us"],
            server_cpu_us=did.cpu_us / operations,
            bytes_sent=did.bytes_in / operations,
            round_trips=did.reads / operations,
            commands={name: calls / operations for name, calls in sorted(did.commands.items())},
        )


def _pings(direct: int, proxied: int) -> dict[str, float]:
    """What PING takes on each way: the proxy's price is what it adds without a delay."""
    with delayed(direct, 0) as prompt:
        return {
            "direct": ping_us(direct),
            "proxy without delay": ping_us(prompt),
            f"proxy with {DELAY_MS} ms": ping_us(proxied),
        }


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


def _facts(plan: Plan, server: EmbeddedServer) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_average_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "server": f"{server.binary.kind} {server.binary.version_text}",
        "durability": "append-only file, fsync every second",
        "messages": plan.file.name,
        "rounds": plan.rounds,
        "operations": {workload.name: workload.operations for workload in plan.workloads},
    }
