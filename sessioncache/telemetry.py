"""The telemetry hook: what is told to an observer after every call; and what a cache knows of its connection.

The rule of this module: a protocol and a record, nothing that writes anywhere. Prometheus hangs on it in
`sessioncache.metrics`; a user's own tracing can hang on it in the same way.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sessioncache.errors import BackendError

__all__ = ["CallRecord", "ConnectionState", "Line", "TelemetryHook", "Traffic"]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, after it has ended."""

    call: str
    """`<noun>.<verb>`, such as `transcripts.append`."""

    duration_s: float
    """From the first attempt to the last, waiting between attempts included, in seconds."""

    error: str | None
    """`code` of the error that the caller got; None if the call succeeded. A foreign exception, a cancellation for
    example, is `other`."""

    outcome: str | None
    """What a successful write did, where there is something to tell: `created`, `stored` (the stored group won a
    merge), `incoming`, `repeated` (an operation id that was seen before), …"""

    sent_bytes: int
    """Bytes of the arguments, keys not counted."""

    received_bytes: int = 0
    """Bytes of the answer, without those that the protocol needs; 0 where there was none."""

    key: str = ""
    """The key that said where the call went. Namespace, and mostly a session's id, are in it: it is not for metrics."""


@runtime_checkable
class TelemetryHook(Protocol):
    """Hears of every call; called in the caller's task or thread, so it must be quick and not raise."""

    def on_call(self, record: CallRecord) -> None:
        """One call has ended."""

    def on_retry(self, call: str, error: str) -> None:
        """An attempt of the call failed with this error code and is about to be repeated."""


class Line(Protocol):
    """A connection that all tasks share."""

    @property
    def in_flight(self) -> int:
        """Commands that were sent, or are about to be, and have no answer yet."""

    @property
    def waiting(self) -> int:
        """Commands that wait for room."""

    @property
    def window(self) -> int:
        """Most commands in flight."""


class Traffic:
    """What the shared connections of a cache carry. Only their event loop writes here; anybody may read."""

    def __init__(self) -> None:
        self.opened = 0
        """Connections that were made."""
        self.lost = 0
        """Those that broke, or were given up because the server was silent."""
        self.sent_bytes = 0
        self.received_bytes = 0
        self.lines: tuple[Line, ...] = ()
        """Connections that are open."""

    def begin(self, line: Line) -> None:
        """A connection was made."""
        self.opened += 1
        self.lines = (*self.lines, line)

    def end(self, line: Line, *, lost: bool) -> None:
        """A connection is gone; nothing where it was not known."""
        if line in self.lines:
            self.lines = tuple(other for other in self.lines if other is not line)
            self.lost += lost


class ConnectionState:
    """How a cache's connection stands, by the calls that it made. Reading it sends nothing and cannot fail."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        """What its shared connections carry; nothing where calls take connections from a pool."""
        self.reading: deque[None] = deque()
        """A mark for each read on its way. To add one, or to take one away, is one step: threads need no lock."""
        self.writing: deque[None] = deque()
        """A mark for each write on its way."""
        self.succeeded_ms: int | None = None
        """When the server answered last, in milliseconds since 1970; None: never."""
        self.error: BackendError | None = None
        """Why the last call got no answer; None: it got one, or there was none."""

    @property
    def reads(self) -> int:
        """Reads on their way."""
        return len(self.reading)

    @property
    def writes(self) -> int:
        """Writes on their way."""
        return len(self.writing)

    def ended(self, error: BaseException | None) -> None:
        """A call has ended. Only a failing server says something of the connection: a refused write was answered."""
        if error is None:
            self.error = None
            self.succeeded_ms = time.time_ns() // 1_000_000
        elif isinstance(error, BackendError):
            self.error = error

    def closed(self) -> None:
        """The cache was closed."""
        self.succeeded_ms, self.error = None, None
