"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.stats.models import ShardStats
from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import RoomName, ShardKeys
from sessioncache.wire.script import load_script

__all__ = ["read"]


def read(*, shard: ShardKeys, now_override_ms: int | None, rooms: Sequence[RoomName]) -> Call[ShardStats]:
    """`stats/read.lua`."""
    keys = (shard.totals, shard.by_updated, shard.deadlines, shard.feed)
    args = (optional(now_override_ms), *rooms)

    def decode(reply: list[Any]) -> ShardStats:
        reply[-1] = dict(zip(rooms, reply[-1], strict=True))
        return ShardStats(shard.index, *reply)

    return Call("stats.read", load_script("stats.read"), keys, args, decode=decode)
