"""What inspection sees: facts as they are stored, with nothing judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sessioncache.wire.keys import ROOMS

__all__ = ["SESSION_SUFFIXES", "SHARD_KEYS", "STAMP", "KeyLook", "NameSeen", "SessionLook", "ShardLook"]

SESSION_SUFFIXES: Final = (
    "",
    "transcript",
    "operations",
    "tombstone",
    "lease",
    "sealed",
    *(suffix for room in ROOMS.values() for suffix in room),
)
"""What follows the record's name in the keys that a session may have, in the order of `look.lua`."""

STAMP: Final = ("gen", "revision", "rewritten", "sealed", "seq")
"""Fields of a record of which one changes whenever anything of the session's contents does."""

SHARD_KEYS: Final = (
    "by_updated",
    "by_user",
    "deadlines",
    "totals",
    "feed",
    "policy",
    "links",
    "dependents",
    "dictionaries",
)
"""A shard's own keys, in the order of `shard.lua`."""


@dataclass(frozen=True, slots=True)
class KeyLook:
    """One key."""

    type: str
    """Its Redis type."""
    expires_at_ms: int
    """When it expires, in milliseconds since 1970; -1: never."""
    size: int
    """How many fields, members or entries it has; -1 where it is of none of our types."""


@dataclass(frozen=True, slots=True)
class SessionLook:
    """All that a session's keys, and the lists of its shard, say of it at one moment."""

    now_ms: int
    """The server's time."""
    fields: Mapping[str, bytes]
    """Of the record; empty where there is none."""
    updated_ms: str
    """Score in the list by last write; empty: it is not there."""
    deadline_ms: str
    """Score in the list of deadlines."""
    listed: bool
    """Whether the list by user has it under the user that its record says."""
    also_listed: tuple[bool, ...]
    """Whether it has it under each of the users that were asked for."""
    first_entry: bytes
    """Id of the first entry of the stream; empty: there is none."""
    last_entry: bytes
    first_place: bytes
    """What stands in front of the first chunk of what is sealed."""
    last_place: bytes
    usage_lines: bytes
    """How many lines the sums of the usage log speak of."""
    lease: tuple[bytes | None, ...]
    """Holder, token and end of the lease."""
    keys: Mapping[str, KeyLook]
    """The keys that there are, by what follows the record's name."""

    @property
    def stamp(self) -> tuple[bytes | None, ...]:
        """What every change of the session's contents changes in its record."""
        return tuple(self.fields.get(name) for name in STAMP)

    def size(self, suffix: str) -> int:
        """How much a key holds; 0 where it is not there."""
        found = self.keys.get(suffix)
        return 0 if found is None else found.size


@dataclass(frozen=True, slots=True)
class ShardLook:
    """What a shard's own keys say at one moment."""

    now_ms: int
    totals: Mapping[str, bytes]
    feed_length: int
    feed_first: int
    """Number of the oldest change that the feed remembers; 0: none."""
    feed_last: int
    keys: Mapping[str, tuple[str, int]]
    """Type and milliseconds to live of those that there are; -1: for ever."""


@dataclass(frozen=True, slots=True)
class NameSeen:
    """A key that a walk over a server's keys found, and what it is."""

    name: str
    type: str
    """`none`: it is gone again."""
    pttl_ms: int
