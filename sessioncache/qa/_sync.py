# Generated from sessioncache/qa/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.qa`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from sessioncache.documents import lua as documents_lua
from sessioncache.errors import InvalidArgument
from sessioncache.qa.fields import edits, encode_entry, entry_from, entry_id_of, new_entry_id
from sessioncache.qa.models import GraphElementIds, QAEntry, QAPage, QASaved, QAUpdated
from sessioncache.rooms._sync import BATCH_ITEMS_MAX, Room
from sessioncache.transport.base import Transport
from sessioncache.types import (
    NO_BASE,
    UNSET,
    Base,
    SessionId,
    Unset,
    check_limit,
    check_session_id,
    check_user,
    decode_cursor,
    encode_cursor,
)
from sessioncache.wire.call import Write
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.values import ValueEncoder

__all__ = ["GRAPH", "QA"]

GRAPH: Final = "graph"
"""Name of the document that holds the graph context."""

CURSOR: Final = "qa.list"


class QA:
    """Questions and answers of sessions: add, read, edit, remove; and the graph context beside them."""

    def __init__(self, transport: Transport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values
        self._room = Room(transport, keys, "qa", timed=True)

    def append(
        self,
        session_id: SessionId,
        question: str,
        answer: str,
        *,
        context: str | None = None,
        entry_id: str | UUID | None = None,
        created_at: datetime | None = None,
        feedback_text: str | None = None,
        feedback_score: int | None = None,
        used_graph_element_ids: GraphElementIds | Mapping[str, Any] | None = None,
        memify_metadata: Mapping[str, bool] | None = None,
        used_session_context_ids: Sequence[str] | None = None,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> str:
        """Add an entry to the end and answer its id, a text of 36 characters.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Args:
            session_id: whose entry.
            question: what was asked.
            answer: what was answered.
            context: what the answer was made from.
            entry_id: a random UUID unless given; the id of an entry that is there replaces it in its place.
            created_at: when it was answered; the server's time unless given.
            feedback_text: what somebody said about the answer.
            feedback_score: how good it was, 1 to 5.
            used_graph_element_ids: `node_ids` and `edge_ids`, lists of text.
            memify_metadata: flags by name.
            used_session_context_ids: ids of the context entries that the answer was made from.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id or a wrong value; nothing is written.
            LimitExceeded: a field or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        check_session_id(session_id)
        given: dict[str, Any] = {
            "id": new_entry_id(session_id, operation_id) if entry_id is None else entry_id_of(entry_id),
            "question": question,
            "answer": answer,
            "context": context,
            "created_at": created_at,
            "feedback_text": feedback_text,
            "feedback_score": feedback_score,
            "used_graph_element_ids": used_graph_element_ids,
            "memify_metadata": memify_metadata,
            "used_session_context_ids": used_session_context_ids,
        }
        saved = self.save(session_id, given, user=user, base=base, operation_id=operation_id)
        return saved.ids[0]

    def save(
        self,
        session_id: SessionId,
        entries: QAEntry | Mapping[str, Any] | Sequence[QAEntry | Mapping[str, Any]],
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> QASaved:
        """Put entries in: new ones at the end in the order given, those whose id is known in their place.

        Unknown session: it is created. Atomic, one round trip; slides the expiry. An entry without a time gets the
        server's.

        Args:
            session_id: whose entries.
            entries: an entry, or the fields of one, or a list of them, 1 to 500.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id or a wrong value; nothing is written.
            LimitExceeded: a field, the batch or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        batch = [entries] if isinstance(entries, QAEntry | Mapping) else entries
        pairs = [encode_entry(self._values, _entry(entry)) for entry in batch]
        saved = self._room.save(session_id, pairs, user=user, base=base, operation_id=operation_id)
        ids = tuple(name for name, _ in pairs)
        return QASaved(ids, saved.created, saved.gen, saved.revision, saved.count, saved.repeated)

    def list(
        self,
        session_id: SessionId,
        *,
        last: int | None = None,
        limit: int = BATCH_ITEMS_MAX,
        cursor: str | None = None,
    ) -> QAPage:
        """A page of entries, oldest first: the newest `last`, or a page from the start or from a cursor on.

        Unknown session: an empty page whose `exists` is False. One round trip; costs what it answers. Does not slide
        the expiry, unless the policy says so.

        Args:
            session_id: whose entries.
            last: the newest n entries, 0 to 500; there is no page behind them.
            limit: entries a page, 0 to 500.
            cursor: of the page before.

        Raises:
            InvalidArgument: a number out of range, `last` with a cursor, or a cursor that this call did not give out.
            DecodeError: an entry cannot be decoded; the message says which.
            SessionTorn: the record counts more entries than there are.
        """
        if last is not None and cursor is not None:
            raise InvalidArgument("give `last` or a cursor, not both")
        following = None
        if last is not None:
            check_limit(last, what="last", at_most=BATCH_ITEMS_MAX)
            page = self._room.list(session_id, newest=True, limit=last)
            found = page.items[::-1]
        else:
            page = self._room.list(session_id, after=_after(cursor), limit=limit)
            found = page.items
            if limit and len(found) == limit:
                following = encode_cursor(CURSOR, {"after": found[-1].number})
        items = tuple(entry_from(self._values, entry.id, entry.payload) for entry in found)
        return QAPage(items, page.exists, page.gen, page.revision, page.count, following)

    def last(self, session_id: SessionId, count: int) -> Sequence[QAEntry]:
        """The newest `count` entries, oldest first; one round trip for each 500.

        Unknown session: none. Does not slide the expiry, unless the policy says so.

        Raises:
            InvalidArgument: a negative number.
            DecodeError, SessionTorn: as `list`.
        """
        found = self._room.last(session_id, count)
        return [entry_from(self._values, entry.id, entry.payload) for entry in found]

    def each(self, session_id: SessionId, *, batch: int = BATCH_ITEMS_MAX) -> Iterator[QAEntry]:
        """Every entry in its order, read a page at a time.

        Unknown session: nothing. Entries that are added meanwhile are answered too.

        Raises:
            DecodeError, SessionTorn: as `list`.
        """
        for entry in self._room.each(session_id, batch=batch):
            yield entry_from(self._values, entry.id, entry.payload)

    def get(self, session_id: SessionId, entry_id: str | UUID) -> QAEntry | None:
        """An entry by its id; None where there is no such session or entry.

        One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError, SessionTorn: as `list`.
        """
        found = self._room.get(session_id, entry_id_of(entry_id))
        return None if found is None else entry_from(self._values, found.id, found.payload)

    def count(self, session_id: SessionId) -> int:
        """How many entries there are; 0 for an unknown session. One round trip.

        Raises:
            SessionTorn: the record counts another number.
        """
        return (self._room.list(session_id, limit=0)).count

    def update(
        self,
        session_id: SessionId,
        entry_id: str | UUID,
        *,
        question: str | Unset = UNSET,
        answer: str | Unset = UNSET,
        context: str | Unset | None = UNSET,
        feedback_text: str | Unset | None = UNSET,
        feedback_score: int | Unset | None = UNSET,
        used_graph_element_ids: GraphElementIds | Mapping[str, Any] | Unset | None = UNSET,
        memify_metadata: Mapping[str, bool] | Unset | None = UNSET,
        used_session_context_ids: Sequence[str] | Unset | None = UNSET,
        extra: Mapping[str, Any] | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> QAUpdated:
        """Edit fields of an entry: UNSET leaves one, None clears it, a value sets it; the others stay.

        Two updates of different fields at the same time both hold. Unknown session or entry: `found` is False. Atomic,
        one round trip; slides the expiry, unless nothing changes.

        Args:
            session_id: whose entry.
            entry_id: its id, as a UUID or a text.
            question: cannot be cleared.
            answer: cannot be cleared.
            context: what the answer was made from.
            feedback_text: what somebody said about the answer.
            feedback_score: how good it was, 1 to 5.
            used_graph_element_ids: `node_ids` and `edge_ids`, lists of text.
            memify_metadata: flags to set; those not named stay. None clears them all.
            used_session_context_ids: ids of the context entries that the answer was made from.
            extra: fields of your own; None clears one.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id or a wrong value; nothing is written.
            LimitExceeded: a field is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        own = dict(extra or {})
        known = {
            "question": question,
            "answer": answer,
            "context": context,
            "feedback_text": feedback_text,
            "feedback_score": feedback_score,
            "used_graph_element_ids": used_graph_element_ids,
            "memify_metadata": memify_metadata,
            "used_session_context_ids": used_session_context_ids,
        }
        if own.keys() & known.keys():
            raise InvalidArgument(f"{', '.join(sorted(own.keys() & known.keys()))}: no field of your own")
        name = entry_id_of(entry_id)
        given = edits(self._values, name, known | own)
        done = self._room.update(session_id, name, given, base=base, operation_id=operation_id)
        return QAUpdated(done.found, done.changed, done.revision, done.repeated)

    def delete(
        self, session_id: SessionId, entry_id: str | UUID, *, base: Base = NO_BASE, operation_id: str | None = None
    ) -> bool:
        """Remove an entry; answers whether it was there.

        Unknown session: False. Atomic, one round trip; slides the expiry, where the entry was there.

        Raises:
            InvalidArgument: a bad id.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        name = entry_id_of(entry_id)
        done = self._room.delete(session_id, [name], base=base, operation_id=operation_id)
        return done.removed > 0

    def get_graph_context(self, session_id: SessionId) -> Any:  # noqa: ANN401 - any JSON value
        """The graph context; None where there is none, or no such session.

        One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: it cannot be decoded.
            SessionTorn: the record counts more documents than there are.
        """
        keys = self._keys.session(check_session_id(session_id))
        raw = self._transport.call(
            documents_lua.get(
                session=keys,
                documents=keys.room("documents")[0],
                now_override_ms=self._keys.now_override_ms,
                names=[GRAPH],
            )
        )
        if raw is None or GRAPH not in raw.values:
            return None
        return self._values.decode("graph context", raw.values[GRAPH])

    def set_graph_context(
        self,
        session_id: SessionId,
        context: object,
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> None:
        """Set the graph context, any JSON value; None removes it. It is the document `graph` of the session.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Raises:
            InvalidArgument: a bad id, or something that is no JSON; nothing is written.
            LimitExceeded: it is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        payload = b"" if context is None else self._values.encode("graph context", context)
        self._transport.call(
            documents_lua.save(
                session=keys,
                documents=keys.room("documents")[0],
                write=Write.of(self._keys, "documents.save", base, operation_id),
                user=check_user(user),
                given=[GRAPH, payload],
            )
        )


def _after(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    match decode_cursor(CURSOR, cursor):
        case {"after": int() as after}:
            return after
    raise InvalidArgument(f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor")


def _entry(given: QAEntry | Mapping[str, Any]) -> QAEntry:
    if isinstance(given, QAEntry):
        return given
    try:
        return QAEntry.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise InvalidArgument(f"{place or 'it'} of an entry: {fault['msg']}") from error
