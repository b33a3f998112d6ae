"""Typed stubs of plain commands. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.wire.call import Call
from sessioncache.wire.keys import Keyspace, ShardKeys
from sessioncache.wire.replies import flat, whole_number

__all__ = ["clock", "earliest", "passes", "shard_count"]

CHANGES = "feed_seq"


def clock(*, keys: Keyspace) -> Call[int]:
    """TIME of the server that has the namespace's configuration, in milliseconds since 1970."""

    def decode(reply: list[Any]) -> int:
        return int(reply[0]) * 1000 + int(reply[1]) // 1000

    return Call("schedule.clock", "TIME", (), (), decode=decode, routed_by=keys.config)


def shard_count(*, keys: Keyspace) -> Call[int | None]:
    """HGET of the namespace's shard count; None where there is no such namespace."""

    def decode(reply: bytes | None) -> int | None:
        return None if reply is None else int(reply)

    return Call("schedule.shard_count", "HGET", (keys.config,), ("shards",), decode=decode)


def earliest(*, shard: ShardKeys) -> Call[int | None]:
    """ZRANGE of a shard's first deadline."""

    def decode(reply: list[Any]) -> int | None:
        first = flat(reply)
        return int(float(first[1])) if first else None

    return Call("schedule.earliest", "ZRANGE", (shard.deadlines,), (0, 0, "WITHSCORES"), decode=decode)


def passes(*, shard: ShardKeys, jobs: Sequence[str]) -> Call[tuple[int, dict[str, int], dict[str, int]]]:
    """HMGET of a shard's newest change, and by job of the time and the newest change of its last pass."""
    names = [part for job in jobs for part in (f"passed:{job}", f"seen:changes:{job}")]

    def decode(reply: list[bytes | None]) -> tuple[int, dict[str, int], dict[str, int]]:
        # What is damaged was never noted: one field must not keep all jobs from being put in.
        changes, *noted = (None if value is None else whole_number(value) for value in reply)
        times = {job: value for job, value in zip(jobs, noted[::2], strict=True) if value}
        numbers = {job: value for job, value in zip(jobs, noted[1::2], strict=True) if value is not None}
        return changes or 0, times, numbers

    return Call("schedule.passes", "HMGET", (shard.totals,), (CHANGES, *names), decode=decode)
