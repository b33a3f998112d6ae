# Generated from sessioncache/rooms/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""One room's entries, for the nouns that are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sessioncache.errors import InvalidArgument, LimitExceeded
from sessioncache.rooms import lua
from sessioncache.rooms.models import RoomEntry, RoomPage, RoomRemoved, RoomSaved, RoomUpdated
from sessioncache.transport.base import Transport
from sessioncache.types import Base, SessionId, check_limit, check_session_id, check_text, check_user
from sessioncache.wire.call import Arg, Write
from sessioncache.wire.keys import Keyspace, RoomName

__all__ = ["BATCH_ITEMS_MAX", "Room"]

BATCH_ITEMS_MAX: Final = 500
"""Most entries in one script call: scripts stay bounded, so that the server is never busy for long."""

ENTRY_ID_BYTES_MAX: Final = 512


class Room:
    """Ordered entries of a session, each under an id: one script, and so one round trip, a call."""

    def __init__(
        self,
        transport: Transport,
        keys: Keyspace,
        room: RoomName,
        *,
        kind: str = "",
        keep: str = "",
        stamped: bool = False,
        timed: bool = False,
    ) -> None:
        """Look after one room.

        Args:
            transport: carries the calls.
            keys: of the namespace.
            room: a room of two keys, entries and their order.
            kind: kind of the rows that the shard's links get, so that an entry is found without its session's id.
            keep: field of the retention policy that says how many entries a session keeps.
            stamped: payloads are stored behind the server's time in microseconds: `pack_fields` of the two.
            timed: payloads are fields, and get the server's time as `created_ms`, unless they have one of their own.
        """
        self._transport = transport
        self._keys = keys
        self._room = room
        self._kind = kind
        self._keep = keep
        self._stamped = 2 if timed else int(stamped)

    def save(
        self,
        session_id: SessionId,
        entries: Sequence[tuple[str, bytes]],
        *,
        user: str | None,
        base: Base,
        operation_id: str | None,
    ) -> RoomSaved:
        """Put 1 to 500 entries in: new ones at the end in the order given, known ones in their place."""
        keys = self._keys.session(check_session_id(session_id))
        if not entries:
            raise InvalidArgument(f"there is nothing to save in {self._room}; give at least one entry")
        if len(entries) > BATCH_ITEMS_MAX:
            raise LimitExceeded(f"{len(entries)} {self._room} in one call; the limit is {BATCH_ITEMS_MAX}")
        given: list[Arg] = []
        for entry, payload in entries:
            given += [self._check_id(entry), payload]
        items, order = keys.room(self._room)
        write = Write.of(self._keys, f"{self._room}.save", base, operation_id)
        return self._transport.call(
            lua.save(
                session=keys,
                items=items,
                order=order,
                write=write,
                user=check_user(user),
                room=self._room,
                kind=self._kind,
                keep=self._keep,
                stamped=self._stamped,
                entries=given,
            )
        )

    def list(
        self, session_id: SessionId, *, after: int | None = None, newest: bool = False, limit: int = BATCH_ITEMS_MAX
    ) -> RoomPage:
        """At most 500 entries behind a number, or from the newest one backwards."""
        keys = self._keys.session(check_session_id(session_id))
        items, order = keys.room(self._room)
        return self._transport.call(
            lua.list_(
                session=keys,
                items=items,
                order=order,
                now_override_ms=self._keys.now_override_ms,
                room=self._room,
                after=after,
                newest=newest,
                limit=check_limit(limit, at_most=BATCH_ITEMS_MAX),
            )
        )

    def last(self, session_id: SessionId, count: int) -> Sequence[RoomEntry]:
        """The newest `count` entries, oldest first; one round trip for each 500."""
        wanted = check_limit(count, what="last")
        check_session_id(session_id)
        found: list[RoomEntry] = []
        while len(found) < wanted:
            after = found[-1].number if found else None
            limit = min(wanted - len(found), BATCH_ITEMS_MAX)
            page = self.list(session_id, after=after, newest=True, limit=limit)
            found += page.items
            if len(page) < limit:
                break
        return found[::-1]

    def each(self, session_id: SessionId, *, batch: int = BATCH_ITEMS_MAX) -> Iterator[RoomEntry]:
        """Every entry in its order, a page at a time."""
        check_limit(batch, what="batch", at_least=1, at_most=BATCH_ITEMS_MAX)
        after: int | None = None
        while True:
            page = self.list(session_id, after=after, limit=batch)
            for entry in page:
                yield entry
            if len(page) < batch:
                return
            after = page.items[-1].number

    def get(self, session_id: SessionId, entry: str) -> RoomEntry | None:
        """One entry by its id."""
        keys = self._keys.session(check_session_id(session_id))
        items, order = keys.room(self._room)
        return self._transport.call(
            lua.get(
                session=keys,
                items=items,
                order=order,
                now_override_ms=self._keys.now_override_ms,
                room=self._room,
                entry=self._check_id(entry),
            )
        )

    def update(
        self, session_id: SessionId, entry: str, given: Sequence[Arg], *, base: Base, operation_id: str | None
    ) -> RoomUpdated:
        """Edit fields of one entry: names and values alternating, an empty value clears."""
        keys = self._keys.session(check_session_id(session_id))
        items, order = keys.room(self._room)
        write = Write.of(self._keys, f"{self._room}.update", base, operation_id)
        return self._transport.call(
            lua.update(
                session=keys,
                items=items,
                order=order,
                write=write,
                room=self._room,
                entry=self._check_id(entry),
                rest=given,
            )
        )

    def delete(
        self, session_id: SessionId, entries: Sequence[str], *, base: Base, operation_id: str | None
    ) -> RoomRemoved:
        """Remove up to 500 entries by their ids; those that are not there are passed over."""
        keys = self._keys.session(check_session_id(session_id))
        check_limit(len(entries), what="number of ids", at_most=BATCH_ITEMS_MAX)
        items, order = keys.room(self._room)
        write = Write.of(self._keys, f"{self._room}.delete", base, operation_id)
        return self._transport.call(
            lua.delete(
                session=keys,
                items=items,
                order=order,
                write=write,
                room=self._room,
                kind=self._kind,
                entries=[self._check_id(entry) for entry in entries],
            )
        )

    def _check_id(self, entry: str) -> str:
        return check_text(entry, what=f"id of an entry of {self._room}", bytes_max=ENTRY_ID_BYTES_MAX)
