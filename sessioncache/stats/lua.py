"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sessioncache.stats.models import ShardStats
from sessioncache.types import JOB_NAMES
from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import ROOMS, ShardKeys
from sessioncache.wire.script import load_script

__all__ = ["SEEN", "info", "read"]

SEEN: Final = ("seen:sealed", "seen:sealed_from_bytes", "seen:sealed_bytes", "seen:torn")
"""What jobs note in the totals, in the order of the fields of `ShardStats`."""


def info(*, shard: ShardKeys, section: str) -> Call[dict[str, str]]:
    """INFO of a section, from the primary that has the shard."""

    def decode(reply: bytes) -> dict[str, str]:
        lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if ":" in line)
        return {name: value for name, _, value in lines}

    return Call("stats.info", "INFO", (), (section,), decode=decode, routed_by=shard.totals)


def read(*, shard: ShardKeys, now_override_ms: int | None, others: Sequence[str]) -> Call[ShardStats]:
    """`stats/read.lua`."""
    keys = (shard.totals, shard.by_updated, shard.deadlines, shard.feed)
    args = (optional(now_override_ms), *others)

    def decode(reply: list[Any]) -> ShardStats:
        *known, counts = reply
        found = dict(zip(others, counts, strict=True))
        rooms = {room: found[room] for room in ROOMS if room in found}
        passed = {job: found[f"passed:{job}"] for job in JOB_NAMES if found.get(f"passed:{job}")}
        seen = (found.get(name, 0) for name in SEEN)
        noted: tuple[Any, ...] = (rooms, *seen, passed)
        return ShardStats(shard.index, *known, *noted)

    return Call("stats.read", load_script("stats.read"), keys, args, decode=decode)
