# Generated from sessioncache/sealing/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Sealed messages for those who read and write transcripts: chunks are opened here, and swapped back for a write."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from sessioncache.errors import Conflict, DecodeError, MessagesSealed
from sessioncache.sealing import lua
from sessioncache.sealing.chunks import OpenChunk, damaged_entries, needed_dictionary, open_chunk
from sessioncache.sealing.dictionaries import known_dictionary, remember_dictionary, unpack_dictionary
from sessioncache.sealing.models import NO_ROWS, ChunkPlace, JoinedRows, MadeRows, RawEntry, Rows
from sessioncache.transport.base import Transport
from sessioncache.wire.call import Arg, Call
from sessioncache.wire.keys import Keyspace, SessionKeys

if TYPE_CHECKING:
    import zstandard

__all__ = ["Sealing"]

T = TypeVar("T")

OPEN_TRIES: Final = 10
"""How often messages are opened for one write, where others seal or open them at the same time."""


class Sealing:
    """What is sealed, as messages again."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def call(self, session: SessionKeys, call: Call[T]) -> T:
        """Send a write; where it reaches into sealed messages, open those and send it again under its operation id.

        Raises:
            Conflict: others sealed them each time that they had been opened.
            DecodeError: they cannot be read.
        """
        for _ in range(OPEN_TRIES):
            try:
                return self._transport.call(call)
            except MessagesSealed as sealed:
                self._unseal(session, sealed.seq)
        raise Conflict(
            f"session {session.session_id!r}: others sealed its messages each time that they had been opened"
        )

    def _unseal(self, session: SessionKeys, seq: int) -> None:
        """Swap all chunks from the one that holds a message on for what is in them, unless somebody else does."""
        now = self._keys.now_override_ms
        part = self._transport.call(lua.open_(session=session, now_override_ms=now, seq=seq))
        if part is None:
            return
        entries = self.entries(session, part.items)
        damaged = next((entry for entry in entries if entry.damage is not None), None)
        if damaged is not None:
            raise DecodeError(f"message {damaged.seq} is sealed and cannot be read: {damaged.damage}", seq=damaged.seq)
        flat: list[Arg] = []
        for entry in entries:
            flat += [entry.seq, entry.ms, entry.mark, entry.payload]
        self._transport.call(lua.unseal(session=session, now_override_ms=now, part=part, entries=flat))

    def entries(self, session: SessionKeys, items: Sequence[bytes]) -> list[RawEntry]:
        """All messages out of places and chunks, as `rows`."""
        return (self.rows(session, items)).entries()

    def rows(
        self,
        session: SessionKeys,
        items: Sequence[bytes],
        *,
        start: int = 0,
        stop: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> Rows:
        """Messages out of places and chunks that alternate, oldest first; those of a damaged chunk carry the damage.

        Args:
            session: whose they are.
            items: places and chunks.
            start: the least sequence number wanted.
            stop: the greatest; None: any.
            limit: most messages; None: all.
            newest: whether the limit counts from the newest.

        Raises:
            DecodeError: a place is damaged.
        """
        if len(items) % 2:
            raise DecodeError(f"session {session.session_id!r}: a place of what is sealed has no chunk behind it")
        dictionaries = self._dictionaries(session, items[1::2])
        parts: list[Rows] = []
        left = limit
        for at in range(len(items) - 2, -1, -2) if newest else range(0, len(items), 2):
            try:
                place = ChunkPlace.parse(items[at])
            except ValueError as error:
                raise DecodeError(f"session {session.session_id!r}: what is sealed has no place: {error}") from error
            if left == 0:
                break
            found = _wanted(place, items[at + 1], dictionaries, (start, stop, left, newest))
            if found:
                parts.append(found)
                left = None if left is None else left - len(found)
        if len(parts) == 1:
            return parts[0]
        return JoinedRows(parts[::-1] if newest else parts) if parts else NO_ROWS

    def _dictionaries(self, session: SessionKeys, chunks: Sequence[bytes]) -> dict[str, zstandard.ZstdCompressionDict]:
        """The dictionaries that chunks need, as far as there are any; one round trip for each that is met first."""
        found: dict[str, zstandard.ZstdCompressionDict] = {}
        for name in map(needed_dictionary, chunks):
            if name is None or name in found:
                continue
            known = known_dictionary(name)
            if known is None:
                stored = self._transport.call(lua.dictionary(shard=session.shard, name=name))
                try:
                    known = None if stored is None else remember_dictionary(name, unpack_dictionary(stored))
                except ValueError:
                    known = None
            if known is not None:
                found[name] = known
        return found


def _wanted(
    place: ChunkPlace,
    chunk: bytes,
    dictionaries: dict[str, zstandard.ZstdCompressionDict],
    window: tuple[int, int | None, int | None, bool],
) -> Rows:
    """The messages of one chunk that lie in the window."""
    start, stop, limit, newest = window
    opened: OpenChunk | None = None
    try:
        opened = open_chunk(place, chunk, dictionaries)
        seqs: Sequence[int] = opened.seqs
        damaged: list[RawEntry] = []
    except (ValueError, IndexError) as error:
        damaged = list(damaged_entries(place, f"its chunk, {place.first_seq} to {place.last_seq}, is damaged: {error}"))
        seqs = [entry.seq for entry in damaged]
    first = bisect_left(seqs, start)
    last = len(seqs) if stop is None else bisect_right(seqs, stop)
    if limit is not None and last - first > limit:
        first, last = (last - limit, last) if newest else (first, first + limit)
    return MadeRows(damaged[first:last]) if opened is None else opened.rows(first, last)
