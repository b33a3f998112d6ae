"""Questions and their answers: entries of a session in the order they came, each edited field by field."""

from sessioncache.qa.history import format_history, history_messages
from sessioncache.qa.models import GraphElementIds, QAEntry, QAPage, QASaved, QAUpdated

__all__ = [
    "GraphElementIds",
    "QAEntry",
    "QAPage",
    "QASaved",
    "QAUpdated",
    "format_history",
    "history_messages",
]
