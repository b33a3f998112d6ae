"""The loop by which a subject's process obeys the benchmark: one JSON object a line, in and out. Standard library only.

    {"do": "prepare", "work": "append", "url": …, "file": …, "tasks": 64, "operations": 3200}  →  {"versions": …}
    {"do": "run"}     →  {"operations": …, "seconds": …, "p50_us": …, "p99_us": …}
    {"do": "finish"}  →  {}

The rule of this module: between `run` and its answer nothing happens but the operations and the reading of the clock.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.conversations import read_file
from benchmarks.subjects.contract import Store
from benchmarks.subjects.works import WORKS, Operation, Work

__all__ = ["percentile", "serve"]


def serve(make_store: Callable[[], Store]) -> None:
    """Obey until standard input ends."""
    asyncio.run(_loop(make_store))


async def _loop(make_store: Callable[[], Store]) -> None:
    obedience = _Obedience(make_store)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        try:
            answer = await getattr(obedience, order.pop("do"))(**order)
        except Exception:  # noqa: BLE001  the driver reports it, whatever it is, and ends the run
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class _Obedience:
    """One order a method."""

    def __init__(self, make_store: Callable[[], Store]) -> None:
        self._make_store = make_store
        self._store: Store
        self._work: Work

    async def prepare(self, *, work: str, url: str, file: str, tasks: int, operations: int) -> dict[str, Any]:
        self._store = self._make_store()
        await self._store.open(url, tasks)
        self._work = WORKS[work](self._store, read_file(Path(file)), tasks=tasks, operations=operations)
        await self._work.prepare()
        return {"versions": self._store.versions()}

    async def run(self) -> dict[str, Any]:
        lanes = self._work.lanes()
        latencies: list[float] = []
        # Nobody pays for walking through the modules that its framework imports; what a run makes is collected as ever.
        gc.collect()
        gc.freeze()
        started = perf_counter()
        await asyncio.gather(*(_lane(operations, latencies) for operations in lanes))
        seconds = perf_counter() - started
        gc.unfreeze()
        latencies.sort()
        return {
            "operations": len(latencies),
            "seconds": seconds,
            "p50_us": percentile(latencies, 50) * 1e6,
            "p99_us": percentile(latencies, 99) * 1e6,
        }

    async def finish(self) -> dict[str, Any]:
        await self._work.check()
        await self._store.close()
        return {}


async def _lane(operations: list[Operation], latencies: list[float]) -> None:
    for operation in operations:
        started = perf_counter()
        await operation()
        latencies.append(perf_counter() - started)


def percentile(ordered: list[float], percent: int) -> float:
    """The value that `percent` of a sorted list do not exceed."""
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
