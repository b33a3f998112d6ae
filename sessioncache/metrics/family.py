"""What every object with metrics is made of: instruments of its own, labels that take few values, one collector.

The rule of this module: every object has metrics of its own and puts them into the registry it is given, so that two
caches, or two tests, in one process share nothing. There are no `_created` series: they double what is stored for
nothing that `rate()` needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.metrics_core import Metric as Series
    from prometheus_client.registry import Collector
except ImportError as error:
    from sessioncache.errors import ConfigurationError

    raise ConfigurationError(
        "metrics need prometheus-client, which is not installed: pip install 'sessioncache[metrics]'"
    ) from error

from sessioncache.metrics.names import LABELS, OTHER, Metric

__all__ = ["Bounds", "Collector", "CollectorRegistry", "Family", "Series", "new_registry", "render", "series"]

Instrument: TypeAlias = Counter | Gauge | Histogram

VALUE_MAX: Final = 100
"""Longest value of a label, in characters."""


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


class Bounds:
    """Keeps labels to the values that `LABELS` declares; everything else is `other`."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def of(self, label: str, value: str) -> str:
        """The value, or `other`."""
        declared = LABELS[label]
        if declared.values is not None:
            return value if value in declared.values else OTHER
        seen = self._seen.setdefault(label, set())
        if value not in seen:
            if len(seen) >= declared.most or not 0 < len(value) <= VALUE_MAX or not value.isprintable():
                return OTHER
            seen.add(value)
        return value

    def all_of(self, labels: Iterable[str], values: Iterable[str]) -> tuple[str, ...]:
        """The values of several labels."""
        return tuple(self.of(label, value) for label, value in zip(labels, values, strict=True))


class Family(Collector):
    """Metrics of one object, as one collector: it shows them without `_created` series."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self.registry = new_registry() if registry is None else registry
        """Where the metrics can be read."""
        self.bounds = Bounds()
        self._instruments: list[Instrument] = []

    def counter(self, metric: Metric) -> Counter:
        """A counter of its own."""
        made = Counter(metric.name, metric.help, metric.labels, registry=None)
        self._instruments.append(made)
        return made

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge of its own."""
        made = Gauge(metric.name, metric.help, metric.labels, registry=None, multiprocess_mode="max")
        self._instruments.append(made)
        return made

    def histogram(self, metric: Metric) -> Histogram:
        """A histogram of its own."""
        made = Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=None)
        self._instruments.append(made)
        return made

    def describe(self) -> Iterable[Series]:
        """Names, by which a registry refuses to hold the same metric twice."""
        return [series for instrument in self._instruments for series in instrument.describe()]

    def collect(self) -> Iterator[Series]:
        """Values."""
        for instrument in self._instruments:
            for shown in instrument.collect():
                shown.samples = [sample for sample in shown.samples if not sample.name.endswith("_created")]
                yield shown


def series(metric: Metric, samples: Iterable[tuple[tuple[str, ...], float | None]]) -> Series:
    """A metric whose values somebody else counted: label values, each with a number; None is not shown."""
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    made = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        if value is not None:
            made.add_metric(list(labels), value)
    return made
