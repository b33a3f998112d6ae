"""What is known of background work, and of what waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Agenda", "ShardAgenda"]


@dataclass(frozen=True, slots=True)
class ShardAgenda:
    """One shard. Times are of the server, in milliseconds since 1970."""

    earliest_ms: int | None
    """The earliest deadline of a session; None where no session has one."""
    changes: int
    """Number of the newest change; 0: nothing was ever written there."""
    passed_ms: Mapping[str, int]
    """By job: when it last came to the end of the shard; jobs that never did are not in it."""
    passed_changes: Mapping[str, int]
    """By job: the number of the newest change when it began to."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What the server knows of a namespace's background work."""

    now_ms: int
    """The server's time, in milliseconds since 1970."""
    shard_count: int | None
    """What the namespace has now; None: there is no such namespace any more."""
    shards: Sequence[ShardAgenda]
