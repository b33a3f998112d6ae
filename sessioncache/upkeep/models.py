"""What the steps of background work answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Expired", "ListName", "Reindexed", "Settled", "Trimmed"]

ListName: TypeAlias = Literal["by-updated", "deadlines"]
"""The lists of a shard whose members are ids."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What the sweep of one session did."""

    outcome: Literal["expired", "vanished", "kept"]
    """Removed; only index entries were left and are removed; or extended meanwhile, and stays."""
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What trimming one transcript did."""

    messages: int
    bytes: int
    more: bool
    """Whether there is more to trim than one call does."""


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What the comparison of one record with its shard's lists found."""

    state: Literal["live", "gone", "torn"]
    repaired: tuple[str, ...]
    """Lists that were wrong and are right now: `by-updated`, `by-user`, `deadlines`."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What the comparison of a shard's totals with its records found."""

    settled: bool
    """False: something changed during the count; nothing was written."""
    sessions: int
    """How far the stored total was off (stored minus counted), likewise `messages` and `bytes`."""
    messages: int
    bytes: int
