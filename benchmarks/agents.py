"""Agents in the foreground: a process that appends and reads steadily, and tells how long each call took.

    python -m benchmarks.agents URL NAMESPACE SHARDS       a line on standard input: what was seen since the last line

The rule of this module: the load is the same whatever else goes on: few tasks, a rest after each call, about 350 calls
a second. What is measured is one call, as an agent waits for it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.piped import Piped
from benchmarks.subject import BenchmarkError
from sessioncache import AsyncSessionCache

__all__ = ["Agents", "Lap"]

TASKS: Final = 8
REST_S: Final = 0.02
MESSAGES: Final = 200
"""Messages after which an agent begins another session."""

LAST: Final = 20


@dataclass(frozen=True)
class Lap:
    """What the agents saw between two looks."""

    seconds: float
    calls_us: list[float]

    def quantile(self, share: float) -> float:
        """Of the calls' times, in microseconds."""
        ordered = sorted(self.calls_us)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def __add__(self, other: Lap) -> Lap:
        """Two laps as one."""
        return Lap(self.seconds + other.seconds, self.calls_us + other.calls_us)


class Agents(Piped):
    """The process, from outside."""

    def __init__(self, url: str, namespace: str, shards: int) -> None:
        """Start it."""
        super().__init__([sys.executable, "-m", "benchmarks.agents", url, namespace, str(shards)])
        self.lap()

    def lap(self) -> Lap:
        """What was seen since this was asked last.

        Raises:
            BenchmarkError: it has ended.
        """
        line = ""
        with suppress(BrokenPipeError):
            self._tell("lap")
            line = self._hear()
        if not line:
            raise BenchmarkError("the agents ended; their message is above")
        return Lap(**json.loads(line))


async def _agent(cache: AsyncSessionCache, task: int, calls_us: list[float]) -> None:
    await asyncio.sleep(REST_S * task / TASKS)
    turn = 0
    while True:
        name = f"agent-{task}-{turn // (2 * MESSAGES)}"
        started = time.perf_counter()
        if turn % 2:
            await cache.transcripts.list(name, last=LAST)
        else:
            await cache.transcripts.append(name, {"role": "assistant", "content": f"Order {turn} was sent."})
        calls_us.append((time.perf_counter() - started) * 1e6)
        turn += 1
        await asyncio.sleep(REST_S)


async def _serve(url: str, namespace: str, shards: int) -> None:
    calls_us: list[float] = []
    async with AsyncSessionCache.from_url(url, namespace=namespace, shards=shards) as cache:
        tasks = [asyncio.create_task(_agent(cache, task, calls_us)) for task in range(TASKS)]
        gc.collect()
        gc.freeze()
        began = time.perf_counter()
        while await asyncio.to_thread(sys.stdin.readline):
            for task in tasks:
                if task.done():
                    task.result()
            seen, now = list(calls_us), time.perf_counter()
            calls_us.clear()
            answer: dict[str, Any] = {"seconds": now - began, "calls_us": [round(each, 1) for each in seen]}
            await asyncio.to_thread(print, json.dumps(answer), flush=True)
            began = time.perf_counter()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
