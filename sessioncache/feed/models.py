"""What the feed tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sessioncache.types import JSONObject

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change of one session."""

    kind: str
    """`session.saved`, `session.updated`, `session.deleted`, `session.expired`, `transcript.appended`, …: the EMITS
    lines of the scripts."""
    session_id: str
    revision: int
    """Revision of the session after the change."""
    at: datetime
    """The server's time of the change."""
    shard: int
    number: int
    """Number of the change within its shard: consecutive, in the order of commits."""
    details: JSONObject
    """What changed, as text by name: `first_seq` and `last_seq` of new messages, `title`, `title_version`, `pinned` and
    `metadata_version` after an edit, …"""
