# Generated from sessioncache/stats/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.stats`."""

from __future__ import annotations

from sessioncache.stats import lua
from sessioncache.stats.models import NamespaceStats, ShardStats
from sessioncache.transport.base import Transport
from sessioncache.wire.keys import ROOMS, Keyspace

__all__ = ["Stats"]


class Stats:
    """Totals, in one pipelined round trip over the shards, whatever the namespace holds."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def get(self) -> NamespaceStats:
        """The namespace's totals. Exact in each shard at one moment, not across shards."""
        shards = self.shards()
        lags = [shard.now_ms - shard.oldest_due_ms for shard in shards if 0 < shard.oldest_due_ms <= shard.now_ms]
        return NamespaceStats(
            namespace=self._keys.namespace,
            shards=self._keys.shards,
            sessions=sum(shard.sessions - shard.overdue for shard in shards),
            messages=sum(shard.messages for shard in shards),
            bytes=sum(shard.bytes for shard in shards),
            overdue=sum(shard.overdue for shard in shards),
            lag_ms=max(lags, default=0),
            changes=sum(shard.feed_seq for shard in shards),
            rooms={room: sum(shard.rooms[room] for shard in shards) for room in ROOMS},
        )

    def shards(self) -> list[ShardStats]:
        """The totals of every shard."""
        calls = [
            lua.read(shard=shard, now_override_ms=self._keys.now_override_ms, rooms=tuple(ROOMS))
            for shard in self._keys
        ]
        return self._transport.call_many(calls)
