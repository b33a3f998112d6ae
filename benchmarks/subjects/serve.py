"""The loop by which a subject's process obeys the benchmark: one JSON object a line, in and out. Standard library only.

    {"do": "prepare", "work": "append", "url": …, "file": …, …}  →  {"versions": …}, or {"unavailable": …}
    {"do": "run"}     →  {"operations": …, "started": …, "ended": …, "p50_us": …, "p99_us": …}
    {"do": "settle"}  →  {}
    {"do": "finish"}  →  {}

The rule of this module: between `run` and its answer nothing happens but the operations and the reading of the clock.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.conversations import read_file
from benchmarks.subjects.contract import Store, Unavailable
from benchmarks.subjects.works import WORKS, Operation, Work

__all__ = ["percentile", "serve"]


def serve(make_store: Callable[[], Store], works: Mapping[str, Callable[..., Work]] = WORKS) -> None:
    """Obey until standard input ends.

    Args:
        make_store: the subject.
        works: the operations it can be asked for.
    """
    asyncio.run(_loop(make_store, works))


async def _loop(make_store: Callable[[], Store], works: Mapping[str, Callable[..., Work]]) -> None:
    obedience = _Obedience(make_store, works)
    # Answers have this descriptor for themselves: frameworks print, and that belongs to nobody's protocol.
    answers = sys.stdout
    sys.stdout = sys.stderr
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        try:
            answer = await getattr(obedience, order.pop("do"))(**order)
        except Unavailable as error:
            answer = {"unavailable": str(error)}
        except Exception:  # noqa: BLE001  the driver reports it, whatever it is, and ends the run
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class _Obedience:
    """One order a method."""

    def __init__(self, make_store: Callable[[], Store], works: Mapping[str, Callable[..., Work]]) -> None:
        self._make_store = make_store
        self._works = works
        self._store: Store
        self._work: Work

    async def prepare(
        self,
        *,
        work: str,
        url: str,
        file: str,
        tasks: int,
        operations: int,
        features: Sequence[str],
        options: dict[str, Any],
    ) -> dict[str, Any]:
        self._store = self._make_store()
        try:
            await self._store.open(url, tasks, frozenset(features))
            make = self._works[work]
            conversations = read_file(Path(file))
            self._work = make(self._store, conversations, tasks=tasks, operations=operations, **options)
            await self._work.prepare()
        except Unavailable:
            await self._store.close()
            raise
        return {"versions": self._store.versions()}

    async def run(self) -> dict[str, Any]:
        lanes = self._work.lanes()
        latencies: list[float] = []
        # Nobody pays for walking through the modules that its framework imports; what a run makes is collected as ever.
        gc.collect()
        gc.freeze()
        started = perf_counter()
        await asyncio.gather(*(_lane(operations, latencies) for operations in lanes))
        ended = perf_counter()
        gc.unfreeze()
        latencies.sort()
        return {
            "operations": len(latencies),
            "started": started,
            "ended": ended,
            "p50_us": percentile(latencies, 50) * 1e6,
            "p99_us": percentile(latencies, 99) * 1e6,
        }

    async def settle(self) -> dict[str, Any]:
        await self._work.settle()
        return {}

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
