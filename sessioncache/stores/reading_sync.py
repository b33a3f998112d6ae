# Generated from sessioncache/stores/reading_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Reading a session's parts as they stood at one moment, although each is read by itself.

The rule of this module: parts whose revisions differ are never put together; what lags behind is read again.
"""

from __future__ import annotations

from sessioncache.client._sync import SessionCache
from sessioncache.errors import Conflict
from sessioncache.stores.read_models import ReadSession, ReadTranscript

__all__ = ["read_session", "read_transcript"]

PAGE = 10_000
TRIES = 20


def read_transcript(cache: SessionCache, session_id: str) -> ReadTranscript:
    """All messages; one round trip for every 10,000, and again from the start where the session changed between two.

    Raises:
        Conflict: it changed every time.
    """
    for _ in range(TRIES):
        page = cache.transcripts.list(session_id, limit=PAGE)
        moment, entries = (page.gen, page.revision), list(page.items)
        while page.cursor is not None and (page.gen, page.revision) == moment:
            page = cache.transcripts.list(session_id, cursor=page.cursor, limit=PAGE)
            entries += page.items
        if (page.gen, page.revision) == moment:
            return ReadTranscript(tuple(entries), page.exists, page.gen, page.revision)
    raise Conflict(f"session {session_id!r} changed each of the {TRIES} times its transcript was read; try again")


def read_session(cache: SessionCache, session_id: str, *, transcript: bool = True) -> ReadSession | None:
    """Record, documents and, unless told otherwise, all messages; None where there is no session.

    Three round trips, and more where somebody writes in between.

    Raises:
        Conflict: somebody wrote every time.
    """
    unread = ReadTranscript((), exists=True, gen=None, revision=0)
    for _ in range(TRIES):
        record = cache.sessions.get(session_id)
        if record is None:
            return None
        moment = (record.gen, record.revision)
        documents = cache.documents.get(session_id)
        if (documents.gen, documents.revision) != moment:
            continue
        messages = read_transcript(cache, session_id) if transcript else unread
        if not transcript or (messages.gen, messages.revision) == moment:
            return ReadSession(record, documents, messages)
    raise Conflict(f"session {session_id!r} changed each of the {TRIES} times it was read; try again")
