"""The telemetry hook: what is told to an observer after every call.

The rule of this module: a protocol and a record, nothing that writes anywhere. Prometheus hangs on it in
`sessioncache.metrics`; a user's own tracing can hang on it in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["CallRecord", "TelemetryHook"]


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


@runtime_checkable
class TelemetryHook(Protocol):
    """Hears of every call; called in the caller's task or thread, so it must be quick and not raise."""

    def on_call(self, record: CallRecord) -> None:
        """One call has ended."""

    def on_retry(self, call: str, error: str) -> None:
        """An attempt of the call failed with this error code and is about to be repeated."""
