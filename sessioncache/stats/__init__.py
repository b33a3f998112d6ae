"""Totals of a namespace, kept by every write, so that nobody has to scan."""

from sessioncache.stats.models import NamespaceStats, ShardStats

__all__ = ["NamespaceStats", "ShardStats"]
