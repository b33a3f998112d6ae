"""What stats tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sessioncache.types import JOB_NAMES
from sessioncache.wire.keys import ROOMS, RoomName

__all__ = ["NamespaceStats", "ShardStats"]


@dataclass(frozen=True, slots=True)
class ShardStats:
    """The totals of one shard."""

    shard: int
    sessions: int
    """Sessions in the totals, overdue ones included."""
    messages: int
    bytes: int
    """Bytes of messages as they are stored."""
    feed_seq: int
    """Number of the newest change."""
    indexed: int
    """Sessions in the listing index."""
    overdue: int
    """Sessions past their deadline that no worker has swept yet; they are absent already."""
    oldest_due_ms: int
    """Earliest deadline of the shard, milliseconds since 1970; 0: none has one."""
    feed_length: int
    now_ms: int
    """The server's time of the answer."""
    rooms: dict[RoomName, int] = field(default_factory=dict)
    """Entries of all sessions in each room, overdue ones included."""
    sealed: int = 0
    """Messages that are compressed, as the last pass of `reconcile` saw it."""
    sealed_from_bytes: int = 0
    """About how many bytes these had, likewise."""
    sealed_bytes: int = 0
    """About how many they take, likewise."""
    torn: int = 0
    """Sessions whose record disagrees with their transcript or a room, likewise."""
    passed_ms: dict[str, int] = field(default_factory=dict)
    """By job: when it last came to the end of the shard, in the server's milliseconds since 1970."""

    @property
    def entries(self) -> int:
        """Entries of all rooms together."""
        return sum(self.rooms.values())


@dataclass(frozen=True, slots=True)
class NamespaceStats:
    """The totals of a namespace."""

    namespace: str
    shards: int
    sessions: int
    """Live sessions: overdue ones are not counted."""
    messages: int
    """Messages, those of overdue sessions included until they are swept."""
    bytes: int
    """Bytes of messages, likewise."""
    overdue: int
    """Sessions past their deadline that no worker has swept yet."""
    lag_ms: int
    """For how long the oldest of them has been overdue; 0: none is."""
    changes: int
    """Changes ever published in the feed."""
    rooms: dict[RoomName, int] = field(default_factory=dict)
    """Entries in each room (documents, context updates, …), those of overdue sessions included until they are swept."""
    sealed: int = 0
    """Messages that are compressed, as the last pass of `reconcile` over each shard saw it."""
    sealed_from_bytes: int = 0
    """About how many bytes these had, likewise."""
    sealed_bytes: int = 0
    """About how many they take, likewise."""
    torn: int = 0
    """Sessions whose record disagrees with their transcript or a room, likewise."""
    feed_length: int = 0
    """Changes that the feed still holds."""
    passed_ms: dict[str, int] = field(default_factory=dict)
    """By job: when it had come to the end of every shard, in the server's milliseconds since 1970; jobs that have not
    are not in it."""

    @classmethod
    def of(cls, namespace: str, shards: Sequence[ShardStats]) -> NamespaceStats:
        """The totals of these shards, which are all that the namespace has."""
        lags = [shard.now_ms - shard.oldest_due_ms for shard in shards if 0 < shard.oldest_due_ms <= shard.now_ms]
        passed = {job: [shard.passed_ms.get(job, 0) for shard in shards] for job in JOB_NAMES}
        return cls(
            namespace=namespace,
            shards=len(shards),
            sessions=sum(shard.sessions - shard.overdue for shard in shards),
            messages=sum(shard.messages for shard in shards),
            bytes=sum(shard.bytes for shard in shards),
            overdue=sum(shard.overdue for shard in shards),
            lag_ms=max(lags, default=0),
            changes=sum(shard.feed_seq for shard in shards),
            rooms={room: sum(shard.rooms.get(room, 0) for shard in shards) for room in ROOMS},
            sealed=sum(shard.sealed for shard in shards),
            sealed_from_bytes=sum(shard.sealed_from_bytes for shard in shards),
            sealed_bytes=sum(shard.sealed_bytes for shard in shards),
            torn=sum(shard.torn for shard in shards),
            feed_length=sum(shard.feed_length for shard in shards),
            passed_ms={job: min(times) for job, times in passed.items() if all(times)},
        )

    @property
    def entries(self) -> int:
        """Entries of all rooms together."""
        return sum(self.rooms.values())
