# Generated from sessioncache/schedule/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.schedule`, for workers and nobody else.

The rule of this module: all times are the server's. Two workers whose clocks differ by an hour see the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from sessioncache.schedule import lua
from sessioncache.schedule.models import Agenda, ShardAgenda
from sessioncache.transport.base import Transport
from sessioncache.wire.keys import Keyspace

__all__ = ["Schedule"]


class Schedule:
    """What background work there is to do."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def look(self, jobs: Sequence[str]) -> Agenda:
        """How these jobs stand on every shard. One pipelined round trip, two small commands a shard, no script."""
        now_ms, shard_count, *found = self._transport.call_many(
            [
                lua.clock(keys=self._keys),
                lua.shard_count(keys=self._keys),
                *(lua.earliest(shard=shard) for shard in self._keys),
                *(lua.passes(shard=shard, jobs=jobs) for shard in self._keys),
            ]
        )
        now_ms = now_ms if self._keys.now_override_ms is None else self._keys.now_override_ms
        count = self._keys.shards
        shards = [ShardAgenda(at_ms, *passes) for at_ms, passes in zip(found[:count], found[count:], strict=True)]
        return Agenda(now_ms, shard_count, shards)

    def changes(self, shard: int) -> int:
        """Number of a shard's newest change; 0: nothing was ever written there."""
        changes, _times, _numbers = self._transport.call(lua.passes(shard=self._keys.shard(shard), jobs=()))
        return changes
