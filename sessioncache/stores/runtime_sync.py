# Generated from sessioncache/stores/runtime_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Contract 004: saves of a running agent that never undo what a person edited, nor what others said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sessioncache.client._sync import SessionCache
from sessioncache.errors import Conflict, InvalidArgument, NotFound, VersionConflict
from sessioncache.sessions.models import Session, Updated
from sessioncache.stores.message_log import memory_of
from sessioncache.stores.reading_sync import read_session
from sessioncache.stores.runtime_models import BYPASS, DEFAULT_TITLE, DOCUMENT, RuntimeMessage, RuntimeSession
from sessioncache.stores.saving_sync import MessageSaver
from sessioncache.stores.stored_model import dumped, read_message
from sessioncache.transcripts.models import Entry
from sessioncache.types import Base, JSONObject

__all__ = ["RuntimePersistence", "RuntimePersistenceProtocol"]

TRIES = 20


class RuntimePersistenceProtocol(Protocol):
    """What users of contract 004 rely on."""

    def save_runtime_session(self, session: RuntimeSession) -> None:
        """Save the session after merging newer authoritative metadata into it; the object takes what is stored."""

    def append_token_usage_record(self, session_id: str, json_line: str) -> None:
        """Add one line to the session's usage log."""

    def load(self, session_id: str) -> RuntimeSession | None:
        """The session; None for an unknown one."""

    def save_runtime_only(self, session: RuntimeSession) -> None:
        """Save all but the messages."""

    def set_title(self, session_id: str, title: str) -> Updated | None:
        """Rename the session; None where it has that title."""

    def apply_generated_title(self, session_id: str, title: str, *, force: bool = False) -> Updated | None:
        """Give an untitled session a title; None where it has one."""

    def set_pinned(self, session_id: str, pinned: bool) -> Updated | None:  # noqa: FBT001 - as the contract says
        """Pin or unpin the session; None where that changes nothing."""

    def update_runtime_config(
        self, session_id: str, mutate: Callable[[RuntimeSession], object]
    ) -> RuntimeSession | None:
        """Change single fields of the stored session; None for an unknown one."""

    def delete(self, session_id: str) -> bool:
        """Remove the session; whether it was there."""


class RuntimePersistence:
    """Contract 004 over a cache."""

    def __init__(self, cache: SessionCache) -> None:
        self._cache = cache

    def save_runtime_session(self, session: RuntimeSession) -> None:
        """Save a session that a runtime worked on; the object takes the merged values.

        Where the stored `metadata_version` is not lower, the stored title, pin, versions and `gold_config` win as a
        whole, absent ones included. Messages are a log: those that are new since the object was loaded or saved are
        appended, and what others appended stays. If the object changed or lost messages that it had, the transcript is
        swapped, those of others kept.

        An object that was not loaded, of a session that is there: messages that the transcript has already, in the same
        order, are those; the others are appended, and nothing is removed.

        Unknown session: it is created. Atomic, one round trip for up to 500 new messages; more follow 500 at a time.
        Changed old messages cost a read and, where there are more than 500 in all, a staged swap before the save. A
        failed save leaves the object as it was; saved again, its messages are stored once, also where the first
        outcome is not known. Slides the expiry.

        Raises:
            SessionGone: the session that the object was loaded from was deleted, or has expired.
            InvalidArgument, LimitExceeded: a bad id, message or field, or one that is too large; nothing is written.
            Conflict: others wrote each time that the transcript was to be swapped.
        """
        document = _document(session)
        memory = memory_of(session)
        settled, known = memory.settled, memory.known
        # Where nothing but messages has changed since the last save, nothing else is looked at anew.
        if settled is not None and (settled[0] is not document or settled[2] is not known or memory.unanswered):
            settled = None
        record = session.to_record() if settled is None else settled[1]
        dumps = session.dump_messages(RuntimeMessage, session.messages, what="message")
        saver = MessageSaver(
            *(self._cache, session, record, dumps, {DOCUMENT: document}, _as_loaded), unchanged=settled is not None
        )
        saver.save()
        answer = memory.known
        if answer is None:
            session.take_merged(record)
            return
        is_told_nothing = known is not None and answer.group is known.group
        if settled is not None and is_told_nothing:
            session.take_times(record)
        else:
            session.take_merged(record)
            if not (is_told_nothing or answer.has_won) or session.stored_document() is not document:
                return
        memory.settled = (document, record, answer)

    def save_runtime_only(self, session: RuntimeSession) -> None:
        """Save all but the messages, which are left as they are in the store; the merge is that of a whole save.

        Unknown session: it is created, without messages. Atomic, one round trip; slides the expiry.

        Raises:
            SessionGone: the session that the object was loaded from was deleted, or has expired.
        """
        document = _document(session)
        record, (known, _) = session.to_record(), session.remembered()
        self._cache.sessions.save(
            record,
            documents={DOCUMENT: document},
            base=None if known is None else Base(gen=known.gen),
        )
        session.take_merged(record)

    def append_token_usage_record(self, session_id: str, json_line: str) -> None:
        """Add one line to the session's usage log, without the newlines at its end.

        Unknown session: nothing happens. Atomic, one round trip; slides the expiry. What the line says is not checked.

        Raises:
            InvalidArgument: a bad id, an empty line, or a newline inside it.
        """
        self._cache.usage.append(session_id, json_line, create=False)

    def load(self, session_id: str) -> RuntimeSession | None:
        """The session as it stands at one moment.

        Unknown: None. Three round trips, and one more for every 10,000 messages; again where somebody writes between.

        Raises:
            DataError: something of the session cannot be read; never reported as absence.
            Conflict: somebody wrote each time.
        """
        found = read_session(self._cache, session_id)
        if found is None:
            return None
        session = RuntimeSession.of(found.record, found.documents)
        entries = found.transcript.entries
        session.messages = [_message(entry) for entry in entries]
        session.remember_loaded(found.record.gen or "", session.messages, tuple(entry.seq for entry in entries))
        return session

    def load_runtime_control_plane(self, session_id: str) -> RuntimeSession | None:
        """All but the messages. Unknown: None. Two round trips, however long the transcript is."""
        found = read_session(self._cache, session_id, transcript=False)
        return None if found is None else RuntimeSession.of(found.record, found.documents)

    def set_title(self, session_id: str, title: str) -> Updated | None:
        """Rename the session, which bumps both versions and is in the feed.

        The same title: None, and nothing changes. Atomic, one round trip; slides the expiry if something changed.

        Raises:
            NotFound: there is no such session.
            InvalidArgument: the title is blank.
        """
        updated = self._cache.sessions.update(session_id, title=_title(title))
        return updated if updated.changed else None

    def apply_generated_title(self, session_id: str, title: str, *, force: bool = False) -> Updated | None:
        """Give a session that has no title yet a generated one; with `force`, also one that has.

        A session with a title, and the same title: None. Two round trips, and more where somebody writes between;
        with `force` one.

        Raises:
            NotFound: there is no such session.
            InvalidArgument: the title is blank.
        """
        if force:
            return self.set_title(session_id, title)
        wanted = _title(title)
        for _ in range(TRIES):
            record = self._cache.sessions.get(session_id)
            if record is None:
                raise NotFound(f"there is no session {session_id!r}")
            if record.title not in (None, "", DEFAULT_TITLE):
                return None
            try:
                updated = self._cache.sessions.update(session_id, title=wanted, base=_base(record))
            except VersionConflict:
                continue
            return updated if updated.changed else None
        raise Conflict(
            f"others wrote to session {session_id!r} each of the {TRIES} times it was to be titled; try again"
        )

    def set_pinned(self, session_id: str, pinned: bool) -> Updated | None:  # noqa: FBT001 - as the contract says
        """Pin or unpin the session, which bumps `metadata_version`.

        As it is already: None. Atomic, one round trip; slides the expiry if something changed.

        Raises:
            NotFound: there is no such session.
        """
        updated = self._cache.sessions.update(session_id, pinned=pinned)
        return updated if updated.changed else None

    def update_runtime_config(
        self, session_id: str, mutate: Callable[[RuntimeSession], object]
    ) -> RuntimeSession | None:
        """Change single fields of the stored session: it is read, changed, and saved if nobody wrote in between.

        What others append meanwhile stays. A change of title, pin or `gold_config` bumps the versions; one of
        `bypass_permissions`, which bumps nothing, is a write of its own after the others. Unknown session: None. Three
        round trips, and more where somebody writes in between.

        Args:
            session_id: whose fields.
            mutate: gets the session without its messages and changes it; may be called several times.

        Raises:
            InvalidArgument: `mutate` changed the messages or the id.
            Conflict: others wrote each time.
        """
        for _ in range(TRIES):
            found = read_session(self._cache, session_id, transcript=False)
            if found is None:
                return None
            before = RuntimeSession.of(found.record, found.documents)
            session = before.model_copy(deep=True)
            mutate(session)
            if session.messages or session.id != session_id:
                raise InvalidArgument("update_runtime_config changes neither messages nor the id")
            try:
                return self._write_config(before, session, found.record)
            except VersionConflict:
                continue
        raise Conflict(
            f"others wrote to session {session_id!r} each of the {TRIES} times it was to be changed; try again"
        )

    def _write_config(self, before: RuntimeSession, session: RuntimeSession, stored: Session) -> RuntimeSession:
        """Write what differs, based on what was read."""
        base, bypass = _base(stored), session.bypass
        old, record, document = before.to_record(), session.to_record(), session.to_document()
        record.host = old.host
        if document != before.to_document() or record != old:
            group = (record.title, record.pinned, record.authoritative)
            if group != (old.title, old.pinned, old.authoritative):
                record.title_version = old.title_version + int(record.title != old.title)
                record.metadata_version = old.metadata_version + 1
            self._cache.sessions.save(record, documents={DOCUMENT: document}, base=base)
            session.take_merged(record)
            base = Base(gen=record.gen)
        if bypass != before.bypass:
            updated = self._cache.sessions.update(session.id, host={BYPASS: bypass}, base=base)
            session.take_bypass(bypass)
            session.updated_at = updated.updated_at
        return session

    def list_child_run_statuses(self, parent_session_id: str) -> dict[str, str | None]:
        """The sessions whose parent this is, and how their runs stand.

        Walks the list of all sessions, 500 a round trip.
        """
        return {
            session.id: session.status for session in self._cache.sessions.each() if session.parent == parent_session_id
        }

    def list_sessions_by_run_status(self, status: str) -> list[str]:
        """The ids of the sessions whose run stands so. Walks the list of all sessions, 500 a round trip."""
        return [session.id for session in self._cache.sessions.each() if session.status == status]

    def delete(self, session_id: str) -> bool:
        """Remove everything of the session; whether it was there. Atomic, one round trip."""
        return self._cache.sessions.delete(session_id)


def _document(session: RuntimeSession) -> JSONObject:
    if not isinstance(session, RuntimeSession):
        raise InvalidArgument(f"session must be a RuntimeSession, not {type(session).__name__}")
    return session.stored_document()


def _message(entry: Entry) -> RuntimeMessage:
    return read_message(RuntimeMessage, entry.message, what=f"message {entry.seq}", seq=entry.seq)


def _as_loaded(entry: Entry) -> JSONObject:
    return dumped(_message(entry))


def _title(title: object) -> str:
    if not isinstance(title, str) or not title.strip():
        raise InvalidArgument("a title needs at least one character that is not blank")
    return title.strip()


def _base(record: Session) -> Base:
    return Base(gen=record.gen, revision=record.revision)
