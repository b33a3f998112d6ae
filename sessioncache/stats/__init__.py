"""Totals of a namespace, kept by every write, so that nobody has to scan; and what its servers tell of themselves."""

from sessioncache.stats.models import NamespaceStats, ShardStats
from sessioncache.stats.server import ServerStats

__all__ = ["NamespaceStats", "ServerStats", "ShardStats"]
