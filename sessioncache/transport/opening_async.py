"""A wrapper that has something done before the first call: the namespace is claimed or checked, once.

The rule of this module: nothing is sent before that has succeeded; a failure is raised to the caller and tried again
at the next call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sessioncache.transport.base import AsyncPrepare, AsyncTransport
from sessioncache.transport.colour_async import Lock
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["AsyncOpeningTransport"]

T = TypeVar("T")


class AsyncOpeningTransport:
    """Prepares, then carries."""

    def __init__(self, inner: AsyncTransport, prepare: AsyncPrepare) -> None:
        self._inner = inner
        self._prepare = prepare
        self._prepared = False
        self._preparing = Lock()

    async def open(self) -> None:
        """Prepare now, if that has not happened yet."""
        if not self._prepared:
            async with self._preparing:
                if not self._prepared:
                    await self._prepare(self._inner)
                    self._prepared = True
                    # There is nothing left to do: from now on whoever calls this calls what it wraps.
                    self.call = self._inner.call  # type: ignore[method-assign]  # for every later call

    async def call(self, call: Call[T]) -> T:
        """Send one call."""
        if not self._prepared:
            await self.open()
        return await self._inner.call(call)

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together."""
        if not self._prepared:
            await self.open()
        return await self._inner.call_many(calls, return_errors=return_errors)

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams."""
        await self.open()
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        """Close what is wrapped."""
        await self._inner.aclose()
