# Generated from sessioncache/transport/watch_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""A wrapper that notes how the connection stands: what is on its way, and how the last call ended.

The rule of this module: it observes. It changes no call and no answer, and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sessioncache.telemetry import ConnectionState
from sessioncache.transport.base import Transport
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["WatchTransport"]

T = TypeVar("T")


class WatchTransport:
    """Tells a ConnectionState of every call."""

    def __init__(self, inner: Transport, state: ConnectionState) -> None:
        self._inner = inner
        self._state = state

    def call(self, call: Call[T]) -> T:
        """Send one call and note how it ended."""
        writes = int(call.writes)
        self._state.begin(1 - writes, writes)
        try:
            result = self._inner.call(call)
        except BaseException as error:
            self._state.end(1 - writes, writes, error)
            raise
        self._state.end(1 - writes, writes, None)
        return result

    def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together and note how they ended: the first error counts."""
        writes = sum(call.writes for call in calls)
        reads = len(calls) - writes
        self._state.begin(reads, writes)
        try:
            results = self._inner.call_many(calls, return_errors=return_errors)
        except BaseException as error:
            self._state.end(reads, writes, error)
            raise
        self._state.end(reads, writes, next((one for one in results if isinstance(one, BaseException)), None))
        return results

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams; waiting is not work and is not noted."""
        self._inner.listen(streams, wait_ms=wait_ms)

    def close(self) -> None:
        """Close what is wrapped; from now on there is no connection."""
        self._inner.close()
        self._state.closed()
