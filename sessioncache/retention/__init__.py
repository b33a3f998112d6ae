"""Retention: how long sessions live, how much of them is kept, and what they may hold."""

from sessioncache.retention.models import RetentionPolicy, SessionRetention

__all__ = ["RetentionPolicy", "SessionRetention"]
