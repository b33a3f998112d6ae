# Generated from sessioncache/stores/freshness_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The freshness part of contract 000: where entries come from, and which of them are out of date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias
from uuid import UUID

from sessioncache.client._sync import SessionCache
from sessioncache.freshness.models import (
    CascadeInvalidateReport,
    FreshnessEntry,
    SourceReference,
    StaleEntryInfo,
    SymbolId,
)
from sessioncache.stores.context_mapping import uuid_text

__all__ = ["FreshnessStorage", "FreshnessStorageProtocol"]

Check: TypeAlias = tuple[str, bytes, bytes | None, str | None]
"""Entry id, file hash, AST hash, symbol name."""


class FreshnessStorageProtocol(Protocol):
    """What users of contract 000 rely on to find out what is out of date."""

    def register_source(self, session_id: UUID | str, reference: SourceReference) -> None:
        """Say where an entry comes from; it is fresh then."""

    def check_freshness(self, entry_id: str, file_hash: bytes) -> FreshnessEntry:
        """Whether an entry still says what its file says."""

    def check_freshness_semantic(
        self, entry_id: str, file_hash: bytes, ast_hash: bytes | None = None, symbol_name: str | None = None
    ) -> FreshnessEntry:
        """As check_freshness; two AST hashes decide where there are two."""

    def check_freshness_batch(self, entries: Sequence[Check]) -> list[FreshnessEntry]:
        """Many checks at once, answered in the same order."""

    def invalidate_source(self, file_path: str) -> int:
        """Mark the entries of a file stale; how many there are."""

    def get_entries_by_source(self, file_path: str) -> list[SourceReference]:
        """The entries that come from a file."""

    def get_stale_entries_by_source(self, file_path: str) -> list[StaleEntryInfo]:
        """The entries of a file that were marked stale and not registered again."""

    def register_symbol_dependencies(self, from_symbol: SymbolId, to_symbols: Sequence[SymbolId]) -> int:
        """Say what a symbol depends on; how many symbols were given."""

    def cascade_invalidate(
        self, changed: SymbolId, new_ast_hash: bytes | None = None, max_depth: int | None = None
    ) -> CascadeInvalidateReport:
        """Mark the entries of a symbol stale, and those of its dependents."""


class FreshnessStorage:
    """Freshness over a cache. Ids of entries are global; a source goes away with the session that registered it."""

    def __init__(self, cache: SessionCache) -> None:
        self._cache = cache

    def register_source(self, session_id: UUID | str, reference: SourceReference) -> None:
        """Say where an entry comes from; what was said before is replaced, and the entry is fresh again.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Raises:
            InvalidArgument: no UUID, or a bad id, path or hash; nothing is written.
            LimitExceeded: the session has too many sources; nothing is written.
        """
        self._cache.freshness.register(uuid_text(session_id), reference)

    def check_freshness(self, entry_id: str, file_hash: bytes) -> FreshnessEntry:
        """Whether an entry is fresh: by the hash of its file, unless it was marked stale.

        Unknown entry: UNKNOWN, with an empty path and stored hash. One round trip over the shards.

        Raises:
            DecodeError: what is stored of the entry is damaged.
        """
        return self._cache.freshness.check(entry_id, file_hash)

    def check_freshness_semantic(
        self, entry_id: str, file_hash: bytes, ast_hash: bytes | None = None, symbol_name: str | None = None
    ) -> FreshnessEntry:
        """As `check_freshness`; where the caller and the entry have an AST hash, that one decides.

        Raises:
            DecodeError: what is stored of the entry is damaged.
        """
        return self._cache.freshness.check_semantic(entry_id, file_hash, ast_hash, symbol_name)

    def check_freshness_batch(self, entries: Sequence[Check]) -> list[FreshnessEntry]:
        """Many checks at once, answered in the same order. An entry whose stored state is damaged is UNKNOWN.

        One round trip over the shards for each 500 entries.
        """
        return list(self._cache.freshness.check_batch(entries))

    def invalidate_source(self, file_path: str) -> int:
        """Mark every entry of a file stale, until it is registered again; how many there are.

        Raises:
            DecodeError: what is stored of an entry of the file is damaged.
        """
        return self._cache.freshness.invalidate(file_path)

    def get_entries_by_source(self, file_path: str) -> list[SourceReference]:
        """The entries that come from exactly this file, by entry id.

        Raises:
            DecodeError: what is stored of one of them is damaged.
        """
        return list(self._cache.freshness.entries(file_path))

    def get_stale_entries_by_source(self, file_path: str) -> list[StaleEntryInfo]:
        """The entries of a file that were marked stale and not registered again since: its deleted symbols.

        Raises:
            DecodeError: what is stored of one of the file's entries is damaged.
        """
        return list(self._cache.freshness.stale_entries(file_path))

    def register_symbol_dependencies(self, from_symbol: SymbolId, to_symbols: Sequence[SymbolId]) -> int:
        """Say that a symbol depends on others; how many were given. Saying it again changes nothing.

        Raises:
            InvalidArgument: what is no symbol.
        """
        return self._cache.freshness.register_dependencies(from_symbol, to_symbols)

    def cascade_invalidate(
        self, changed: SymbolId, new_ast_hash: bytes | None = None, max_depth: int | None = None
    ) -> CascadeInvalidateReport:
        """Mark the entries of a changed symbol stale, and those of the symbols that depend on it.

        Args:
            changed: the symbol.
            new_ast_hash: not looked at.
            max_depth: levels of dependents to follow; None: all, 0: the changed symbol alone.

        Raises:
            InvalidArgument: what is no symbol, or a negative depth.
            DecodeError: what is stored of an entry is damaged.
        """
        return self._cache.freshness.cascade_invalidate(changed, new_ast_hash, max_depth)
