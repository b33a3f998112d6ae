"""What a source gives out: sessions, what could not be read, and what is wrong with parts of a session.

The rule of this module: whatever is said to people carries the name of the file, key or row that it is about.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

__all__ = ["Problem", "Source", "SourceSession", "Unreadable"]

S_co = TypeVar("S_co", bound="SourceSession", covariant=True)


@dataclass(frozen=True, slots=True)
class Problem:
    """One part of a source that cannot be imported."""

    name: str
    """Which file, key, row or line."""
    why: str
    kind: str
    """What would have been counted: `messages`, `entries`, `traces` …; `sessions` for a whole one."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A session that cannot be read at all."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSession:
    """A session as the source has it."""

    name: str
    """Which file, key or row it comes from."""
    id: str
    """Its id in the store that it is imported into."""
    digest: str
    """Of everything that is imported; another one later means that the source has changed."""
    counts: Mapping[str, int]
    """How many of each kind there are to import."""
    origin: str = ""
    """Which file or server, where another one may hold another session of the same id; empty: ids are unique."""
    user: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    problems: tuple[Problem, ...] = ()
    """Parts that cannot be imported; the rest can."""
    notes: tuple[str, ...] = ()
    """What the original would have tolerated as well, and people may want to know."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Parts that are left out on purpose, by kind; a note says why."""


class Source(Protocol[S_co]):
    """Where sessions come from. Reads only."""

    @property
    def name(self) -> str:
        """What to call it: a path, or a URL without its password."""

    async def count(self) -> int | None:
        """About how many sessions there are, for a progress bar; None: not known."""

    def sessions(self) -> AsyncIterator[S_co | Unreadable]:
        """Every session, one after another, in an order that does not change between two runs."""

    def notes(self) -> list[str]:
        """What is in the source and cannot be imported; complete once `sessions` has ended."""

    async def aclose(self) -> None:
        """Close files and connections."""
