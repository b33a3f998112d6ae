"""Metrics: what they are called, and the hooks that write them for Prometheus.

The rule of this package: `prometheus_client` is imported only by those who ask for a hook, so the names can be read
without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessioncache.metrics.names import METRICS, Metric

if TYPE_CHECKING:
    from sessioncache.metrics.prometheus import (
        NamespaceMetrics,
        NearMetrics,
        PrometheusHook,
        WorkerMetrics,
        new_registry,
        render,
    )

__all__ = [
    "METRICS",
    "Metric",
    "NamespaceMetrics",
    "NearMetrics",
    "PrometheusHook",
    "WorkerMetrics",
    "new_registry",
    "render",
]

LAZY = frozenset(__all__) - {"METRICS", "Metric"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attributes are of any type
    """Import the hooks when they are asked for.

    Raises:
        ConfigurationError: `prometheus_client` is not installed.
    """
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sessioncache.metrics import prometheus  # noqa: PLC0415 - an extra, imported when it is used

    return getattr(prometheus, name)
