"""The hook that hears of every call and counts it for Prometheus."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Protocol, TypeAlias

from sessioncache.metrics import names
from sessioncache.metrics.family import CollectorRegistry, Family
from sessioncache.metrics.tracing import current_trace
from sessioncache.namespaces._async import SCHEMA
from sessioncache.telemetry import CallRecord

__all__ = ["Exemplar", "PrometheusHook"]

Exemplar: TypeAlias = Callable[[], Mapping[str, str] | None]
"""What to note beside a call's duration and count: labels, such as `{"trace_id": …}`; None: nothing."""

MERGE_OUTCOMES: Final = frozenset({"created", "stored", "incoming"})

NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
EXEMPLAR_MAX: Final = 128
"""Most characters of an exemplar's labels and values together; OpenMetrics allows no more."""


class _Counter(Protocol):
    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None: ...


class _Histogram(Protocol):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class _Counts:
    """The instruments of one call with one outcome."""

    duration: _Histogram
    calls: _Counter
    sent: _Counter
    received: _Counter
    besides: tuple[_Counter, ...]
    """What else such a call counts for: repeats, conflicts, merges."""


class PrometheusHook:
    """A telemetry hook: give it to a cache as `hooks=[PrometheusHook()]`; several caches may share one."""

    def __init__(self, registry: CollectorRegistry | None = None, *, exemplar: Exemplar | None = None) -> None:
        """Make the metrics.

        Args:
            registry: where to show them; None makes one, which is then `self.registry`.
            exemplar: asked after every call for what to note beside it, shown to scrapes that ask for OpenMetrics.
                Unless given, the trace of OpenTelemetry that the call was made in, where that is installed and the
                trace is sampled. What it raises is dropped, and so is what is longer than 128 characters.
        """
        family = Family(registry)
        self.registry = family.registry
        """Where the metrics can be read; `render(hook.registry)` shows them."""
        self._exemplar = current_trace() if exemplar is None else exemplar
        self._bounds = family.bounds
        self._counts: dict[tuple[str, str, str], _Counts] = {}
        family.gauge(names.BUILD_INFO).labels(
            *family.bounds.all_of(
                names.BUILD_INFO.labels,
                (version("sessioncache"), platform.python_version(), version("redis"), str(SCHEMA)),
            )
        ).set(1)
        self._duration = family.histogram(names.CALL_DURATION)
        self._calls = family.counter(names.CALLS)
        self._retries = family.counter(names.CALL_RETRIES)
        self._repeats = family.counter(names.CALL_REPEATS)
        self._conflicts = family.counter(names.CALL_CONFLICTS)
        self._sent = family.counter(names.CALL_SENT)
        self._received = family.counter(names.CALL_RECEIVED)
        self._merges = family.counter(names.MERGES)
        self.registry.register(family)

    def on_call(self, record: CallRecord) -> None:
        """One call has ended."""
        outcome = "failed" if record.error else record.outcome or "ok"
        counts = self._counts.get((record.call, outcome, record.error or "none"))
        if counts is None:
            counts = self._made(record.call, outcome, record.error or "none")
        exemplar = self._asked()
        counts.duration.observe(record.duration_s, exemplar)
        counts.calls.inc(1, exemplar)
        counts.sent.inc(record.sent_bytes)
        counts.received.inc(record.received_bytes)
        for counter in counts.besides:
            counter.inc()

    def on_retry(self, call: str, error: str) -> None:
        """An attempt failed and is about to be repeated."""
        self._retries.labels(self._bounds.of("call", call), self._bounds.of("error", error)).inc()

    def _made(self, call: str, outcome: str, error: str) -> _Counts:
        """The instruments of such calls, found once: looking them up takes longer than counting."""
        named = self._bounds.all_of(("call", "outcome", "error"), (call, outcome, error))
        shown_call, shown_outcome, shown_error = named
        besides: list[Any] = []
        if shown_outcome == "repeated":
            besides.append(self._repeats.labels(shown_call))
        if shown_error in names.CONFLICTS:
            besides.append(self._conflicts.labels(shown_call, shown_error))
        if shown_call == "sessions.save" and shown_outcome in MERGE_OUTCOMES:
            besides.append(self._merges.labels(shown_outcome))
        counts = _Counts(
            self._duration.labels(shown_call),
            self._calls.labels(*named),
            self._sent.labels(shown_call),
            self._received.labels(shown_call),
            tuple(besides),
        )
        if named == (call, outcome, error):
            # Only what is declared, so that what is kept stays as small as what is shown.
            self._counts[named] = counts
        return counts

    def _asked(self) -> dict[str, str] | None:
        """What to note beside this call."""
        if self._exemplar is None:
            return None
        try:
            found = self._exemplar()
            if not found:
                return None
            labels = {str(name): str(value) for name, value in found.items()}
        except Exception:  # noqa: BLE001 - a user's callback must not fail a call
            return None
        size = sum(len(name) + len(value) for name, value in labels.items())
        return labels if size <= EXEMPLAR_MAX and all(map(NAME.fullmatch, labels)) else None
