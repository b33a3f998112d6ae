"""What the feed tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sessioncache.types import JSONObject, datetime_from_ms

__all__ = ["Change", "FeedRead", "Told"]


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change of one session."""

    kind: str
    """`session.saved`, `session.updated`, `session.deleted`, `session.expired`, `transcript.appended`, …: the EMITS
    lines of the scripts."""
    session_id: str
    revision: int
    """Revision of the session after the change."""
    ms: int
    """The server's time of the change, in milliseconds since 1970."""
    shard: int
    number: int
    """Number of the change within its shard: consecutive, in the order of commits."""
    details: JSONObject
    """What changed, as text by name: `first_seq` and `last_seq` of new messages, `title`, `title_version`, `pinned` and
    `metadata_version` after an edit, …"""

    @property
    def at(self) -> datetime:
        """The server's time of the change."""
        return datetime_from_ms(self.ms)


@dataclass(frozen=True, slots=True)
class FeedRead:
    """What was read of one shard's feed, in one moment."""

    newest: tuple[int, int]
    """Number and time of the newest change."""
    changes: list[Change]
    diverged: bool
    """Whether another change has the number that was read before: the server lost some, and gave numbers out again."""


@dataclass(slots=True)
class Told:
    """How much the subscribers of one cache were told."""

    changes: int = 0
    gaps: int = 0
    """How often changes had been lost before they were read."""
