"""What a session knows: updates in the order they came, and one structured state."""

from sessioncache.context.models import ContextEntry, ContextPage, ContextSaved

__all__ = ["ContextEntry", "ContextPage", "ContextSaved"]
