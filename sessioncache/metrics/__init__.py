"""Metrics: what they are called, and the hooks that write them for Prometheus; and spans, by the same hook.

The rule of this package: `prometheus_client` and `opentelemetry` are imported only by those who ask for a hook, so the
names can be read without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from sessioncache.metrics.names import METRICS, Metric

if TYPE_CHECKING:
    from sessioncache.metrics.caches import CacheMetrics
    from sessioncache.metrics.calls import PrometheusHook
    from sessioncache.metrics.family import new_registry, render
    from sessioncache.metrics.otel import OpenTelemetryHook
    from sessioncache.metrics.servers import ServerMetrics
    from sessioncache.metrics.workers import NamespaceMetrics, WorkerMetrics

__all__ = [
    "METRICS",
    "CacheMetrics",
    "Metric",
    "NamespaceMetrics",
    "OpenTelemetryHook",
    "PrometheusHook",
    "ServerMetrics",
    "WorkerMetrics",
    "new_registry",
    "render",
]

LAZY: Final = {
    "CacheMetrics": "caches",
    "NamespaceMetrics": "workers",
    "OpenTelemetryHook": "otel",
    "PrometheusHook": "calls",
    "ServerMetrics": "servers",
    "WorkerMetrics": "workers",
    "new_registry": "family",
    "render": "family",
}
"""What is imported when it is asked for, and from where."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attributes are of any type
    """Import the hooks when they are asked for.

    Raises:
        ConfigurationError: the package that the hook is for is not installed.
    """
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{LAZY[name]}"), name)
