"""The near-cache: what this process has read lately, for as long as the servers promise to tell of changes."""

from sessioncache.near.cache import NearCache

__all__ = ["NearCache"]
