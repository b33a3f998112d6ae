"""What documents are to their users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["DocumentSet", "DocumentsSaved"]


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """DocumentSet of a session, as they stood together at one moment."""

    values: dict[str, Any]
    """Those that there are, of those asked for, by name: any JSON values."""
    exists: bool
    """False: there is no such session."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""


@dataclass(frozen=True, slots=True)
class DocumentsSaved:
    """What a save of documents did."""

    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    count: int
    """How many documents the session has now."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
