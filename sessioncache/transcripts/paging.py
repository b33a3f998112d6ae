"""Which part of a transcript to read, and the page that is made of the answer.

The rule of this module: no I/O; an answer that disagrees with the record is an error, not a shorter page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from sessioncache.errors import DecodeError, InvalidArgument, SessionTorn
from sessioncache.sealing.models import NO_ROWS, JoinedRows, MadeRows, Rows
from sessioncache.sealing.opening import rows_in
from sessioncache.transcripts import lua
from sessioncache.transcripts.lua import RawPage, Seam
from sessioncache.transcripts.models import Entries, Entry, TranscriptPage
from sessioncache.types import EXACT_MAX, JSONObject, check_limit, decode_cursor, encode_cursor
from sessioncache.wire.call import Call
from sessioncache.wire.keys import SESSIONS_KEPT, SessionKeys
from sessioncache.wire.messages import MessageEncoder

if TYPE_CHECKING:
    import zstandard

__all__ = ["Window", "behind_seam", "fits", "joined", "page_from", "with_entries"]

PAGE_DEFAULT: Final = 500
PAGE_MAX: Final = 10_000
CURSORS_KEPT: Final = 4_096
"""Pages of sessions that are as long as each other have the same cursor, and most are asked for again."""


class Window(NamedTuple):
    """A range of sequence numbers, counted from one of its ends."""

    start: int
    stop: int | None
    limit: int
    newest: bool
    """Whether the limit counts from the newest end."""

    @classmethod
    def of(
        cls, *, last: int | None, start: int | None, stop: int | None, limit: int | None, cursor: str | None
    ) -> Window:
        """The window that the arguments of `transcripts.list` describe.

        Raises:
            InvalidArgument: they contradict each other, or one is negative.
        """
        if cursor is not None:
            if not (last is None and start is None and stop is None):
                raise InvalidArgument("give a cursor or a range, not both: the cursor knows its range")
            return cls._from_cursor(cursor, limit)
        if last is not None:
            if start is not None or stop is not None or limit is not None:
                raise InvalidArgument("give `last`, or a range (`start`, `stop`, `limit`), not both")
            return tuple.__new__(cls, (0, None, check_limit(last, what="last", at_most=PAGE_MAX), True))
        first = 0 if start is None else check_limit(start, what="start", at_most=EXACT_MAX)
        final = None if stop is None else check_limit(stop, what="stop", at_most=EXACT_MAX)
        size = PAGE_DEFAULT if limit is None else check_limit(limit, at_most=PAGE_MAX)
        return cls(first, final, size, newest=False)

    @classmethod
    def _from_cursor(cls, cursor: str, limit: int | None) -> Window:
        match decode_cursor("transcripts.list", cursor):
            case {
                "start": int() as start,
                "stop": int() | None as stop,
                "limit": int() as size,
                "newest": bool() as newest,
            }:
                size = size if limit is None else check_limit(limit, at_most=PAGE_MAX)
                return cls(start, stop, size, newest)
        raise InvalidArgument(
            f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor"
        )

    def after(self, shown: tuple[int, int] | None, raw: RawPage) -> str | None:
        """The cursor of the page that follows one with these ends, if anything does."""
        if shown is None or self.limit == 0:
            return None
        first, last = shown
        if self.newest:
            start = self.start
            if first <= raw.first_seq or first <= start:
                return None
            return _older(start, first - 1, self.limit)
        if last >= (raw.last_seq if self.stop is None else min(raw.last_seq, self.stop)):
            return None
        return _newer(last + 1, self.stop, self.limit)


@lru_cache(maxsize=CURSORS_KEPT)
def _older(start: int, stop: int, limit: int) -> str:
    return _cursor({"start": start, "stop": stop, "limit": limit, "newest": True})


@lru_cache(maxsize=CURSORS_KEPT)
def _newer(start: int, stop: int | None, limit: int) -> str:
    return _cursor({"start": start, "stop": stop, "limit": limit, "newest": False})


def _cursor(state: JSONObject) -> str:
    return encode_cursor("transcripts.list", state)


@lru_cache(maxsize=SESSIONS_KEPT)
def whole_read(keys: SessionKeys, window: Window, now_override_ms: int | None) -> Call[RawPage | None]:
    """Record and entries of a window, in one moment. Who reads a session again mostly reads the same of it."""
    return lua.list_(
        session=keys,
        now_override_ms=now_override_ms,
        start=window.start,
        stop=window.stop,
        limit=window.limit or 1,
        newest=window.newest,
    )


@lru_cache(maxsize=SESSIONS_KEPT)
def parted_read(
    keys: SessionKeys, window: Window, now_override_ms: int | None
) -> tuple[Call[RawPage | None], Call[Rows]]:
    """What the record says of a window, and its entries, to be read side by side."""
    start, stop, limit, newest = window
    head = lua.head(session=keys, now_override_ms=now_override_ms, start=start, stop=stop, limit=limit, newest=newest)
    return head, lua.read(session=keys, start=start, stop=stop, limit=limit or 1, newest=newest)


def fits(head: RawPage | None, entries: Rows, window: Window) -> bool:
    """Whether entries read from the stream beside the record can be those that the record speaks of.

    They were read one after the other, so somebody may have written in between. The window is what the record says, if
    it has as many entries as fit into it and its ends are where they should be. Only a replacement below some number
    can pass unseen, for it reuses numbers; the page then carries the revision before it, and a write based on it is
    refused.

    What is sealed was read with the record. Sealing takes the oldest entries out of the stream, so the oldest one of
    the window has to be where the stream begins, or where the window does. The entry behind the seam also has to have
    come when it had: what is sealed must not be joined to a replacement that took its place.
    """
    if head is None:
        return not entries
    first_seq, last_seq, count = _tail(head)
    stop = last_seq if window.stop is None else window.stop
    if not entries or count == 0 or window.start > last_seq or stop < first_seq:
        return not entries and (count == 0 or window.start > last_seq or stop < first_seq)
    low, high = sorted(entries.ends)
    if head.seam is not None and low == head.seam.tail_first_seq:
        oldest = entries[-1] if window.newest else entries[0]
        if oldest.ms != head.seam.tail_first_ms:
            return False
    limit = window.limit or 1
    begins = low == max(first_seq, window.start) or (window.newest and len(entries) == limit)
    ends = high == last_seq or not window.newest or window.stop is not None
    whole = window.start <= first_seq and window.stop is None
    complete = not whole or len(entries) == min(limit, count)
    return begins and ends and complete and first_seq <= low and high <= last_seq


def behind_seam(head: RawPage | None, entries: Rows) -> Rows:
    """Entries of the stream without those that were sealed when the record was read: somebody opened them since."""
    if head is None or head.seam is None or not entries or min(entries.ends) > head.seam.last_seq:
        return entries
    last_sealed = head.seam.last_seq
    return MadeRows([entry for entry in entries if entry.seq > last_sealed])


def joined(
    raw: RawPage,
    items: Sequence[bytes],
    dictionaries: Mapping[str, zstandard.ZstdCompressionDict],
    window: Window,
    session_id: str,
) -> RawPage:
    """The page with what is sealed of it.

    Args:
        raw: what is not, oldest first.
        items: places and chunks.
        dictionaries: those that the chunks need, as far as there are any.
        window: what is wanted, at least one entry.
        session_id: whose page it is, for an error's text.

    Raises:
        DecodeError: a place is damaged.
    """
    start, stop, limit, newest = window
    tail = raw.entries
    count = len(tail)
    left = limit - count if newest else limit
    sealed = rows_in(items, dictionaries, session_id=session_id, start=start, stop=stop, limit=left, newest=newest)
    if count and not newest:
        tail = tail[: limit - len(sealed)]
        count = len(tail)
    if not count:
        return with_entries(raw, sealed, None)
    return with_entries(raw, JoinedRows([sealed, tail]) if sealed else tail, None)


def with_entries(raw: RawPage, entries: Rows, seam: Seam | None) -> RawPage:
    """The page with other entries."""
    return tuple.__new__(RawPage, (*raw[:5], entries, seam))


def _tail(head: RawPage) -> tuple[int, int, int]:
    """First and last sequence number, and the number of entries, of what lies in the stream."""
    if head.seam is None:
        return head.first_seq, head.last_seq, head.count
    count = head.count - head.seam.messages
    return head.seam.tail_first_seq, head.last_seq if count else 0, count


def page_from(raw: RawPage | None, window: Window, encoder: MessageEncoder, *, skip: bool) -> TranscriptPage:
    """The page for a reply.

    Raises:
        SessionTorn: the newest or oldest entry is not the one that the record names.
        DecodeError: a message cannot be decoded and `skip` is false.
    """
    if raw is None:
        return TranscriptPage((), exists=False, gen=None, revision=0, count=0, cursor=None)
    shown = raw.entries
    count = len(shown)
    ends = shown.ends if count else None
    if count or window.limit:
        _refuse_torn(raw, ends, window)
    if not window.limit:
        shown, count, ends = NO_ROWS, 0, None
    texts = shown.texts
    together = None if texts is None else encoder.decode_together(texts, count)
    items, skipped = _decoded(shown, encoder, skip=skip) if together is None else (Entries(shown, together), ())
    return TranscriptPage(
        items,
        exists=True,
        gen=raw.gen,
        revision=raw.revision,
        count=raw.count,
        cursor=window.after(ends, raw),
        skipped=skipped,
    )


def _decoded(shown: Rows, encoder: MessageEncoder, *, skip: bool) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    """The entries, and the sequence numbers of those that cannot be decoded."""
    items: list[Entry] = []
    skipped: list[int] = []
    for seq, ms, payload, _mark, damage in shown:
        try:
            if damage is not None:
                raise DecodeError(f"message {seq} cannot be decoded: {damage}", seq=seq)
            items.append(Entry(seq, ms, payload, encoder.decode(payload, seq=seq)))
        except DecodeError:
            if not skip:
                raise
            skipped.append(seq)
    return tuple(items), tuple(skipped)


def _refuse_torn(raw: RawPage, shown: tuple[int, int] | None, window: Window) -> None:
    """Compare the ends of what was read with the ends that the record names."""
    if window.newest and window.stop is None and raw.count and (not shown or shown[1] != raw.last_seq):
        raise SessionTorn(f"the transcript does not end where it should: {_named(raw)}")
    stop = raw.last_seq if window.stop is None else window.stop
    from_start = not window.newest and window.start <= raw.first_seq <= stop
    if from_start and raw.count and (not shown or shown[0] != raw.first_seq):
        raise SessionTorn(f"the transcript does not begin where it should: {_named(raw)}")


def _named(raw: RawPage) -> str:
    return f"the record names {raw.first_seq} to {raw.last_seq}"
