# Generated from sessioncache/sessions/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.sessions`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from sys import getsizeof
from typing import Any, Literal

from sessioncache.errors import InvalidArgument, LimitExceeded
from sessioncache.near import NearCache
from sessioncache.sealing._sync import Sealing
from sessioncache.sessions import lua
from sessioncache.sessions.listing import CURSOR, DEFAULT_USER, Listing, user_page
from sessioncache.sessions.models import KnownSave, Listed, Saved, Session, SessionSummary, Updated
from sessioncache.sessions.prepared import prepare
from sessioncache.sessions.record import (
    Pairs,
    authoritative_pairs,
    host_pairs,
    label_fields,
    label_pairs,
    runtime_pairs,
    update_pairs,
)
from sessioncache.sessions.seeking import Seek
from sessioncache.transport.base import Transport
from sessioncache.types import (
    NO_BASE,
    UNSET,
    Base,
    Message,
    Order,
    Page,
    SessionId,
    Unset,
    check_limit,
    check_session_id,
    check_text,
    encode_cursor,
    ms_from_datetime,
)
from sessioncache.wire.call import Write
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.messages import MessageEncoder
from sessioncache.wire.values import ValueEncoder

__all__ = ["Sessions"]

LIST_LIMIT_MAX = 1_000

SAVE_ENTRIES_MAX = 5_000
"""Most context updates, or documents, in one whole save: about 10 ms of the server's time."""

ENTRY_NAME_BYTES_MAX = 512

DELETE_BATCH_MAX = 5_000
"""Most sessions in one round trip of `delete_all`."""

DELETE_FROM = (
    (lua.rows, "by_user"),
    (lua.listed, "by_updated"),
    (lua.listed, "deadlines"),
    (lua.rows, "links"),
)
"""The lists of a shard in which `delete_all` looks for sessions; most stand in the first, the others know strays."""


class Sessions:
    """Session records: read, list, save with merge, edit, delete."""

    def __init__(
        self,
        transport: Transport,
        keys: Keyspace,
        encoder: MessageEncoder,
        values: ValueEncoder,
        near: NearCache | None = None,
    ) -> None:
        self._transport = transport
        self._near = near
        self._keys = keys
        self._encoder = encoder
        self._values = values
        self._sealing = Sealing(transport, keys)

    def get(self, session_id: SessionId) -> Session | None:
        """The session's record.

        Unknown or past its deadline: None. One round trip, or none with a near-cache. Does not slide the expiry, unless
        the policy says so.

        Raises:
            DataError: the record is damaged, torn or too new; never reported as absence.
        """
        keys = self._keys.session(check_session_id(session_id))
        call = lua.get(session=keys, now_override_ms=self._keys.now_override_ms)
        near = self._near
        if near is None or self._keys.now_override_ms is not None:
            return self._transport.call(call)
        kept = near.get(keys, "record")
        if kept is not None:
            return call.decode(kept.value)
        with near.fill(keys) as fill:
            reply = self._transport.call(call.watched(fill).undecoded())
            session = call.decode(reply)
            fill.keep("record", reply, size=0 if reply is None else getsizeof(reply) + sum(map(getsizeof, reply)))
        return session

    def exists(self, session_id: SessionId) -> bool:
        """Whether the session is there and its deadline has not passed.

        One round trip. Raises DataError for a damaged or torn session.
        """
        keys = self._keys.session(check_session_id(session_id))
        return self._transport.call(lua.exists(session=keys, now_override_ms=self._keys.now_override_ms))

    def list(
        self,
        *,
        order: Order = "newest",
        limit: int = 50,
        cursor: str | None = None,
        user: str | Unset | None = UNSET,
        labels: Sequence[str] = (),
        on_corrupt: Literal["raise", "skip"] = "raise",
    ) -> Page[SessionSummary]:
        """A page of sessions by `updated_at`, the id breaking ties.

        One pipelined round trip over the shards, however many sessions there are (now and then a second one, where a
        shard holds far more than its share of the page). With `user`, the cost is that user's sessions.

        A session that does not change while pages are read is listed exactly once. One that changes moves to the newest
        end: oldest first it comes once more, newest first it may be missed; `each` lists those exactly once too.

        Args:
            order: `newest` or `oldest` first.
            limit: sessions a page, 0 to 1000.
            cursor: of the page before, with the same order and user.
            user: only this user's; None is the user `default`.
            labels: names of labels to show in the summaries.
            on_corrupt: `skip` leaves out sessions whose record is damaged and names them in `skipped`.

        Raises:
            InvalidArgument: a negative limit, or a cursor that this call did not give out.
            DecodeError: the record of a session on this page is damaged.
        """
        check_limit(limit, at_most=LIST_LIMIT_MAX)
        listing = Listing(
            order, user=None if isinstance(user, Unset) else _user(user), cursor=cursor, skip=on_corrupt == "skip"
        )
        if limit == 0:
            return Page((), cursor)
        if listing.user is not None:
            return user_page(listing, self._of_user(listing.user, labels), limit)
        shards = list(self._keys)
        listing.begin(len(shards), limit)
        while wanted := listing.wanted():
            calls = [
                lua.list_(
                    shard=shards[index],
                    now_override_ms=self._keys.now_override_ms,
                    newest=order == "newest",
                    after=after,
                    limit=count,
                    labels=label_fields(labels),
                )
                for index, after, count in wanted
            ]
            replies = self._transport.call_many(calls)
            for (index, _after, _count), reply in zip(wanted, replies, strict=True):
                listing.take(index, reply)
        return listing.page()

    def _of_user(self, user: str, labels: Sequence[str] = ()) -> Sequence[Listed]:
        """All sessions of one user, a batch of 500 a shard and round trip."""
        found: list[Listed] = []
        pending = dict.fromkeys(range(self._keys.shards), "")
        while pending:
            calls = [
                lua.by_user(
                    shard=self._keys.shard(index),
                    now_override_ms=self._keys.now_override_ms,
                    user=user,
                    after_member=after,
                    limit=500,
                    labels=label_fields(labels),
                )
                for index, after in pending.items()
            ]
            replies = self._transport.call_many(calls)
            for index, (following, items) in zip(list(pending), replies, strict=True):
                found += items
                pending[index] = following
            pending = {index: following for index, following in pending.items() if following}
        return found

    def seek(self, offset: int) -> tuple[str | None, int]:
        """Where a list, oldest first, has `offset` sessions behind it: a cursor, and how many to step over from there.

        A handful of round trips over the shards, whatever the offset and the number of sessions. While sessions past
        their deadline wait to be swept, the index counts them too: then the answer is the list's start and the whole
        offset.

        Raises:
            InvalidArgument: a negative offset.
        """
        seek = Seek(check_limit(offset, what="offset"))
        overdue, (oldest, newest), _counts = self._ranks([])
        seek.begin(oldest, newest)
        while not overdue and (times := seek.times()):
            overdue, _ends, counts = self._ranks(times)
            seek.take(times, counts)
        if overdue or not newest:
            return None, offset
        return encode_cursor(CURSOR, {"order": "oldest", "user": None, "after": [seek.low, ""]}), seek.skip

    def _ranks(self, times: Sequence[int]) -> tuple[int, tuple[int, int], Sequence[int]]:
        """Overdue sessions, the oldest and the newest time, and how many sessions were updated before each time."""
        now = self._keys.now_override_ms
        ranks = self._transport.call_many(
            [lua.ranks(shard=shard, now_override_ms=now, times=times) for shard in self._keys]
        )
        oldest = min((rank.oldest_ms for rank in ranks if rank.newest_ms), default=0)
        counts = [sum(column) for column in zip(*(rank.counts for rank in ranks), strict=True)]
        return sum(rank.overdue for rank in ranks), (oldest, max(rank.newest_ms for rank in ranks)), counts

    def each(
        self,
        *,
        order: Order = "newest",
        user: str | Unset | None = UNSET,
        labels: Sequence[str] = (),
        batch: int = 500,
        on_corrupt: Literal["raise", "skip"] = "raise",
    ) -> Iterator[SessionSummary]:
        """Every session, a page at a time, each exactly once, also those that change meanwhile.

        Sessions that are created after the start may or may not be among them. Remembers the ids it has given out.

        Raises:
            DecodeError: a session's record is damaged; `on_corrupt="skip"` leaves such sessions out.
        """
        seen: set[str] = set()
        since: datetime | None = None
        while True:
            cursor, newest, found = None, None, False
            while True:
                page = self.list(
                    order=order, limit=batch, cursor=cursor, user=user, labels=labels, on_corrupt=on_corrupt
                )
                for session in page:
                    newest = newest or session.updated_at
                    if session.id not in seen:
                        seen.add(session.id)
                        found = True
                        yield session
                cursor = page.cursor
                passed = since is not None and page.items and page.items[-1].updated_at < since
                if cursor is None or passed:
                    break
            # Newest first, a session that was still ahead goes behind the reader when it changes: look again at what
            # has changed since the sweep began, until nothing there is new.
            if order == "oldest" or newest is None or (since is not None and not found):
                return
            since = newest

    def count(self, *, user: str | Unset | None = UNSET) -> int:
        """How many sessions there are, those past their deadline not counted.

        One pipelined round trip over the shards; with `user`, the cost is that user's sessions.
        """
        if not isinstance(user, Unset):
            return len(self._of_user(_user(user)))
        calls = [lua.count(shard=shard, now_override_ms=self._keys.now_override_ms) for shard in self._keys]
        return sum(self._transport.call_many(calls))

    def save(
        self,
        session: Session,
        *,
        messages: Sequence[Message] = (),
        through: int | None = None,
        documents: Mapping[str, Any] | None = None,
        updates: Mapping[str, Any] | None = None,
        keep_runtime: bool = False,
        updated_at: datetime | None = None,
        base: Base | None = None,
        operation_id: str | None = None,
        known: KnownSave | None = None,
        unchanged: bool = False,
    ) -> Saved:
        """Save a runtime session: merge its metadata with what is stored, and append its new messages.

        Creates the session where there is none. Where the stored `metadata_version` is not lower than the session's,
        the stored authoritative group wins as a whole; the caller's object takes the merged values. Messages are no
        part of the merge: what others appended meanwhile stays. Atomic, one round trip; slides the expiry.

        Args:
            session: changed in place. One that was read or saved before carries its `gen`, so that saving it after a
                delete is SessionGone and does not bring it back.
            messages: what is new, 500 at most.
            through: the messages replace those up to this sequence number; what was appended after it stays.
            documents: JSON values by name, set in the same moment; None removes one.
            updates: context updates by their ids, put in at the same moment: known ones in their place; None removes
                one. 5,000 at most.
            keep_runtime: the stored status, parent and metadata stay, for a caller that does not know them; a session
                that this call creates takes the given ones.
            updated_at: when the session was updated, where the caller's clock is to tell; a time in the future counts
                as now.
            base: replaces the base that the session carries.
            operation_id: the same id again answers the first reply and changes nothing.
            known: `Saved.known` of the caller's save of this session before; where nobody else has written since, the
                server need not look up and answer again what it answered then. Not with an `operation_id` that was
                used before that save.
            unchanged: whether session, documents and all else but the messages are as in the known save, and the
                session as that save left it: they are not encoded, or compared, anew.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
            LimitExceeded: a message, a value or the session's quota; nothing is written.
            InvalidArgument: bad id, a message that is no JSON object, a value that is no JSON; or `through` leaves too
                few sequence numbers for the new messages.
        """
        if not isinstance(session, Session):
            raise InvalidArgument(f"session must be a Session, not {type(session).__name__}")
        keys = self._keys.session(check_session_id(session.id))
        if through is not None:
            check_limit(through, what="through")
        marks, payloads = self._encoder.encode(messages)
        if known is not None and unchanged:
            given = known.given
        else:
            if session.user is not None:
                _user(session.user)
            size = self._encoder.entry_bytes_max
            given = prepare(
                session,
                authoritative=authoritative_pairs(session, bytes_max=size),
                runtime=runtime_pairs(session, bytes_max=size),
                host=host_pairs(session, bytes_max=size),
                labels=label_pairs(session.labels),
                documents=self._value_pairs("document", documents),
                updates=self._value_pairs("update", updates),
                keep_runtime=keep_runtime,
                updated_ms=None if updated_at is None else ms_from_datetime(updated_at),
            )
        call = lua.save(
            session=keys,
            write=Write.of(self._keys, "sessions.save", session.base if base is None else base, operation_id),
            into=session,
            given=given,
            through=through,
            marks=marks,
            payloads=payloads,
            known=known,
            settled=unchanged,
        )
        # New messages never reach into sealed ones.
        return self._transport.call(call) if through is None else self._sealing.call(keys, call)

    def _value_pairs(self, what: str, given: Mapping[str, Any] | None) -> Pairs:
        """Names and stored values; an empty one removes."""
        pairs: Pairs = []
        for name, value in (given or {}).items():
            what_it_is = f"{what} {check_text(name, what=f'name of a {what}', bytes_max=ENTRY_NAME_BYTES_MAX)!r}"
            pairs += [name, b"" if value is None else self._values.encode(what_it_is, value)]
        if len(pairs) // 2 > SAVE_ENTRIES_MAX:
            raise LimitExceeded(f"{len(pairs) // 2} {what}s in one call; the limit is {SAVE_ENTRIES_MAX}")
        return pairs

    def update(
        self,
        session_id: SessionId,
        *,
        title: str | Unset | None = UNSET,
        pinned: bool | Unset = UNSET,
        authoritative: Mapping[str, Any] | None = None,
        host: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        labels: Mapping[str, str | None] | None = None,
        status: str | Unset | None = UNSET,
        parent: str | Unset | None = UNSET,
        user: str | Unset = UNSET,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> Updated:
        """Edit single fields: UNSET leaves, None clears, a value sets; mappings likewise, name by name.

        A changed title bumps `title_version` and `metadata_version`; another change of the authoritative group
        (`pinned`, `authoritative`) bumps `metadata_version`, once a call. An edit that changes nothing writes nothing,
        bumps nothing and is not in the feed. Atomic, one round trip; slides the expiry if something changed.

        Raises:
            NotFound: there is no such session.
            SessionGone, VersionConflict, LeaseLost: by the base.
            InvalidArgument, LimitExceeded: a bad or too large value.
        """
        keys = self._keys.session(check_session_id(session_id))
        sets, clears = update_pairs(
            {"title": title, "status": status, "parent": parent},
            {"auth:": authoritative or {}, "host:": host or {}, "meta:": metadata or {}},
            pinned=pinned,
            bytes_max=self._encoder.entry_bytes_max,
        )
        shown = label_pairs(labels or {})
        for name, value in zip(shown[::2], shown[1::2], strict=True):
            if value:
                sets += [name, value]
            else:
                clears.append(str(name))
        owner = "" if isinstance(user, Unset) else _user(user)
        write = Write.of(self._keys, "sessions.update", base, operation_id)
        return self._transport.call(lua.update(session=keys, write=write, sets=sets, clears=clears, user=owner))

    def delete(self, session_id: SessionId, *, base: Base = NO_BASE, operation_id: str | None = None) -> bool:
        """Remove everything of the session, also a torn or damaged one.

        Unknown: False. Atomic, one round trip. Its operation ids stay behind in a tombstone for an hour, so that a late
        repeat of an earlier write does not bring the session back.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        write = Write.of(self._keys, "sessions.delete", base, operation_id)
        return self._transport.call(lua.delete(session=keys, write=write))

    def delete_all(self, *, batch: int = 500) -> int:
        """Remove every session of the namespace, as `delete` does; answers how many there were.

        The policy, the workspaces and whatever else the server holds stay. Many round trips, each of which deletes at
        most `batch` sessions, so that others are served meanwhile; a session that is created meanwhile may stay. Where
        it fails, what was deleted stays deleted, and calling it again goes on.

        Raises:
            InvalidArgument: `batch` is not 1 to 5000.
        """
        check_limit(batch, what="batch", at_least=1, at_most=DELETE_BATCH_MAX)
        deleted = 0
        for page, name in DELETE_FROM:
            pending = dict.fromkeys(range(self._keys.shards), "")
            while pending:
                limit = max(1, batch // len(pending))
                calls = [
                    page(index=getattr(self._keys.shard(index), name), after=after, limit=limit)
                    for index, after in pending.items()
                ]
                replies = self._transport.call_many(calls)
                found = [row for _following, rows in replies for row in rows]
                for first in range(0, len(found), batch):
                    deleted += self._delete_listed(found[first : first + batch])
                positions = zip(pending, replies, strict=True)
                pending = {index: following for index, (following, _rows) in positions if following}
        return deleted

    def _delete_listed(self, found: Sequence[tuple[str, SessionId]]) -> int:
        """Delete the sessions of these rows; a row whose session is gone already is removed from its list."""
        calls = [
            lua.delete(
                session=self._keys.session(session_id), write=Write.of(self._keys, "sessions.delete", NO_BASE, None)
            )
            for _row, session_id in found
        ]
        deleted = self._transport.call_many(calls)
        gone = [
            lua.unlist(session=self._keys.session(session_id), rows=(row,))
            for (row, session_id), was_there in zip(found, deleted, strict=True)
            if not was_there
        ]
        self._transport.call_many(gone)
        return sum(deleted)


def _user(user: str | None) -> str:
    """The owner's name; None is the user `default`."""
    if user is None:
        return DEFAULT_USER
    if not isinstance(user, str):
        raise InvalidArgument(f"user must be a string or None, not {type(user).__name__}")
    return check_text(user, what="user", bytes_max=512)
