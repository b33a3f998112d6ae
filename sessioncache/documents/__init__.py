"""Named JSON documents of a session: its structured state, its graph context, what a store keeps beside messages."""

from sessioncache.documents.models import DocumentSet, DocumentsSaved

__all__ = ["DocumentSet", "DocumentsSaved"]
