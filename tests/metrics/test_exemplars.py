"""Exemplars: the trace of a call beside its duration, for scrapes that ask for OpenMetrics."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from sessioncache.metrics import PrometheusHook, render
from sessioncache.telemetry import CallRecord

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
RECORD = CallRecord("sessions.get", 0.003, None, None, 5)


def shown(hook: PrometheusHook) -> str:
    """What a scrape for OpenMetrics gets."""
    return render(hook.registry, OPENMETRICS)[0].decode()


def test_the_trace_that_a_call_was_made_in_is_shown() -> None:
    """Within a span of OpenTelemetry, a call's duration and count carry its trace, in OpenMetrics only."""
    hook = PrometheusHook()
    with TracerProvider().get_tracer("test").start_as_current_span("agent") as span:
        hook.on_call(RECORD)
    trace_id = f"{span.get_span_context().trace_id:032x}"
    lines = [line for line in shown(hook).splitlines() if trace_id in line]
    assert any(
        line.startswith('sessioncache_call_duration_seconds_bucket{call="sessions.get",le="0.005"}') for line in lines
    )
    assert any(line.startswith("sessioncache_calls_total") for line in lines)
    assert trace_id not in render(hook.registry)[0].decode()


def test_outside_of_a_sampled_trace_there_is_none() -> None:
    """No span, or one that is not sampled, leaves no mark: it could not be looked up."""
    hook = PrometheusHook()
    hook.on_call(RECORD)
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("test").start_as_current_span("agent"):
        hook.on_call(RECORD)
    assert "trace_id" not in shown(hook)


def test_a_callback_says_what_to_show() -> None:
    """Who traces with something else gives what answers the labels."""
    hook = PrometheusHook(exemplar=lambda: {"trace_id": "abc123"})
    hook.on_call(RECORD)
    assert '# {trace_id="abc123"}' in shown(hook)


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"trace_id": "x" * 200}, {"not a name": "x"}, {"__name__": "x"}, {"é": "x"}],
    ids=["none", "empty", "long", "bad", "reserved", "unicode"],
)
def test_a_callback_that_answers_nonsense_fails_no_call(answer: Mapping[str, str] | None) -> None:
    """What OpenMetrics does not allow is left out; the call counts."""
    hook = PrometheusHook(exemplar=lambda: answer)
    hook.on_call(RECORD)
    assert "# {" not in shown(hook)
    assert hook.registry.get_sample_value("sessioncache_call_duration_seconds_count", {"call": "sessions.get"}) == 1


def test_a_callback_that_raises_fails_no_call() -> None:
    """An error in a user's callback is dropped."""

    def broken() -> Mapping[str, str]:
        raise RuntimeError("no trace today")

    hook = PrometheusHook(exemplar=broken)
    hook.on_call(RECORD)
    assert "# {" not in shown(hook)
