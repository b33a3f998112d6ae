"""Upkeep: the single steps of background work, each one script over one slot, for `sessioncache.maintenance`."""

from sessioncache.upkeep.models import Expired, Reindexed, ShardLease, Trimmed

__all__ = ["Expired", "Reindexed", "ShardLease", "Trimmed"]
