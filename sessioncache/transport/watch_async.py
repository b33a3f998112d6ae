"""A wrapper that notes how the connection stands: what is on its way, and how the last call ended.

The rule of this module: it observes. It changes no call and no answer, and waits for nothing. It also sees where calls
come from: connections, locks and all who wait belong to one event loop. Where that has ended, what it wraps is made
anew for the next one; while it runs, another one is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeVar

from sessioncache.errors import BackendUnavailable, ConfigurationError
from sessioncache.telemetry import ConnectionState
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.colour_async import Loop, running_loop
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["AsyncWatchTransport"]

T = TypeVar("T")

CLOSED: Final[Any] = object()
"""Where a cache is that was closed."""


class AsyncWatchTransport:
    """Tells a ConnectionState of every call."""

    def __init__(self, inner: AsyncTransport, again: Callable[[], AsyncTransport], state: ConnectionState) -> None:
        """Wrap a transport.

        Args:
            inner: what carries calls, in the first event loop.
            again: makes another for each further one; who calls it uses the former no more.
            state: is told of every call.
        """
        self._inner = inner
        self._again = again
        self._state = state
        self._loop: Loop | None = None
        """The event loop that this is used by; None at first, and in sync code."""
        self._process = os.getpid()
        self._moving = Lock()

    async def call(self, call: Call[T]) -> T:
        """Send one call and note how it ended."""
        if running_loop() is not self._loop:
            self._move()
        state = self._state
        under_way = state.writing if call.writes else state.reading
        under_way.append(None)
        try:
            result = await self._inner.call(call)
        except BaseException as error:
            under_way.pop()
            state.ended(error)
            raise
        under_way.pop()
        state.ended(None)
        return result

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together and note how they ended: the first error counts."""
        if running_loop() is not self._loop:
            self._move()
        state = self._state
        under_way = [state.writing if call.writes else state.reading for call in calls]
        for marks in under_way:
            marks.append(None)
        try:
            results = await self._inner.call_many(calls, return_errors=return_errors)
        except BaseException as error:
            state.ended(error)
            raise
        finally:
            for marks in under_way:
                marks.pop()
        state.ended(next((one for one in results if isinstance(one, BaseException)), None))
        return results

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams; waiting is not work and is not noted."""
        if running_loop() is not self._loop:
            self._move()
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        """Close what is wrapped; from now on there is no connection, and calls are refused."""
        if self._loop is not CLOSED and running_loop() is not self._loop:
            self._move()
        self._loop = CLOSED
        await self._inner.aclose()
        self._state.closed()

    def _move(self) -> None:
        """Serve another event loop from now on.

        Raises:
            ConfigurationError: the one before is still running.
            BackendUnavailable: the cache was closed.
        """
        with self._moving:
            former, loop = self._loop, running_loop()
            if former is CLOSED:
                raise BackendUnavailable("the cache was closed; make a new one")
            if former is not None and former is not loop:
                # In a process that was forked, the loop of the one that forked it seems to run.
                if former.is_running() and self._process == os.getpid():
                    raise ConfigurationError(
                        "this AsyncSessionCache is in use by another event loop, which is running; make one cache for "
                        "each event loop, or share a SessionCache among threads"
                    )
                self._inner = self._again()
            self._loop = loop
            self._process = os.getpid()
