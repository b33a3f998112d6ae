"""What the steps of background work answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from sessioncache.types import SessionId
from sessioncache.wire.keys import ROOMS, RoomName, escape

__all__ = [
    "COUNTED",
    "LINKED_ROOMS",
    "NO_SKIP",
    "ArchiveState",
    "Counters",
    "Evicted",
    "Expired",
    "ListName",
    "NodeMemory",
    "Reindexed",
    "RoomPart",
    "SealedSize",
    "ShardLease",
    "StoredPart",
    "Totals",
    "Trimmed",
    "View",
    "Walk",
    "Walks",
]

ListName: TypeAlias = Literal["by-updated", "deadlines"]
"""The lists of a shard whose members are ids."""


COUNTED: Final = ("messages", "bytes", *ROOMS)
"""What the record of a session and the totals of its shard both count."""

Counters: TypeAlias = tuple[int, ...]
"""How many, in the order of `COUNTED`."""


NO_SKIP: Final = (0, 0, 0, 0, "")
"""Chunks, sequence number, messages, bytes and the head of the transcript: a call begins at the first message."""

LINKED_ROOMS: Final[dict[RoomName, str]] = {"checkpoints": "c", "workspaces": "w", "sources": "f"}
"""Rooms whose entries the shard's links name, and the kind of their rows."""


@dataclass(frozen=True, slots=True)
class RoomPart:
    """A part of a session's room, to be compared with the links."""

    session_id: SessionId
    room: RoomName
    cursor: str = ""
    """Where it begins; empty: at the start."""


@dataclass(frozen=True, slots=True)
class ShardLease:
    """A lease on a shard that is held, for background work."""

    shard: int
    job: str
    """What is done under it: one lease a shard and job."""
    holder: str
    token: int
    """Fencing token: grows with every acquisition. Scripts refuse a token that is not the newest."""
    until_ms: int
    """When it runs out, in the server's milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What the sweep of one session did."""

    outcome: Literal["expired", "vanished", "kept", "unarchived"]
    """Removed; only index entries were left and are removed; or it stays: it was extended meanwhile, or has to be
    archived first."""
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """What a record says that decides about archiving it."""

    gen: str
    revision: int
    deadline_ms: int
    ttl_ms: int
    mark: str
    """As what it was archived last; empty: never."""
    head: str
    """How its messages are kept: another text after some were sealed, opened or replaced."""

    @property
    def moment(self) -> tuple[str, int, str]:
        """What is another one after any write, and after messages were sealed or opened."""
        return self.gen, self.revision, self.head

    @property
    def is_archived(self) -> bool:
        """Whether it was archived as it is now."""
        return self.mark == f"{self.gen} {self.revision}"


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of what lies in a session's keys, as it lies there."""

    part: Literal["record", "messages", "hash", "zset", "list"]
    room: str
    """Whose key it is from; empty: the record, or the transcript."""
    suffix: str
    """That key, behind the record's name."""
    values: tuple[bytes, ...]
    """Fields and values, members and scores, or items; of messages: number, time, mark and payload."""


@dataclass(frozen=True, slots=True)
class Evicted:
    """What came of one session that was to make room."""

    outcome: Literal["evicted", "expired", "vanished", "kept", "pinned", "leased"]
    """Removed; removed, for its deadline had passed; only index entries were left and are removed; or it stays: it was
    written to meanwhile, is pinned, or somebody holds its lease."""
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """What a server says about its memory."""

    node: str
    """Which server it is: another one after a restart."""
    used: int
    """In bytes, as far as it counts towards the limit."""
    limit: int
    """maxmemory, in bytes; 0: none."""
    pending: int
    """Values that are removed, and freed in the background."""
    is_cluster: bool
    """Whether other shards may be on other servers."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What trimming one transcript did."""

    messages: int
    bytes: int
    more: bool
    """Whether there is more to trim than one call does."""
    skip: tuple[int, int, int, int, str] = NO_SKIP
    """What the next call is to skip: what this one has looked at, and left."""
    cutoff_ms: int = 0
    """Messages before this time are in the first chunk of what is sealed, with others; 0: there are none."""


@dataclass(frozen=True, slots=True)
class SealedSize:
    """What is compressed."""

    messages: int = 0
    from_bytes: int = 0
    """About how many bytes these messages had."""
    bytes: int = 0
    """About how many they take now."""

    def __add__(self, other: SealedSize) -> SealedSize:
        """Both together."""
        return SealedSize(self.messages + other.messages, self.from_bytes + other.from_bytes, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What the comparison of one record with its shard's lists found."""

    state: Literal["live", "gone", "torn"]
    sealed: SealedSize
    repaired: tuple[str, ...]
    """Lists that were wrong and are right now: `by-updated`, `by-user`, `deadlines`."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A shard's totals, as they are stored."""

    FIELDS: ClassVar = ("feed_seq", "settled", "sessions", *COUNTED)

    feed_seq: int
    """Number of the newest change."""

    settled: int
    """How often the totals were corrected."""

    sessions: int
    counted: Counters

    damaged: tuple[str, ...] = ()
    """Fields that hold no whole number; they count as 0."""


@dataclass(frozen=True, slots=True)
class View:
    """A shard's totals, and the records of what was changed, at one moment."""

    totals: Totals
    first: int
    """Number of the first change that was looked at; 0: there was none."""
    last: int
    counters: dict[SessionId, Counters | None]
    """What the records of the changed sessions count; None where there is none."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a job has come through a shard's sessions, oldest write first."""

    at_ms: int = 0
    """Time of the last session that was looked at."""
    member: str = ""
    """Its escaped id: sessions of one time stand in the order of these."""

    def after(self, found: Sequence[tuple[SessionId, int]]) -> Walk:
        """Where the walk goes on behind these."""
        return Walk(found[-1][1], escape(found[-1][0])) if found else self

    def is_ahead(self, session_id: SessionId, at_ms: int) -> bool:
        """Whether the walk has not come to a session yet."""
        return (at_ms, escape(session_id)) > (self.at_ms, self.member)


@dataclass(frozen=True, slots=True)
class Walks:
    """How far sealing has come in a shard."""

    FIELDS: ClassVar = ("idle_ms", "idle_id", "busy_ms", "busy_id", "began_ms")

    idle: Walk = Walk()
    """Through sessions that nobody has written to for long."""
    busy: Walk = Walk()
    """Through all others."""
    began_ms: int = 0
    """When the first of the two began at the oldest session."""

    def values(self) -> tuple[int | str, ...]:
        """The values of `FIELDS`."""
        return (self.idle.at_ms, self.idle.member, self.busy.at_ms, self.busy.member, self.began_ms)
