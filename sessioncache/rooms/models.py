"""What a room holds, and what its scripts answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["RoomEntry", "RoomPage", "RoomRemoved", "RoomSaved", "RoomUpdated"]


@dataclass(frozen=True, slots=True)
class RoomEntry:
    """One entry as it is stored."""

    number: int
    """Where it stands among the entries of its room: growing, with gaps."""
    id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class RoomPage:
    """Some entries of a room, as they stood together at one moment."""

    items: tuple[RoomEntry, ...]
    """In the order asked for."""
    exists: bool
    """False: there is no such session."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""
    count: int
    """How many entries the whole room has."""

    def __iter__(self) -> Iterator[RoomEntry]:
        """Iterate over the entries."""
        return iter(self.items)

    def __len__(self) -> int:
        """The number of entries on this page."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class RoomSaved:
    """What a save of entries did."""

    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    count: int
    """How many entries the room has now."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""


@dataclass(frozen=True, slots=True)
class RoomUpdated:
    """What an edit of one entry did."""

    found: bool
    """False: there is no such session or entry."""
    changed: bool
    """False: everything was so already, and nothing was written or published."""
    revision: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class RoomRemoved:
    """What a removal of entries did."""

    removed: int
    """How many of the given ids were there."""
    revision: int
    count: int
    """How many entries the room has now."""
    repeated: bool
