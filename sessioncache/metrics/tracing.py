"""The trace that a call was made in, where OpenTelemetry is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["current_trace"]


def current_trace() -> Callable[[], Mapping[str, str] | None] | None:
    """What answers trace and span of the moment, None outside of a sampled trace; or None without OpenTelemetry."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - most processes do not trace
    except ImportError:
        return None

    def current() -> Mapping[str, str] | None:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid or not context.trace_flags.sampled:
            return None
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    return current
