"""What stats tell."""

from __future__ import annotations

from dataclasses import dataclass, field

from sessioncache.wire.keys import RoomName

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

    @property
    def entries(self) -> int:
        """Entries of all rooms together."""
        return sum(self.rooms.values())
