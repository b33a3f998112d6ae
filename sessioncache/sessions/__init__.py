"""Sessions: the records, their lists, the runtime save that merges, and the authoritative edits."""

from sessioncache.sessions.models import Saved, Session, SessionSummary, Updated

__all__ = ["Saved", "Session", "SessionSummary", "Updated"]
