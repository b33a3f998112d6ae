"""What a worker process does, and what it knows of its namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import nan
from time import perf_counter, time

from sessioncache.metrics import names
from sessioncache.metrics.family import Collector, CollectorRegistry, Family, Series, new_registry, series
from sessioncache.stats import NamespaceStats

__all__ = ["NamespaceMetrics", "WorkerMetrics"]


class WorkerMetrics:
    """What a worker process does."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics; see `PrometheusHook`."""
        family = Family(registry)
        self.registry = family.registry
        """Where the metrics can be read."""
        self._bounds = family.bounds
        self._runs = family.counter(names.WORKER_RUNS)
        self._duration = family.histogram(names.WORKER_RUN_DURATION)
        self._in_progress = family.gauge(names.WORKER_RUNS_IN_PROGRESS)
        self._capacity = family.gauge(names.WORKER_CAPACITY)
        self._examined = family.counter(names.WORKER_EXAMINED)
        self._changed = family.counter(names.WORKER_CHANGED)
        self._findings = family.counter(names.WORKER_FINDINGS)
        self._reclaimed = family.counter(names.WORKER_RECLAIMED)
        self._sealing = family.counter(names.WORKER_SEALING)
        self._batches = family.counter(names.WORKER_BATCHES)
        self._batch_size = family.gauge(names.WORKER_BATCH_SIZE)
        self._pause = family.gauge(names.WORKER_PAUSE)
        self._last_success = family.gauge(names.WORKER_LAST_SUCCESS)
        self._oldest_due = family.gauge(names.WORKER_OLDEST_DUE)
        self._leases_lost = family.counter(names.WORKER_LEASES_LOST)
        self._enqueued = family.counter(names.WORKER_ENQUEUED)
        self._queue_jobs = family.gauge(names.WORKER_QUEUE_JOBS)
        self._queue_errors = family.counter(names.WORKER_QUEUE_ERRORS)
        for job in names.JOB_NAMES:
            # Shown from the start, so that the first one of a kind is an increase and not a new series.
            self._leases_lost.labels(job)
            for outcome in names.RUN_OUTCOMES:
                self._runs.labels(job, outcome)
        self.registry.register(family)

    @contextmanager
    def run(self, job: str) -> Iterator[None]:
        """Measure one run; `ended` says how it ended."""
        task = self._bounds.of("task", job)
        started = perf_counter()
        self._in_progress.labels(task).inc()
        try:
            yield
        finally:
            self._in_progress.labels(task).dec()
            self._duration.labels(task).observe(perf_counter() - started)

    def ended(self, job: str, outcome: str) -> None:
        """A run has ended so (one of `RUN_OUTCOMES`)."""
        task = self._bounds.of("task", job)
        self._runs.labels(task, self._bounds.of("outcome", outcome)).inc()
        if outcome in ("done", "partial"):
            self._last_success.labels(task).set(time())
        elif outcome == "lost":
            self._leases_lost.labels(task).inc()

    def found(
        self,
        job: str,
        *,
        examined: int,
        changed: int,
        findings: Mapping[str, int],
        bytes_in: int = 0,
        bytes_out: int = 0,
    ) -> None:
        """What a run looked at, changed, found and compressed.

        Findings that `FINDINGS` does not name are left out; bytes among them count as reclaimed, and are no findings.
        """
        task = self._bounds.of("task", job)
        self._examined.labels(task).inc(examined)
        self._changed.labels(task).inc(changed)
        for finding, count in findings.items():
            if finding in names.FINDINGS and not finding.endswith("bytes"):
                self._findings.labels(task, finding).inc(count)
        self._sealing.labels("in").inc(bytes_in)
        self._sealing.labels("out").inc(bytes_out)
        freed = findings.get("bytes", 0) + findings.get("memory_bytes", 0) + max(0, bytes_in - bytes_out)
        self._reclaimed.labels(task).inc(freed)

    def batched(self, job: str, *, size: int, pause_s: float = 0.0) -> None:
        """A batch has ended; the next one takes so many sessions, after such a pause."""
        task = self._bounds.of("task", job)
        self._batches.labels(task).inc()
        self._batch_size.labels(task).set(size)
        self._pause.labels(task).set(pause_s)

    def capacity(self, jobs: int) -> None:
        """So many shard jobs may run at a time in this process."""
        self._capacity.set(jobs)

    def due(self, namespace: str, lags_s: Mapping[str, float]) -> None:
        """By job: for how long the oldest work has been due in a namespace, in seconds; 0 where none is."""
        shown = self._bounds.of("namespace", namespace)
        for job, lag_s in lags_s.items():
            self._oldest_due.labels(self._bounds.of("task", job), shown).set(lag_s)

    def forget(self, namespace: str) -> None:
        """Nobody knows any more what is due in this namespace."""
        for job in (*names.JOB_NAMES, names.OTHER):
            with suppress(KeyError):  # raised by old releases where nothing was shown
                self._oldest_due.remove(job, self._bounds.of("namespace", namespace))

    def enqueued(self, job: str) -> None:
        """A shard job was put into the queue."""
        self._enqueued.labels(self._bounds.of("task", job)).inc()

    def queued(self, jobs: int | None) -> None:
        """So many jobs are in the queue, waiting or running; None: nobody knows."""
        self._queue_jobs.set(nan if jobs is None else jobs)

    def queue_failed(self) -> None:
        """The queue could not be read."""
        self._queue_errors.inc()


class NamespaceMetrics(Collector):
    """The size of namespaces, as somebody told last."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics; see `PrometheusHook`."""
        self.registry = new_registry() if registry is None else registry
        """Where the metrics can be read."""
        self._stats: dict[str, NamespaceStats] = {}
        self.registry.register(self)

    def show(self, stats: NamespaceStats) -> None:
        """Show these numbers from now on. Namespaces beyond the first thousand are left out."""
        if stats.namespace in self._stats or len(self._stats) < names.LABELS["namespace"].most:
            self._stats[stats.namespace] = stats

    def forget(self, namespace: str) -> None:
        """Show nothing of this namespace until somebody tells again: an old number looks like a true one."""
        self._stats.pop(namespace, None)

    def describe(self) -> Iterator[Series]:
        """Names, by which a registry refuses to hold the same metric twice."""
        return self.collect()

    def collect(self) -> Iterator[Series]:
        """Values."""
        known = list(self._stats.values())
        for metric, field in (
            (names.NAMESPACE_SESSIONS, "sessions"),
            (names.NAMESPACE_MESSAGES, "messages"),
            (names.NAMESPACE_BYTES, "bytes"),
            (names.NAMESPACE_SEALED, "sealed"),
            (names.NAMESPACE_SEALED_BYTES, "sealed_bytes"),
            (names.NAMESPACE_SEALED_FROM, "sealed_from_bytes"),
            (names.NAMESPACE_CHANGES, "changes"),
            (names.NAMESPACE_FEED, "feed_length"),
            (names.NAMESPACE_OVERDUE, "overdue"),
            (names.NAMESPACE_TORN, "torn"),
        ):
            yield series(metric, [((stats.namespace,), getattr(stats, field)) for stats in known])
        yield series(names.NAMESPACE_LAG, [((stats.namespace,), stats.lag_ms / 1000) for stats in known])
        yield series(
            names.NAMESPACE_CHECKED,
            [((stats.namespace,), stats.passed_ms.get("reconcile", 0) / 1000) for stats in known],
        )
        yield series(
            names.NAMESPACE_ENTRIES,
            [((stats.namespace, room), count) for stats in known for room, count in stats.rooms.items()],
        )
