# Generated from sessioncache/testing/recording_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""A transport that counts: every round trip, and every call in it.

The rule of this module: it observes. Put around the lowest transport, it sees what really goes out, repeats included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sessioncache.transport.base import Transport
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["RecordingTransport"]

T = TypeVar("T")


class RecordingTransport:
    """Carries calls on, and remembers them."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.calls: list[Call[Any]] = []
        """Every call, in the order of sending."""
        self.round_trips: list[tuple[str, ...]] = []
        """The names of the calls of each round trip; on a cluster, one round trip a node may stand behind each."""
        self.listened = 0
        """How often something waited on streams."""

    def names(self) -> list[str]:
        """The names of all calls."""
        return [call.name for call in self.calls]

    def clear(self) -> None:
        """Forget everything."""
        self.calls.clear()
        self.round_trips.clear()
        self.listened = 0

    def call(self, call: Call[T]) -> T:
        """Note and send one call."""
        self._note((call,))
        return self._inner.call(call)

    def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Note and send calls together."""
        if calls:
            self._note(calls)
        return self._inner.call_many(calls, return_errors=return_errors)

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams."""
        self.listened += 1
        self._inner.listen(streams, wait_ms=wait_ms)

    def close(self) -> None:
        """Close what is wrapped."""
        self._inner.close()

    def _note(self, calls: Sequence[Call[Any]]) -> None:
        self.calls.extend(calls)
        self.round_trips.append(tuple(call.name for call in calls))
