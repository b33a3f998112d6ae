"""The retention policy of a namespace, and what a single session may say instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RetentionPolicy", "SessionRetention", "SessionRetentionUpdated"]

DAY_MS = 86_400_000


class RetentionPolicy(BaseModel):
    """How a namespace keeps its sessions. The defaults are those of `load_policy.lua`; a test compares them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttl_ms: int = Field(default=7 * DAY_MS, ge=0)
    """Time from the last write to the deadline, in milliseconds; 0: sessions do not expire."""
    keep_pinned: bool = True
    """Pinned sessions have no deadline and are not trimmed."""
    slide_on_read: bool = False
    """Reads move the deadline too."""
    keep_messages: int = Field(default=0, ge=0)
    """Workers trim transcripts to about so many messages, oldest first; 0: all."""
    keep_bytes: int = Field(default=0, ge=0)
    """… to about so many bytes; 0: all."""
    keep_age_ms: int = Field(default=0, ge=0)
    """… to messages no older than this, in milliseconds; 0: all."""
    quota_messages: int = Field(default=100_000, ge=0)
    """A write that would take a session beyond so many messages is LimitExceeded; 0: no limit."""
    quota_bytes: int = Field(default=268_435_456, ge=0)
    """… beyond so many bytes of messages; 0: no limit."""
    quota_entries: int = Field(default=100_000, ge=0)
    """… beyond so many entries of one room (context updates, questions, traces, …); 0: no limit."""
    keep_checkpoints: int = Field(default=0, ge=0)
    """Only the newest so many checkpoints of a session are kept: a further one removes the oldest; 0: all."""
    keep_traces: int = Field(default=0, ge=0)
    """… so many trace steps, likewise; 0: all."""
    keep_usage: int = Field(default=0, ge=0)
    """… so many lines of token usage, likewise; the sums stay whole; 0: all."""
    seal_idle_ms: int = Field(default=3_600_000, ge=0)
    """Workers compress the messages of sessions that nobody has written to for so long, and for 10 minutes at least;
    0: never."""
    seal_keep: int = Field(default=256, ge=0)
    """Of other sessions, they compress all messages but about the newest so many; 0: none."""
    summarise_messages: int = Field(default=0, ge=0)
    """Workers replace the head of a transcript with more messages than this by a summary, where a summariser is set;
    0: never."""
    summarise_keep: int = Field(default=100, ge=0)
    """… and leave about the newest so many as they are, 400 at most."""
    feed_items: int = Field(default=10_000, ge=1)
    """About how many changes a shard's feed remembers."""


@dataclass(frozen=True, slots=True)
class SessionRetention:
    """What a session says for itself; None: as its namespace says."""

    ttl_ms: int | None
    keep_messages: int | None
    keep_bytes: int | None
    keep_age_ms: int | None


@dataclass(frozen=True, slots=True)
class SessionRetentionUpdated:
    """What a change of a session's retention did."""

    revision: int
    deadline_at: datetime | None
    """The new deadline; None: it does not expire."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
