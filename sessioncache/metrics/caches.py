"""What caches know of themselves: connections, what is on its way, the near-cache, the feed.

The rule of this module: nothing is counted here. Values are read when somebody scrapes, and reading sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from sessioncache.client._async import AsyncSessionCache
from sessioncache.client._sync import SessionCache
from sessioncache.feed.models import Told
from sessioncache.metrics import names
from sessioncache.metrics.family import Collector, CollectorRegistry, Series, new_registry, series

__all__ = ["CacheMetrics"]

Cache: TypeAlias = AsyncSessionCache | SessionCache


class CacheMetrics(Collector):
    """Connections, calls on their way, near-cache and feed of caches: `CacheMetrics(cache, registry=registry)`."""

    def __init__(self, *caches: Cache, registry: CollectorRegistry | None = None) -> None:
        """Show the sums over some caches, as they are when somebody looks.

        Args:
            caches: any number. They are held on to, so that counters never go back: `add` those that come later.
            registry: where to show them; None makes one, which is then `self.registry`.
        """
        self.registry = new_registry() if registry is None else registry
        """Where the metrics can be read."""
        self._caches = list(caches)
        self.registry.register(self)

    def add(self, cache: Cache) -> None:
        """Show one more cache from now on."""
        self._caches.append(cache)

    def describe(self) -> Iterator[Series]:
        """Names, by which a registry refuses to hold the same metric twice."""
        return self.collect()

    def collect(self) -> Iterator[Series]:
        """Values."""
        states = [cache.connection for cache in self._caches]
        reads, writes = sum(state.reads for state in states), sum(state.writes for state in states)
        yield series(names.CALLS_IN_PROGRESS, [(("read",), reads), (("write",), writes)])
        yield from self._traffic()
        yield from self._near()
        # A feed that nobody has asked for yet is not made for this.
        told = [vars(cache)["feed"].told if "feed" in vars(cache) else Told() for cache in self._caches]
        yield series(names.FEED_CHANGES, [((), sum(one.changes for one in told))])
        yield series(names.FEED_GAPS, [((), sum(one.gaps for one in told))])

    def _traffic(self) -> Iterator[Series]:
        traffic = [cache.connection.traffic for cache in self._caches]
        lines = [line for one in traffic for line in one.lines]
        for metric, value in (
            (names.CONNECTIONS, len(lines)),
            (names.CONNECTIONS_OPENED, sum(one.opened for one in traffic)),
            (names.CONNECTIONS_LOST, sum(one.lost for one in traffic)),
            (names.CONNECTION_SENT, sum(one.sent_bytes for one in traffic)),
            (names.CONNECTION_RECEIVED, sum(one.received_bytes for one in traffic)),
            (names.COMMANDS_IN_FLIGHT, sum(line.in_flight for line in lines)),
            (names.COMMANDS_WINDOW, sum(line.window for line in lines)),
            (names.COMMANDS_WAITING, sum(line.waiting for line in lines)),
        ):
            yield series(metric, [((), value)])

    def _near(self) -> Iterator[Series]:
        kept = [cache.near for cache in self._caches if cache.near is not None]
        hits, misses = sum(near.hits for near in kept), sum(near.misses for near in kept)
        yield series(names.NEAR_READS, [(("hit",), hits), (("miss",), misses)])
        for metric, value in (
            (names.NEAR_DROPPED, sum(near.invalidations for near in kept)),
            (names.NEAR_VALUES, sum(near.entries for near in kept)),
            (names.NEAR_BYTES, sum(near.bytes for near in kept)),
            (names.NEAR_BYTES_MAX, sum(near.bytes_max for near in kept)),
        ):
            yield series(metric, [((), value)])
