"""PromQL for panels: selectors that follow the variables of a dashboard, and the few shapes that panels need.

The rule of this module: a metric is one of the catalogue's, and a query that every worker answers alike takes the
largest answer instead of the sum.
"""

from __future__ import annotations

from sessioncache.metrics.names import Metric

__all__ = [
    "count",
    "increase",
    "increase_of_all",
    "largest",
    "of",
    "of_namespaces",
    "or_zero",
    "quantile",
    "rate",
    "rate_of_all",
    "share",
    "smallest",
    "total",
]

SCOPE = ('job=~"$job"', 'instance=~"$instance"')
NAMESPACE = 'namespace=~"$namespace"'


def of(metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The series of a metric that the reader has chosen."""
    chosen = [*SCOPE, *([NAMESPACE] if "namespace" in metric.labels else []), *matchers]
    return f"{metric.name}{suffix}{{{','.join(chosen)}}}"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


def rate(metric: Metric, *matchers: str, by: str = "", over: str = "$__rate_interval", suffix: str = "") -> str:
    """A counter of each process: all of them together, a second."""
    return f"sum{_by(by)} (rate({of(metric, *matchers, suffix=suffix)}[{over}]))"


def increase(metric: Metric, *matchers: str, by: str = "", over: str = "$__range") -> str:
    """A counter of each process: all of them together, over some time."""
    return f"sum{_by(by)} (increase({of(metric, *matchers)}[{over}]))"


def rate_of_all(metric: Metric, *matchers: str, by: str = "", over: str = "$__rate_interval") -> str:
    """A counter that every worker tells alike: a second."""
    return f"max{_by(by)} (rate({of(metric, *matchers)}[{over}]))"


def increase_of_all(metric: Metric, *matchers: str, by: str = "", over: str = "$__range") -> str:
    """A counter that every worker tells alike: over some time."""
    return f"max{_by(by)} (increase({of(metric, *matchers)}[{over}]))"


def largest(metric: Metric, *matchers: str, by: str = "") -> str:
    """A gauge that every worker tells alike."""
    return f"max{_by(by)} ({of(metric, *matchers)})"


def smallest(metric: Metric, *matchers: str, by: str = "") -> str:
    """As `largest`, where the worst is the smallest."""
    return f"min{_by(by)} ({of(metric, *matchers)})"


def total(metric: Metric, *matchers: str, by: str = "") -> str:
    """A gauge of each process: all of them together."""
    return f"sum{_by(by)} ({of(metric, *matchers)})"


def of_namespaces(metric: Metric, *matchers: str) -> str:
    """A gauge of each namespace, which every worker tells alike: all namespaces together."""
    return f"sum ({largest(metric, *matchers, by='namespace')})"


def count(metric: Metric, *matchers: str) -> str:
    """How many processes tell it."""
    return f"count ({of(metric, *matchers)})"


def quantile(level: float, metric: Metric, *matchers: str, by: str = "") -> str:
    """A quantile of a histogram, over all processes; where nothing was counted there is none, and so no line."""
    buckets = rate(metric, *matchers, by=f"le, {by}" if by else "le", suffix="_bucket")
    return f"histogram_quantile({level}, {buckets}) >= 0"


def share(part: str, whole: str) -> str:
    """A part of a whole: 0 where there is no part, nothing where there is no whole."""
    return f"({part} or {whole} * 0) / {whole}"


def or_zero(part: str, whole: str) -> str:
    """A part that may not be there yet: 0 as long as the whole is."""
    return f"{part} or {whole} * 0"
