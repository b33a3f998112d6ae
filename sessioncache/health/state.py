"""What is asked of a process: does its event loop turn, and could it work.

The rule of this module: it measures and describes; what to do about it is for the orchestrator.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Final, Self

__all__ = ["LoopTick", "ReadyState"]

TICK_S: Final = 0.5
OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class ReadyState:
    """Whether a process can do its work, and what is wrong if not."""

    checks: Mapping[str, str] = field(default_factory=dict)
    """By name: `ok`, or what is wrong in words."""

    @property
    def ready(self) -> bool:
        """Whether all checks are `ok`."""
        return all(found == OK for found in self.checks.values())


class LoopTick:
    """Measures how long ago the event loop last had a turn to give."""

    def __init__(self) -> None:
        self._last = monotonic()
        self._task: asyncio.Task[None] | None = None

    @property
    def age_s(self) -> float:
        """Seconds since the last tick."""
        return monotonic() - self._last

    async def __aenter__(self) -> Self:
        """Begin to tick."""
        self._last = monotonic()
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop ticking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _tick(self) -> None:
        while True:
            self._last = monotonic()
            await asyncio.sleep(TICK_S)
