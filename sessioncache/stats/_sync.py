# Generated from sessioncache/stats/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.stats`."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter
from typing import Final

from sessioncache.errors import BackendError, SessionCacheError
from sessioncache.stats import lua
from sessioncache.stats.models import NamespaceStats, ShardStats
from sessioncache.stats.server import ServerStats
from sessioncache.transport.base import Transport
from sessioncache.types import JOB_NAMES
from sessioncache.wire.keys import ROOMS, Keyspace, ShardKeys

__all__ = ["Stats"]

OTHERS: Final = (*ROOMS, *lua.SEEN, *(f"passed:{job}" for job in JOB_NAMES))
"""What is read of a shard's totals besides the fixed ones."""

SHARDS_ASKED_MAX: Final = 256


class Stats:
    """Totals, in one pipelined round trip over the shards, whatever the namespace holds."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def get(self) -> NamespaceStats:
        """The namespace's totals. Exact in each shard at one moment, not across shards."""
        return NamespaceStats.of(self._keys.namespace, self.shards())

    def shards(self) -> list[ShardStats]:
        """The totals of every shard."""
        calls = [
            lua.read(shard=shard, now_override_ms=self._keys.now_override_ms, others=OTHERS) for shard in self._keys
        ]
        return self._transport.call_many(calls)

    def servers(self) -> list[ServerStats]:
        """What the primaries that hold the namespace tell about themselves (INFO), in the order of their first shards.

        One round trip to a single server; to a cluster, one that asks who holds what, and one for each primary. A
        primary of a cluster that does not answer is left out. Of more than 256 shards, 256 are asked for.

        Raises:
            BackendError: the server is away, or forbids INFO.
        """
        count = self._keys.shards
        asked = [self._keys.shard(number) for number in range(0, count, max(1, count // SHARDS_ASKED_MAX))]
        first = self._server(asked[0], 0)
        if not first.is_cluster or len(asked) == 1:
            return [first]
        answers = self._transport.call_many(
            [lua.info(shard=shard, section="server") for shard in asked], return_errors=True
        )
        holders: dict[str, ShardKeys] = {}
        for shard, told in zip(asked, answers, strict=True):
            if not isinstance(told, SessionCacheError):
                holders.setdefault(told.get("run_id", ""), shard)
        found: list[ServerStats] = []
        for node, shard in enumerate(holders.values()):
            with suppress(BackendError):
                found.append(self._server(shard, node))
        return found

    def _server(self, shard: ShardKeys, node: int) -> ServerStats:
        started = perf_counter()
        info = self._transport.call(lua.info(shard=shard, section="default"))
        return ServerStats.of(info, node=node, response_s=perf_counter() - started)
