"""A transport whose calls wait at gates, so that a race is played out step by step, without sleeping.

The rule of this module: a call that came to a gate stays there until the test opens it; nothing depends on time.

```python
gated = AsyncGatedTransport(lowest)
gate = gated.gate("transcripts.append", "after")     # the server has done it, the client does not know yet
writer = asyncio.create_task(cache.transcripts.append("chat", message))
await gate.reached()
...                                                  # what others do in between
gate.open()
await writer
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from sessioncache.transport.base import AsyncTransport
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["AsyncGatedTransport", "Gate"]

T = TypeVar("T")

Side = Literal["before", "after"]


class Gate:
    """Holds calls of one name, until it is opened; then all pass, those that come later too."""

    def __init__(self, name: str, side: Side) -> None:
        self.name = name
        """`<noun>.<verb>`, or `*` for every call."""
        self.side = side
        """Before it is sent, or after it was carried out."""
        self.waiting = 0
        """How many calls stand in front of it."""
        self._changed = asyncio.Condition()
        self._open = asyncio.Event()

    async def reached(self, count: int = 1) -> None:
        """Return once that many calls stand in front of it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting >= count)

    def open(self) -> None:
        """Let them all go on."""
        self._open.set()

    async def wait(self) -> None:
        """Stand in front of it."""
        if self._open.is_set():
            return
        async with self._changed:
            self.waiting += 1
            self._changed.notify_all()
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1


class AsyncGatedTransport:
    """Carries calls on, through the gates that the test has put up."""

    def __init__(self, inner: AsyncTransport) -> None:
        self._inner = inner
        self._gates: list[Gate] = []

    def gate(self, name: str = "*", side: Side = "before") -> Gate:
        """Put up a gate for calls of that name."""
        gate = Gate(name, side)
        self._gates.append(gate)
        return gate

    async def call(self, call: Call[T]) -> T:
        """Send one call, waiting in front of it and behind it."""
        await self._pass((call,), "before")
        result = await self._inner.call(call)
        await self._pass((call,), "after")
        return result

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together; a gate for one of them holds all."""
        await self._pass(calls, "before")
        results = await self._inner.call_many(calls, return_errors=return_errors)
        await self._pass(calls, "after")
        return results

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams; gates are for calls."""
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        """Close what is wrapped."""
        await self._inner.aclose()

    async def _pass(self, calls: Sequence[Call[Any]], side: Side) -> None:
        names = {call.name for call in calls}
        for gate in self._gates:
            if gate.side == side and (gate.name == "*" or gate.name in names):
                await gate.wait()
