"""Leases on shards: one worker at a time, and a fencing token that refuses whoever comes back late."""

from sessioncache.leases.models import Lease

__all__ = ["Lease"]
