"""What reading a whole session answers."""

from __future__ import annotations

from dataclasses import dataclass

from sessioncache.documents.models import DocumentSet
from sessioncache.sessions.models import Session
from sessioncache.transcripts.models import Entry

__all__ = ["ReadSession", "ReadTranscript"]


@dataclass(frozen=True, slots=True)
class ReadTranscript:
    """A whole transcript."""

    entries: tuple[Entry, ...]
    exists: bool
    gen: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class ReadSession:
    """A session: record, documents and transcript of one revision."""

    record: Session
    documents: DocumentSet
    transcript: ReadTranscript
