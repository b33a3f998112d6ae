# Generated from sessioncache/transport/opening_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""A wrapper that has something done before the first call: the namespace is claimed or checked, once.

The rule of this module: nothing is sent before that has succeeded; a failure is raised to the caller and tried again
at the next call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sessioncache.transport.base import Prepare, Transport
from sessioncache.transport.colour_sync import Lock
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["OpeningTransport"]

T = TypeVar("T")


class OpeningTransport:
    """Prepares, then carries."""

    def __init__(self, inner: Transport, prepare: Prepare) -> None:
        self._inner = inner
        self._prepare = prepare
        self._prepared = False
        self._preparing = Lock()

    def open(self) -> None:
        """Prepare now, if that has not happened yet."""
        if not self._prepared:
            with self._preparing:
                if not self._prepared:
                    self._prepare(self._inner)
                    self._prepared = True
                    # There is nothing left to do: from now on whoever calls this calls what it wraps.
                    self.call = self._inner.call  # type: ignore[method-assign]  # for every later call

    def call(self, call: Call[T]) -> T:
        """Send one call."""
        if not self._prepared:
            self.open()
        return self._inner.call(call)

    def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together."""
        if not self._prepared:
            self.open()
        return self._inner.call_many(calls, return_errors=return_errors)

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Wait for the streams."""
        self.open()
        self._inner.listen(streams, wait_ms=wait_ms)

    def close(self) -> None:
        """Close what is wrapped."""
        self._inner.close()
