"""The feed: what changed, in the order in which it was committed, with a way to go on where one left off."""

from sessioncache.feed.models import Change

__all__ = ["Change"]
