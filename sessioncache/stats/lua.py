"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from sessioncache.stats.models import ShardStats
from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import ShardKeys
from sessioncache.wire.script import load_script

__all__ = ["read"]


def read(*, shard: ShardKeys, now_override_ms: int | None) -> Call[ShardStats]:
    """`stats/read.lua`."""
    keys = (shard.totals, shard.by_updated, shard.deadlines, shard.feed)
    args = (optional(now_override_ms),)
    return Call(
        "stats.read", load_script("stats.read"), keys, args, decode=lambda reply: ShardStats(shard.index, *reply)
    )
