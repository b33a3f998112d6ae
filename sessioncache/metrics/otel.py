"""Spans of OpenTelemetry: one a call, by the hook that metrics hang on, too.

The rule of this module: names and numbers only. What a call was about (its key, and with it namespace and session) is
shown where the program asks for it, and payloads never are.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Final

try:
    from opentelemetry import trace
    from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
except ImportError as error:
    from sessioncache.errors import ConfigurationError

    raise ConfigurationError(
        "spans need opentelemetry-api, which is not installed: pip install 'sessioncache[otel]'"
    ) from error

from sessioncache.telemetry import CallRecord

__all__ = ["OpenTelemetryHook"]

RETRIES_MAX: Final = 32
"""Most retries that one span tells of."""


class OpenTelemetryHook:
    """A telemetry hook: give it to a cache as `hooks=[OpenTelemetryHook()]`; several caches may share one.

    Spans are named `<noun>.<verb>`, are of the kind CLIENT and children of the span that the call was made in, and
    follow the semantic conventions for databases: `db.system.name`, `db.operation.name`, `error.type`. Beside these,
    `sessioncache.outcome`, `sessioncache.sent_bytes` and `sessioncache.received_bytes`; each repeated attempt is an
    event `retry`. Calls that went out together have a span each, of one duration; their retries are on the first.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None, *, keys: bool = False) -> None:
        """Make the hook.

        Args:
            tracer_provider: whose tracer to use; None: the program's.
            keys: whether spans tell the key that a call went by, as `sessioncache.key`. Namespace and session id are
                in it.
        """
        self._tracer = trace.get_tracer("sessioncache", tracer_provider=tracer_provider)
        self._keys = keys
        self._retries: ContextVar[tuple[tuple[int, str], ...]] = ContextVar("sessioncache_retries", default=())

    def on_call(self, record: CallRecord) -> None:
        """One call has ended."""
        ended_ns = time.time_ns()
        retries = self._retries.get()
        if retries:
            self._retries.set(())
        attributes: dict[str, str | int] = {
            "db.system.name": "redis",
            "db.operation.name": record.call,
            "sessioncache.sent_bytes": record.sent_bytes,
            "sessioncache.received_bytes": record.received_bytes,
        }
        if record.outcome is not None:
            attributes["sessioncache.outcome"] = record.outcome
        if self._keys and record.key:
            attributes["sessioncache.key"] = record.key
        if record.error is not None:
            attributes["error.type"] = record.error
        span = self._tracer.start_span(
            record.call,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=ended_ns - int(record.duration_s * 1e9),
        )
        for at_ns, error in retries:
            span.add_event("retry", {"error.type": error}, timestamp=at_ns)
        if record.error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended_ns)

    def on_retry(self, call: str, error: str) -> None:  # noqa: ARG002 - as the protocol has it
        """An attempt failed and is about to be repeated: the span of the call, when it has ended, tells."""
        retries = self._retries.get()
        if len(retries) < RETRIES_MAX:
            self._retries.set((*retries, (time.time_ns(), error)))
