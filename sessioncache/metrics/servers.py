"""What servers tell about themselves, shown by whoever asks them: nobody needs another exporter for it.

The rule of this module: a server is known by its number, never by its address, so that a fleet that moves about makes
no new series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sessioncache.metrics import names
from sessioncache.metrics.family import Bounds, Collector, CollectorRegistry, Series, new_registry, series
from sessioncache.metrics.names import Metric
from sessioncache.stats import ServerStats

__all__ = ["ServerMetrics"]

PLAIN: Final[dict[Metric, str]] = {
    names.SERVER_RESPONSE: "response_s",
    names.SERVER_UPTIME: "uptime_s",
    names.SERVER_MEMORY: "memory_used",
    names.SERVER_MEMORY_RSS: "memory_resident",
    names.SERVER_MEMORY_MAX: "memory_max",
    names.SERVER_KEYS: "keys",
    names.SERVER_EVICTED: "evicted_keys",
    names.SERVER_EXPIRED: "expired_keys",
    names.SERVER_DENIED: "denied_commands",
    names.SERVER_CLIENTS: "clients",
    names.SERVER_CLIENTS_MAX: "clients_max",
    names.SERVER_CLIENTS_BLOCKED: "clients_blocked",
    names.SERVER_CLIENTS_REJECTED: "rejected_connections",
    names.SERVER_REPLICAS: "replicas",
    names.SERVER_REPLICA_LAG: "replica_lag_s",
    names.SERVER_REPLICA_BEHIND: "replica_behind",
    names.SERVER_COMMANDS: "commands",
    names.SERVER_LAST_SAVE: "last_save_s",
}
"""Metrics with the node as their only label, and the field that they show."""

NODES_MAX: Final = 1_000


class ServerMetrics(Collector):
    """Memory, work, clients, replicas and files of servers, as somebody told last."""

    def __init__(
        self, registry: CollectorRegistry | None = None, *, watermarks: Mapping[str, float] | None = None
    ) -> None:
        """Make the metrics; see `PrometheusHook`.

        Args:
            registry: where to show them; None makes one, which is then `self.registry`.
            watermarks: shares of maxmemory, by `high` and `low`: where relief begins, and where it ends.
        """
        self.registry = new_registry() if registry is None else registry
        """Where the metrics can be read."""
        self._watermarks = dict(watermarks or {})
        self._servers: dict[int, ServerStats] = {}
        self._known: set[int] = set()
        self._bounds = Bounds()
        self.registry.register(self)

    def show(self, servers: Sequence[ServerStats]) -> None:
        """Show these from now on; one that was shown before and is not among them is down."""
        self._servers = {server.node: server for server in servers if server.node < NODES_MAX}
        self._known |= set(self._servers)

    def forget(self) -> None:
        """Nobody answers: all that is known is that they are down."""
        self._known |= {0}
        self._servers = {}

    def describe(self) -> Iterator[Series]:
        """Names, by which a registry refuses to hold the same metric twice."""
        return self.collect()

    def collect(self) -> Iterator[Series]:
        """Values."""
        servers = {str(node): server for node, server in sorted(self._servers.items())}
        yield series(names.SERVER_UP, [((str(node),), float(str(node) in servers)) for node in sorted(self._known)])
        yield series(names.SERVER_INFO, [(self._info(node, server), 1.0) for node, server in servers.items()])
        for metric, field in PLAIN.items():
            yield series(metric, [((node,), getattr(server, field)) for node, server in servers.items()])
        yield series(
            names.SERVER_WATERMARK,
            [
                ((node, level), server.memory_max * share)
                for node, server in servers.items()
                for level, share in self._watermarks.items()
                if server.memory_max is not None
            ],
        )
        yield series(
            names.SERVER_CPU,
            [((node, mode), spent) for node, server in servers.items() for mode, spent in server.cpu_s.items()],
        )
        yield series(
            names.SERVER_NETWORK,
            [((node, way), count) for node, server in servers.items() for way, count in server.network.items()],
        )
        yield series(
            names.SERVER_PERSISTENCE,
            [
                ((node, file), None if is_ok is None else float(is_ok))
                for node, server in servers.items()
                for file, is_ok in (("aof", server.aof_ok), ("rdb", server.rdb_ok))
            ],
        )

    def _info(self, node: str, server: ServerStats) -> tuple[str, ...]:
        told = (server.product or "", server.version or "", server.role or "", server.policy or "")
        return (node, *self._bounds.all_of(names.SERVER_INFO.labels[1:], told))
