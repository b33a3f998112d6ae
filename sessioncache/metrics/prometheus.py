"""The hooks that write the metrics of `names.py` for Prometheus.

The rule of this module: every object has metrics of its own and puts them into the registry it is given, so that two
caches, or two tests, in one process share nothing. There are no `_created` series: they double what is stored for
nothing that `rate()` needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter, time
from typing import TypeAlias

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import Collector
except ImportError as error:
    from sessioncache.errors import ConfigurationError

    raise ConfigurationError(
        "metrics need prometheus-client, which is not installed: pip install 'sessioncache[metrics]'"
    ) from error

from sessioncache.metrics import names
from sessioncache.metrics.names import Metric
from sessioncache.near import NearCache
from sessioncache.stats import NamespaceStats
from sessioncache.telemetry import CallRecord

__all__ = ["NamespaceMetrics", "NearMetrics", "PrometheusHook", "WorkerMetrics", "new_registry", "render"]

Instrument: TypeAlias = Counter | Gauge | Histogram
MERGE_OUTCOMES = frozenset({"created", "stored", "incoming"})


def new_registry() -> CollectorRegistry:
    """An empty registry."""
    return CollectorRegistry(auto_describe=False)


def render(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """What a scrape gets, and its content type: OpenMetrics where the Accept header asks for it, else plain text."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        # A header that the library cannot read, such as one with the version `x`.
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Family(Collector):
    """Metrics of one object, as one collector: it shows them without `_created` series."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self.registry = new_registry() if registry is None else registry
        """Where the metrics can be read."""
        self._instruments: list[Instrument] = []

    def counter(self, metric: Metric) -> Counter:
        """A counter of its own."""
        made = Counter(metric.name, metric.help, metric.labels, registry=None)
        self._instruments.append(made)
        return made

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge of its own."""
        made = Gauge(metric.name, metric.help, metric.labels, registry=None)
        self._instruments.append(made)
        return made

    def histogram(self, metric: Metric) -> Histogram:
        """A histogram of its own."""
        made = Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=None)
        self._instruments.append(made)
        return made

    def describe(self) -> Iterable[Family]:
        """Names, by which a registry refuses to hold the same metric twice."""
        return [family for instrument in self._instruments for family in instrument.describe()]

    def collect(self) -> Iterator[Family]:
        """Values."""
        for instrument in self._instruments:
            for family in instrument.collect():
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family


class PrometheusHook:
    """A telemetry hook: give it to a cache as `hooks=[PrometheusHook()]`; several caches may share one."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics.

        Args:
            registry: where to show them; None makes one, which is then `self.registry`.
        """
        family = _Family(registry)
        self.registry = family.registry
        """Where the metrics can be read; `render(hook.registry)` shows them."""
        self._duration = family.histogram(names.CALL_DURATION)
        self._calls = family.counter(names.CALLS)
        self._retries = family.counter(names.CALL_RETRIES)
        self._repeats = family.counter(names.CALL_REPEATS)
        self._sent = family.counter(names.CALL_SENT)
        self._merges = family.counter(names.MERGES)
        self.registry.register(family)

    def on_call(self, record: CallRecord) -> None:
        """One call has ended."""
        outcome = "failed" if record.error else record.outcome or "ok"
        self._duration.labels(record.call).observe(record.duration_s)
        self._calls.labels(record.call, outcome, record.error or "none").inc()
        self._sent.labels(record.call).inc(record.sent_bytes)
        if record.outcome == "repeated":
            self._repeats.labels(record.call).inc()
        elif record.call == "sessions.save" and record.outcome in MERGE_OUTCOMES:
            self._merges.labels(record.outcome).inc()

    def on_retry(self, call: str, error: str) -> None:
        """An attempt failed and is about to be repeated."""
        self._retries.labels(call, error).inc()


class NearMetrics(Collector):
    """What near-caches hold, and how often that helped: `NearMetrics(cache.near, registry=registry)`."""

    def __init__(self, *caches: NearCache | None, registry: CollectorRegistry | None = None) -> None:
        """Show the sums of some near-caches, as they are when somebody looks.

        Args:
            caches: those of any number of caches; None is one that is off.
            registry: where to show them; None makes one, which is then `self.registry`.
        """
        self.registry = new_registry() if registry is None else registry
        """Where the metrics can be read."""
        self._caches = [near for near in caches if near is not None]
        self.registry.register(self)

    def describe(self) -> Iterator[Family]:
        """Names, by which a registry refuses to hold the same metric twice."""
        return self.collect()

    def collect(self) -> Iterator[Family]:
        """Values."""
        reads = CounterMetricFamily(names.NEAR_READS.name, names.NEAR_READS.help, labels=names.NEAR_READS.labels)
        reads.add_metric(["hit"], sum(near.hits for near in self._caches))
        reads.add_metric(["miss"], sum(near.misses for near in self._caches))
        yield reads
        dropped = sum(near.invalidations for near in self._caches)
        yield CounterMetricFamily(names.NEAR_DROPPED.name, names.NEAR_DROPPED.help, dropped)
        kept = sum(near.entries for near in self._caches)
        yield GaugeMetricFamily(names.NEAR_VALUES.name, names.NEAR_VALUES.help, kept)
        size = sum(near.bytes for near in self._caches)
        yield GaugeMetricFamily(names.NEAR_BYTES.name, names.NEAR_BYTES.help, size)


class WorkerMetrics:
    """What a worker process does."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics; see `PrometheusHook`."""
        family = _Family(registry)
        self.registry = family.registry
        """Where the metrics can be read."""
        self._runs = family.counter(names.WORKER_RUNS)
        self._duration = family.histogram(names.WORKER_RUN_DURATION)
        self._in_progress = family.gauge(names.WORKER_RUNS_IN_PROGRESS)
        self._examined = family.counter(names.WORKER_EXAMINED)
        self._changed = family.counter(names.WORKER_CHANGED)
        self._findings = family.counter(names.WORKER_FINDINGS)
        self._last_success = family.gauge(names.WORKER_LAST_SUCCESS)
        self._leases_lost = family.counter(names.WORKER_LEASES_LOST)
        self._enqueued = family.counter(names.WORKER_ENQUEUED)
        self._queue_errors = family.counter(names.WORKER_QUEUE_ERRORS)
        self.registry.register(family)

    @contextmanager
    def run(self, job: str) -> Iterator[None]:
        """Measure one run; `ended` says how it ended."""
        started = perf_counter()
        self._in_progress.labels(job).inc()
        try:
            yield
        finally:
            self._in_progress.labels(job).dec()
            self._duration.labels(job).observe(perf_counter() - started)

    def ended(self, job: str, outcome: str) -> None:
        """A run has ended so (one of `RUN_OUTCOMES`)."""
        self._runs.labels(job, outcome).inc()
        if outcome in ("done", "partial"):
            self._last_success.labels(job).set(time())
        elif outcome == "lost":
            self._leases_lost.labels(job).inc()

    def found(self, job: str, *, examined: int, changed: int, findings: dict[str, int]) -> None:
        """What a run looked at, changed and found; findings that `FINDINGS` does not name are left out."""
        self._examined.labels(job).inc(examined)
        self._changed.labels(job).inc(changed)
        for finding, count in findings.items():
            if finding in names.FINDINGS:
                self._findings.labels(job, finding).inc(count)

    def enqueued(self, job: str) -> None:
        """A shard job was put into the queue."""
        self._enqueued.labels(job).inc()

    def queue_failed(self) -> None:
        """The queue could not be read."""
        self._queue_errors.inc()


class NamespaceMetrics:
    """The size of namespaces, as somebody told last."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics; see `PrometheusHook`."""
        family = _Family(registry)
        self.registry = family.registry
        """Where the metrics can be read."""
        self._sessions = family.gauge(names.NAMESPACE_SESSIONS)
        self._messages = family.gauge(names.NAMESPACE_MESSAGES)
        self._bytes = family.gauge(names.NAMESPACE_BYTES)
        self._overdue = family.gauge(names.NAMESPACE_OVERDUE)
        self._lag = family.gauge(names.NAMESPACE_LAG)
        self.registry.register(family)

    def show(self, stats: NamespaceStats) -> None:
        """Show these numbers from now on."""
        self._sessions.labels(stats.namespace).set(stats.sessions)
        self._messages.labels(stats.namespace).set(stats.messages)
        self._bytes.labels(stats.namespace).set(stats.bytes)
        self._overdue.labels(stats.namespace).set(stats.overdue)
        self._lag.labels(stats.namespace).set(stats.lag_ms / 1000)

    def forget(self, namespace: str) -> None:
        """Show nothing of this namespace until somebody tells again: an old number looks like a true one."""
        for gauge in (self._sessions, self._messages, self._bytes, self._overdue, self._lag):
            with suppress(KeyError):  # raised by old releases where nothing was shown
                gauge.remove(namespace)
