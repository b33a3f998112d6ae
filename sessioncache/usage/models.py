"""What a usage log is to its users: lines, sums, and what can be told from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sessioncache.rooms.logs import LogPage
from sessioncache.types import JSONObject, datetime_from_ms

__all__ = [
    "CompactionEvent",
    "SessionUsage",
    "UsageAppended",
    "UsageBucket",
    "UsageEntry",
    "UsagePage",
    "UsageRound",
    "UsageSums",
]


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """One line and where it stands."""

    position: int
    """Its place among all lines of the session: 1 for the first. Dropping old lines changes no position."""
    ms: int
    """When the server took it, in milliseconds since 1970."""
    payload: bytes
    """The line as it was given, without its newline."""
    record: JSONObject | None
    """The line's JSON object; None: the line is none."""

    @property
    def at(self) -> datetime:
        """When the server took it."""
        return datetime_from_ms(self.ms)


UsagePage: TypeAlias = LogPage[UsageEntry]
"""Some lines of a usage log, oldest first, as they stood together at one moment."""


@dataclass(frozen=True, slots=True)
class UsageAppended:
    """What an append of lines did."""

    stored: bool
    """False: there is no such session, and the call was told not to create one."""
    position: int
    """Position of the last line of this call: how many were ever appended."""
    count: int
    """How many lines the log has now."""
    gen: str | None
    revision: int
    created: bool
    """Whether this call created the session."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""


@dataclass(frozen=True, slots=True)
class UsageSums:
    """Sums over model calls."""

    calls: int = 0
    """Lines that are JSON objects, each one call of a model."""
    input_tokens: int = 0
    """Fresh ones: neither read from the provider's cache nor written to it."""
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    thinking_tokens: int = 0
    total_tokens: int = 0
    """What the lines call their totals; nothing is added up for lines that do not."""
    prompt_cached_tool_outputs: int = 0
    prompt_cached_tool_tokens_saved: int = 0
    segments_removed: int = 0
    compactions: int = 0
    """Calls that removed segments."""
    truncations: int = 0
    """Calls that say so in `truncation_occurred`."""

    @property
    def cached_fraction(self) -> float:
        """Share of the input that came from the provider's cache."""
        return cached_fraction(
            self.input_tokens, self.cache_read_input_tokens, self.cache_creation_input_tokens, self.total_tokens
        )


def cached_fraction(fresh: int, read: int, creation: int, total: int) -> float:
    """Tokens read from the cache, of all input tokens; of the total, where the parts are not known; else 0."""
    whole = fresh + read + creation or total
    return read / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class SessionUsage:
    """The sums of a session, right even where the retention policy has dropped lines."""

    exists: bool
    """False: there is no such session."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""
    lines: int
    """How many lines were ever appended, those that are no JSON among them."""
    all: UsageSums
    by_model: Mapping[str, UsageSums]
    """Lines without a model are under the empty text."""


@dataclass(frozen=True, slots=True)
class UsageBucket:
    """The sums of a span of time, by the server's clock."""

    start_ms: int
    """Its first millisecond, since 1970."""
    lines: int
    sums: UsageSums

    @property
    def start_at(self) -> datetime:
        """Its beginning."""
        return datetime_from_ms(self.start_ms)


@dataclass(frozen=True, slots=True)
class UsageRound:
    """One model call: how well the provider's cache served it."""

    position: int
    ms: int
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    total_tokens: int
    segments_removed: int
    pause_ms: int
    """Time since the call before, 0 for the first."""

    @property
    def cached_fraction(self) -> float:
        """Share of the input that came from the provider's cache."""
        return cached_fraction(
            self.input_tokens, self.cache_read_input_tokens, self.cache_creation_input_tokens, self.total_tokens
        )


@dataclass(frozen=True, slots=True)
class CompactionEvent:
    """A model call that removed segments, and the one that followed."""

    at: UsageRound
    next: UsageRound | None
    """None: no call has followed yet."""
