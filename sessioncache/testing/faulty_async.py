"""A transport on which calls fail as planned: before they are sent, or after they were carried out.

The rule of this module: a refused call never reaches the server, and one whose reply is lost always did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sessioncache.testing.faults import Fault, Faults
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.colour_async import sleep_ms
from sessioncache.transport.results import raise_first
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["AsyncFaultyTransport"]

T = TypeVar("T")


class AsyncFaultyTransport:
    """Carries calls on, unless a fault is planned for them: `faulty.faults.lose_reply("transcripts.append")`."""

    def __init__(self, inner: AsyncTransport, faults: Faults | None = None) -> None:
        self._inner = inner
        self.faults = faults if faults is not None else Faults()
        """What is going to fail; add to it at any time."""

    async def call(self, call: Call[T]) -> T:
        """Send one call, if its faults let it."""
        faults = self.faults.for_call(call.name)
        await self._before(faults)
        refused = _first(faults, "refuse")
        if refused is not None:
            raise refused.error()
        result = await self._inner.call(call)
        if _first(faults, "repeat"):
            result = await self._inner.call(call)
        lost = _first(faults, "lose_reply")
        if lost is not None:
            raise lost.error()
        return result

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together, those that are refused left out."""
        faults = [self.faults.for_call(call.name) for call in calls]
        for some in faults:
            await self._before(some)
        results: list[Any] = [None] * len(calls)
        sent = [index for index, some in enumerate(faults) if not _first(some, "refuse")]
        again = [index for index in sent if _first(faults[index], "repeat")]
        for indices in (sent, again):
            answers = await self._inner.call_many([calls[index] for index in indices], return_errors=True)
            for index, answer in zip(indices, answers, strict=True):
                results[index] = answer
        for index, some in enumerate(faults):
            failed = _first(some, "refuse") or _first(some, "lose_reply")
            if failed is not None:
                results[index] = failed.error()
        if not return_errors:
            raise_first(results)
        return results

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams; faults are for calls."""
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        """Close what is wrapped."""
        await self._inner.aclose()

    async def _before(self, faults: Sequence[Fault]) -> None:
        delay = _first(faults, "delay")
        if delay is not None:
            await sleep_ms(delay.wait_ms)


def _first(faults: Sequence[Fault], kind: str) -> Fault | None:
    return next((fault for fault in faults if fault.kind == kind), None)
