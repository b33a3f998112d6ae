"""The methods of `cache.transcripts`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from sessioncache.errors import Conflict, InvalidArgument
from sessioncache.near import NearCache
from sessioncache.sealing._async import AsyncSealing
from sessioncache.sealing.models import NO_ROWS
from sessioncache.sealing.opening import dictionaries_at_hand
from sessioncache.transcripts import lua
from sessioncache.transcripts.lua import RawPage
from sessioncache.transcripts.models import Appended, Entry, Replaced, TranscriptPage
from sessioncache.transcripts.paging import (
    Window,
    behind_seam,
    fits,
    joined,
    page_from,
    parted_read,
    whole_read,
    with_entries,
)
from sessioncache.transcripts.tail import Tail, page_again
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import (
    NO_BASE,
    Base,
    Message,
    SessionId,
    check_limit,
    check_session_id,
    check_user,
)
from sessioncache.wire.call import Watch, Write
from sessioncache.wire.keys import SESSIONS_KEPT, Key, Keyspace, SessionKeys
from sessioncache.wire.messages import BATCH_ITEMS_MAX, MessageEncoder

__all__ = ["AsyncTranscripts"]

SAVE_ITEMS_MAX = 1_000_000

STAGING_TRIES = 5
"""How often a long transcript is staged, where somebody creates the session anew while it is."""


class AsyncTranscripts:
    """The messages of sessions: append, read, replace, pop, delete."""

    def __init__(
        self, transport: AsyncTransport, keys: Keyspace, encoder: MessageEncoder, near: NearCache | None = None
    ) -> None:
        self._transport = transport
        self._near = near
        self._keys = keys
        self._encoder = encoder
        self._sealing = AsyncSealing(transport, keys)
        self._whole: set[Key] = set()
        """Records of sessions that were sealed whole when they were read last: a guess at how to read them best."""

    async def append(
        self,
        session_id: SessionId,
        messages: Message | Sequence[Message],
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> Appended:
        """Add one message or several to the end, in one block that nobody else's messages come between.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Args:
            session_id: whose transcript.
            messages: a JSON object or its bytes, or a list of them, 1 to 500.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: bad id, no message, or something that is no JSON object; nothing is written.
            LimitExceeded: a message, the batch or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        marks, payloads = self._encoder.encode(messages)
        if not payloads:
            raise InvalidArgument("there is no message to append; give at least one")
        write = Write.of(self._keys, "transcripts.append", base, operation_id)
        return await self._transport.call(
            lua.append(session=keys, write=write, user=check_user(user), marks=marks, payloads=payloads)
        )

    async def list(
        self,
        session_id: SessionId,
        *,
        last: int | None = None,
        start: int | None = None,
        stop: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        on_corrupt: Literal["raise", "skip"] = "raise",
    ) -> TranscriptPage:
        """A page of messages, oldest first: the last n, a range of sequence numbers, or the next page of either.

        Unknown session: an empty page whose `exists` is False. One round trip, or, for the last n with a near-cache,
        none; costs what it answers, however long the transcript is. Does not slide the expiry, unless the policy says
        so.

        Args:
            session_id: whose transcript.
            last: the newest n messages; its cursor leads to older ones. 0: none.
            start: first sequence number of a range; its cursor leads to newer ones. Without anything: from the
            beginning.
            stop: last sequence number of the range, itself included.
            limit: most messages of a page of a range, 0 to 10000; 500 unless given.
            cursor: of the page before; nothing else may be given with it but `limit`.
            on_corrupt: `skip` leaves out messages that cannot be decoded and names them in `skipped`.

        Raises:
            InvalidArgument: a negative number, `last` together with a range, or a foreign cursor.
            DecodeError: a message cannot be decoded; `.seq` says which.
            SessionTorn: the record and the transcript disagree.
        """
        keys = self._keys.session(check_session_id(session_id))
        window = Window.of(last=last, start=start, stop=stop, limit=limit, cursor=cursor)
        near = self._near
        if near is None or last is None or self._keys.now_override_ms is not None:
            raw = await self._read(keys, window)
            return page_from(raw, window, self._encoder, skip=on_corrupt == "skip")
        kept = near.get(keys, "tail", extent=last)
        if kept is not None:
            tail: Tail = kept.value
            if tail.messages is None:
                near.grow(keys, "tail", tail.prepare(self._encoder))
            return page_again(tail, window, self._encoder)
        with near.fill(keys) as fill:
            raw = await self._read(keys, window, fill)
            page = page_from(raw, window, self._encoder, skip=on_corrupt == "skip")
            if not page.skipped:
                tail = Tail.of(raw)
                fill.keep("tail", tail, size=tail.size, extent=tail.extent)
        return page

    async def _read(self, keys: SessionKeys, window: Window, watch: Watch | None = None) -> RawPage | None:
        """Read record and entries; oldest first.

        Side by side, for that costs a quarter of a script that hands entries on; by the script, in one moment, where
        those two do not fit together, and where the stream is probably empty.
        """
        now = self._keys.now_override_ms
        raw: RawPage | None = None
        is_guess = keys.record in self._whole and window.limit > 0
        if is_guess:
            is_read = False
        else:
            record, stream = parted_read(keys, window, now)
            head, entries = await self._transport.call_many([record.watched(watch), stream])
            entries = behind_seam(head, entries)
            is_read = fits(head, entries, window)
            raw = None if head is None else with_entries(head, entries, head.seam)
        if not is_read:
            call = whole_read(keys, window, now)
            raw = await self._transport.call(call if watch is None or not is_guess else call.watched(watch))
        seam = None if raw is None else raw.seam
        is_whole = seam is not None and not seam.tail_first_seq
        if is_whole is not is_guess:
            self._guess(keys.record, is_whole=is_whole)
        if raw is None:
            return None
        if window.newest and raw.entries:
            raw = with_entries(raw, raw.entries.reversed(), seam)
        if seam is None:
            return raw
        if window.limit == 0:
            return with_entries(raw, NO_ROWS, None)
        dictionaries = dictionaries_at_hand(seam.items)
        if dictionaries is None:
            dictionaries = await self._sealing.dictionaries(keys, seam.items)
        return joined(raw, seam.items, dictionaries, window, keys.session_id)

    def _guess(self, record: Key, *, is_whole: bool) -> None:
        """Note whether a session is sealed whole."""
        if not is_whole:
            self._whole.discard(record)
            return
        if len(self._whole) >= SESSIONS_KEPT:
            self._whole.clear()
        self._whole.add(record)

    async def each(
        self,
        session_id: SessionId,
        *,
        start: int = 0,
        batch: int = BATCH_ITEMS_MAX,
        on_corrupt: Literal["raise", "skip"] = "raise",
    ) -> AsyncIterator[Entry]:
        """Every message from `start` on, oldest first, read a page at a time.

        Unknown session: nothing. Messages that are appended meanwhile are answered too.

        Raises:
            SessionTorn, DecodeError: as `list`.
        """
        check_limit(batch, what="batch", at_least=1)
        cursor: str | None = None
        while True:
            if cursor is None:
                page = await self.list(session_id, start=start, limit=batch, on_corrupt=on_corrupt)
            else:
                page = await self.list(session_id, cursor=cursor, limit=batch, on_corrupt=on_corrupt)
            for entry in page:
                yield entry
            cursor = page.cursor
            if cursor is None:
                return

    async def count(self, session_id: SessionId) -> int:
        """How many messages there are; 0 for an unknown session. One round trip.

        Raises:
            SessionTorn: the record and the transcript disagree.
        """
        return (await self.list(session_id, last=0)).count

    async def save(
        self,
        session_id: SessionId,
        messages: Sequence[Message],
        *,
        through: int | None = None,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> Replaced:
        """Replace the transcript in one swap: readers see the old one or the new one, never a part of either.

        Unknown session: it is created, with an empty transcript if `messages` is empty. One round trip for up to 500
        messages; more are staged in parts first, where nobody sees them, and swapped in at the end. Slides the expiry.

        Args:
            session_id: whose transcript.
            messages: the new transcript.
            through: replace only up to this sequence number; what was appended after it stays, and follows.
            user: whose session it is, if this call creates it.
            base: give the revision that the new transcript was made from, and a concurrent write is a VersionConflict.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: as `append`; or `through` leaves too few sequence numbers for the new messages.
            LimitExceeded: as `append`; or `through` with more than 500 messages.
            SessionGone, VersionConflict, LeaseLost: by the base.
            Conflict: others deleted and created the session each time its messages had been staged.
        """
        keys = self._keys.session(check_session_id(session_id))
        if through is not None:
            check_limit(through, what="through")
        items_max = SAVE_ITEMS_MAX if through is None else BATCH_ITEMS_MAX
        marks, payloads = self._encoder.encode(messages, items_max=items_max)
        write = Write.of(self._keys, "transcripts.save", base, operation_id)
        staged = len(payloads) if len(payloads) > BATCH_ITEMS_MAX else 0
        call = lua.save(
            session=keys,
            staging=keys.staging(write.operation),
            write=write,
            user=check_user(user),
            through=through,
            staged=staged,
            size=sum(map(len, payloads)),
            marks="" if staged else marks,
            payloads=[] if staged else payloads,
        )
        for _ in range(STAGING_TRIES):
            if staged:
                await self._stage(keys, write, marks, payloads)
            replaced = await self._sealing.call(keys, call)
            if replaced is not None:
                return replaced
        raise Conflict(f"session {session_id!r} was created anew by others each time its messages had been staged")

    async def _stage(self, keys: SessionKeys, write: Write, marks: str, payloads: Sequence[bytes]) -> None:
        """Put the parts of a long transcript aside, one round trip each."""
        for offset in range(0, len(payloads), BATCH_ITEMS_MAX):
            part = slice(offset, offset + BATCH_ITEMS_MAX)
            await self._transport.call(
                lua.stage(
                    session=keys,
                    staging=keys.staging(write.operation),
                    write=write,
                    offset=offset,
                    total=len(payloads),
                    marks=marks[part],
                    payloads=payloads[part],
                )
            )

    async def pop(
        self, session_id: SessionId, *, base: Base = NO_BASE, operation_id: str | None = None
    ) -> Entry | None:
        """Remove the last message and answer it.

        Unknown session, or no message: None. Atomic, one round trip; slides the expiry. Its sequence number is not
        given out again.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
            DecodeError: the message was removed but cannot be decoded.
        """
        keys = self._keys.session(check_session_id(session_id))
        raw = await self._sealing.call(
            keys, lua.pop(session=keys, write=Write.of(self._keys, "transcripts.pop", base, operation_id))
        )
        if raw is None:
            return None
        message = self._encoder.decode(raw.payload, seq=raw.seq)
        return Entry(raw.seq, raw.ms, raw.payload, message)

    async def delete(self, session_id: SessionId, *, base: Base = NO_BASE, operation_id: str | None = None) -> bool:
        """Remove all messages; the session stays, and numbering goes on where it was.

        Unknown session, or no message: False. Atomic, one round trip; slides the expiry.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        write = Write.of(self._keys, "transcripts.delete", base, operation_id)
        return await self._transport.call(lua.delete(session=keys, write=write))
