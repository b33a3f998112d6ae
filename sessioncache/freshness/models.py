"""What freshness is to its users: where entries come from, and whether that has changed since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TypeAlias

__all__ = [
    "Block",
    "CascadeInvalidateReport",
    "FreshnessEntry",
    "FreshnessStatus",
    "Function",
    "Registered",
    "SourceReference",
    "SourceScope",
    "StaleEntryInfo",
    "SymbolId",
    "WholeFile",
]


class FreshnessStatus(IntEnum):
    """Whether an entry still says what its source says."""

    FRESH = 0
    STALE = 1
    SOURCE_MISSING = 2
    """Part of the contract; nothing answers it."""
    UNKNOWN = 3
    """Nothing is registered under the entry's id."""


@dataclass(frozen=True, slots=True)
class WholeFile:
    """The entry comes from a whole file."""

    whole_file: bool = True


@dataclass(frozen=True, slots=True)
class Function:
    """The entry comes from one symbol of a file: a function, a class, a method."""

    name: str
    ast_hash: bytes
    symbol_type: str = ""
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """The entry comes from some lines of a file."""

    start_line: int
    end_line: int
    content_hash: bytes


SourceScope: TypeAlias = WholeFile | Function | Block


@dataclass(frozen=True, slots=True)
class SourceReference:
    """Where an entry comes from. Ids of entries are global: one entry, one source."""

    entry_id: str
    file_path: str
    content_hash: bytes
    captured_at: datetime
    scope: SourceScope = WholeFile()


@dataclass(frozen=True, slots=True)
class FreshnessEntry:
    """The answer about one entry."""

    entry_id: str
    file_path: str
    """Empty where nothing is registered."""
    status: FreshnessStatus
    stored_hash: bytes
    """Empty where nothing is registered."""
    current_hash: bytes
    """The hash that was asked about."""


@dataclass(frozen=True, slots=True)
class StaleEntryInfo:
    """An entry that was marked stale and not registered again since."""

    entry_id: str
    symbol_name: str | None
    symbol_type: str | None


@dataclass(frozen=True, slots=True)
class SymbolId:
    """A code symbol. With an empty file path it means every symbol of that name."""

    file_path: str
    symbol_name: str
    symbol_type: str = ""


@dataclass(frozen=True, slots=True)
class CascadeInvalidateReport:
    """What a change of a symbol made stale."""

    direct_invalidations: int
    """Entries of the symbol itself."""
    cascade_invalidations: int
    """Entries of symbols that depend on it."""
    invalidated_symbols: tuple[SymbolId, ...]
    """The changed symbol, then those that depend on it, nearest first."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering a source did."""

    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    count: int
    """How many sources the session has now."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
