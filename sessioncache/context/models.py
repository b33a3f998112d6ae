"""What context updates are to their users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["ContextEntry", "ContextPage", "ContextSaved"]


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One update and where it stands."""

    id: str
    number: int
    """Where it stands among the updates of its session: growing, with gaps."""
    update: Any
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class ContextPage:
    """Some updates of a session, oldest first, as they stood together at one moment."""

    items: tuple[ContextEntry, ...]
    exists: bool
    """False: there is no such session."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""
    count: int
    """How many updates the session has."""
    cursor: str | None
    """Hand this to `list` for the next page; None: this was the last one."""

    def __iter__(self) -> Iterator[ContextEntry]:
        """Iterate over the updates."""
        return iter(self.items)

    def __len__(self) -> int:
        """The number of updates on this page."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class ContextSaved:
    """What a save of updates, or of the state, did."""

    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
