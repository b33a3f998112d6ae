"""Freshness: which file or symbol an entry comes from, and whether that has changed since."""

from sessioncache.freshness.models import (
    Block,
    CascadeInvalidateReport,
    FreshnessEntry,
    FreshnessStatus,
    Function,
    Registered,
    SourceReference,
    SourceScope,
    StaleEntryInfo,
    SymbolId,
    WholeFile,
)

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
