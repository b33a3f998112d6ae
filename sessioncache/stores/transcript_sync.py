# Generated from sessioncache/stores/transcript_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Contract 001: transcripts that are loaded and saved as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sessioncache.client._sync import SessionCache
from sessioncache.errors import InvalidArgument
from sessioncache.stores.reading_sync import read_transcript
from sessioncache.stores.stored_model import dumped_messages, read_message
from sessioncache.stores.transcript_models import ListOptions, SessionRecord, TranscriptMessage

__all__ = ["TranscriptStore", "TranscriptStoreProtocol"]

Given: TypeAlias = Sequence[TranscriptMessage | Mapping[str, Any]]

Transcript: TypeAlias = list[TranscriptMessage]
Records: TypeAlias = list[SessionRecord]

PAGE = 1_000
"""Sessions a page while a list is walked: the most that `cache.sessions.list` answers."""


class TranscriptStoreProtocol(Protocol):
    """What users of contract 001 rely on."""

    def load(self, session_id: str) -> Transcript | None:
        """The whole transcript; None for an unknown session."""

    def save(self, session_id: str, messages: Given) -> None:
        """Replace the transcript, all or nothing; creates the session."""

    def list(self) -> Records:
        """Every session, the one that was updated last at the end."""

    def list_paginated(self, options: ListOptions) -> Records:
        """A part of that list."""

    def delete(self, session_id: str) -> None:
        """Remove the session; nothing happens if there is none."""


class TranscriptStore:
    """Contract 001 over a cache: load, save, list and delete transcripts."""

    def __init__(self, cache: SessionCache) -> None:
        self._cache = cache

    def load(self, session_id: str) -> Transcript | None:
        """The whole transcript as it stood at one moment.

        Unknown session: None; one that was saved without messages: an empty list. One round trip for every 10,000
        messages. The list is the caller's own.

        Raises:
            InvalidArgument: an id that cannot be one.
            DecodeError: a message cannot be read; `.seq` says which.
            SessionTorn: the record and the transcript disagree.
            Conflict: a transcript of several pages changed each time while it was read.
        """
        found = read_transcript(self._cache, session_id)
        if not found.exists:
            return None
        return [
            read_message(TranscriptMessage, entry.message, what=f"message {entry.seq}", seq=entry.seq)
            for entry in found.entries
        ]

    def save(self, session_id: str, messages: Given) -> None:
        """Replace the transcript: readers see the old one or the new one, never a part of either.

        Unknown session: it is created. The time of its creation is kept. One round trip for up to 500 messages; more
        are staged first, where nobody sees them. The last of several savers wins. Slides the expiry.

        Args:
            session_id: any non-empty text of at most 512 bytes without control characters.
            messages: messages, or JSON objects that are messages.

        Raises:
            InvalidArgument: bad id, or something that is no message; nothing is written.
            LimitExceeded: a message or the session's quota; nothing is written.
        """
        self._cache.transcripts.save(session_id, dumped_messages(TranscriptMessage, messages, what="message"))

    def list(self) -> Records:
        """Every session, the one that was updated last at the end; the id breaks ties.

        One round trip for every 1,000 sessions. A session that changes meanwhile is listed once, with the later time.

        Raises:
            DecodeError: the record of a session is damaged.
        """
        return self.list_paginated(ListOptions())

    def list_paginated(self, options: ListOptions | None = None) -> Records:
        """The sessions from an offset on, in the order of `list`.

        An offset past the end: nothing. Offset and limit are the server's work: a handful of round trips finds the
        place, however deep in the list it is, and each page of up to 1,000 sessions takes one more. (While sessions
        past their deadline wait to be swept, the list is walked from its start.)

        Raises:
            InvalidArgument: the options are none.
            DecodeError: the record of a session that was read is damaged.
        """
        options = ListOptions() if options is None else options
        if not isinstance(options, ListOptions):
            raise InvalidArgument(f"options must be ListOptions, not {type(options).__name__}")
        if options.limit == 0:
            return []
        start: tuple[str | None, int] = (None, options.offset)
        if options.offset > PAGE:
            start = self._cache.sessions.seek(options.offset)
        cursor, skip = start
        end = None if options.limit is None else skip + options.limit
        found: dict[str, SessionRecord] = {}
        while end is None or len(found) < end:
            limit = PAGE if end is None else min(PAGE, end - len(found))
            page = self._cache.sessions.list(order="oldest", limit=limit, cursor=cursor)
            for session in page:
                found.pop(session.id, None)
                found[session.id] = SessionRecord(session.id, session.messages, session.created_at, session.updated_at)
            cursor = page.cursor
            if cursor is None:
                break
        return [*found.values()][skip:end]

    def delete(self, session_id: str) -> None:
        """Remove everything of the session, and of its other views.

        Unknown session: nothing happens. Atomic, one round trip.

        Raises:
            InvalidArgument: an id that cannot be one.
        """
        self._cache.sessions.delete(session_id)
