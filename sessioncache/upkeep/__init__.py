"""Upkeep: the single steps of background work, each one script over one slot, for `sessioncache.maintenance`."""

from sessioncache.upkeep.models import Expired, Reindexed, Trimmed

__all__ = ["Expired", "Reindexed", "Trimmed"]
