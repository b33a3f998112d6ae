"""What checkpoints are to their users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sessioncache.types import datetime_from_ms

__all__ = ["Checkpoint", "CheckpointSaved"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A snapshot, and where it lies."""

    id: str
    session_id: str
    saved_us: int
    """When the server took it, in microseconds since 1970."""
    snapshot: Any
    """Any JSON value."""

    @property
    def saved_at(self) -> datetime:
        """When the server took it, to the millisecond."""
        return datetime_from_ms(self.saved_us // 1000)


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """What a save of a checkpoint did."""

    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    count: int
    """How many checkpoints the session has now."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
