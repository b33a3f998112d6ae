"""Leases on sessions: one holder at a time, and a fencing token that refuses whoever comes back late."""

from sessioncache.leases.models import SessionLease

__all__ = ["SessionLease"]
