"""The methods of `cache.context`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from sessioncache.context.models import ContextEntry, ContextPage, ContextSaved
from sessioncache.documents._async import AsyncDocuments
from sessioncache.errors import InvalidArgument
from sessioncache.rooms._async import BATCH_ITEMS_MAX, AsyncRoom
from sessioncache.rooms.models import RoomEntry
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import NO_BASE, Base, SessionId, check_limit, decode_cursor, encode_cursor
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.values import ValueEncoder

__all__ = ["STATE", "AsyncContext"]

STATE: Final = "state"
"""Name of the document that holds the state."""

CURSOR: Final = "context.list"


class AsyncContext:
    """What sessions know: updates under ids, in the order they came, and one structured state."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace, values: ValueEncoder) -> None:
        self._values = values
        self._room = AsyncRoom(transport, keys, "updates")
        self._documents = AsyncDocuments(transport, keys, values)

    async def save(
        self,
        session_id: SessionId,
        updates: Mapping[str, Any] | Sequence[tuple[str, Any]],
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> ContextSaved:
        """Put updates in, each under its id: new ones at the end in the order given, known ones in their place.

        Unknown session: it is created. Atomic, one round trip; slides the expiry. Saving an update again changes
        nothing but its content, so a repeat does no harm.

        Args:
            session_id: whose updates.
            updates: any JSON values by their ids, 1 to 500.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id, no update, or a value that is no JSON; nothing is written.
            LimitExceeded: an update, the batch or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        pairs = list(updates.items()) if isinstance(updates, Mapping) else list(updates)
        entries = [(name, self._values.encode(f"update {name!r}", value)) for name, value in pairs]
        saved = await self._room.save(session_id, entries, user=user, base=base, operation_id=operation_id)
        return ContextSaved(saved.created, saved.gen, saved.revision, saved.repeated)

    async def list(
        self,
        session_id: SessionId,
        *,
        last: int | None = None,
        limit: int = BATCH_ITEMS_MAX,
        cursor: str | None = None,
    ) -> ContextPage:
        """A page of updates, oldest first: the newest `last`, or a page from the start or from a cursor on.

        Unknown session: an empty page whose `exists` is False. One round trip. Does not slide the expiry, unless the
        policy says so.

        Args:
            session_id: whose updates.
            last: the newest n updates, 0 to 500; there is no page behind them.
            limit: updates a page, 0 to 500.
            cursor: of the page before.

        Raises:
            InvalidArgument: a number out of range, `last` with a cursor, or a cursor that this call did not give out.
            DecodeError: an update cannot be decoded.
            SessionTorn: the record counts more updates than there are.
        """
        if last is not None:
            if cursor is not None:
                raise InvalidArgument("give `last` or a cursor, not both")
            check_limit(last, what="last", at_most=BATCH_ITEMS_MAX)
            page = await self._room.list(session_id, newest=True, limit=last)
            found, following = page.items[::-1], None
        else:
            page = await self._room.list(session_id, after=_after(cursor), limit=limit)
            found, following = page.items, None
            if limit and len(found) == limit:
                following = encode_cursor(CURSOR, {"after": found[-1].number})
        items = tuple(self._entry(session_id, entry) for entry in found)
        return ContextPage(items, page.exists, page.gen, page.revision, page.count, following)

    async def each(self, session_id: SessionId, *, batch: int = BATCH_ITEMS_MAX) -> AsyncIterator[ContextEntry]:
        """Every update in its order, read a page at a time.

        Unknown session: nothing. Updates that are added meanwhile are answered too.

        Raises:
            DecodeError, SessionTorn: as `list`.
        """
        async for entry in self._room.each(session_id, batch=batch):
            yield self._entry(session_id, entry)

    async def get(self, session_id: SessionId, update_id: str) -> ContextEntry | None:
        """An update by its id; None where there is no such session or update.

        One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError, SessionTorn: as `list`.
        """
        entry = await self._room.get(session_id, update_id)
        return None if entry is None else self._entry(session_id, entry)

    async def count(self, session_id: SessionId) -> int:
        """How many updates there are; 0 for an unknown session. One round trip.

        Raises:
            SessionTorn: the record counts more updates than there are.
        """
        return (await self._room.list(session_id, limit=0)).count

    async def delete(
        self,
        session_id: SessionId,
        update_ids: str | Sequence[str],
        *,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> int:
        """Remove updates by their ids, 500 at most; those that are not there are passed over. Answers how many went.

        Unknown session: 0. Atomic, one round trip; slides the expiry if something was removed.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        ids = [update_ids] if isinstance(update_ids, str) else list(update_ids)
        return (await self._room.delete(session_id, ids, base=base, operation_id=operation_id)).removed

    async def get_state(self, session_id: SessionId) -> Any:  # noqa: ANN401 - any JSON value
        """The structured state, or None where there is no such session or state.

        One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: the state cannot be decoded.
            SessionTorn: the record counts more documents than there are.
        """
        return (await self._documents.get(session_id, STATE)).values.get(STATE)

    async def save_state(
        self,
        session_id: SessionId,
        state: object,
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> ContextSaved:
        """Set the structured state; None removes it. It is the document `state` of `cache.documents`.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Args:
            session_id: whose state.
            state: any JSON value.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument, LimitExceeded: no JSON, or too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        saved = await self._documents.save(session_id, {STATE: state}, user=user, base=base, operation_id=operation_id)
        return ContextSaved(saved.created, saved.gen, saved.revision, saved.repeated)

    def _entry(self, session_id: SessionId, entry: RoomEntry) -> ContextEntry:
        what = f"update {entry.id!r} of session {session_id!r}"
        return ContextEntry(entry.id, entry.number, self._values.decode(what, entry.payload))


def _after(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    after = decode_cursor(CURSOR, cursor).get("after")
    if isinstance(after, int) and not isinstance(after, bool):
        return after
    raise InvalidArgument(f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor")
