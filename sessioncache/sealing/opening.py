"""Messages out of places and chunks, as far as a window reaches.

The rule of this module: no I/O. What is damaged stands for its own messages and for no others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sessioncache.errors import DecodeError
from sessioncache.sealing.chunks import OpenChunk, damaged_entries, needed_dictionary, open_chunk
from sessioncache.sealing.dictionaries import known_dictionary
from sessioncache.sealing.models import NO_ROWS, ChunkPlace, JoinedRows, MadeRows, RawEntry, Rows

if TYPE_CHECKING:
    import zstandard

__all__ = ["dictionaries_at_hand", "rows_in"]


def dictionaries_at_hand(items: Sequence[bytes]) -> dict[str, zstandard.ZstdCompressionDict] | None:
    """The dictionaries that chunks need; None where this process has not met one of them.

    Args:
        items: places and chunks that alternate.
    """
    found: dict[str, zstandard.ZstdCompressionDict] = {}
    for chunk in items[1::2]:
        name = needed_dictionary(chunk)
        if name is None or name in found:
            continue
        known = known_dictionary(name)
        if known is None:
            return None
        found[name] = known
    return found


def rows_in(
    items: Sequence[bytes],
    dictionaries: Mapping[str, zstandard.ZstdCompressionDict],
    *,
    session_id: str,
    start: int = 0,
    stop: int | None = None,
    limit: int | None = None,
    newest: bool = False,
) -> Rows:
    """Messages out of places and chunks that alternate, oldest first; those of a damaged chunk carry the damage.

    Args:
        items: places and chunks.
        dictionaries: those that the chunks need, as far as there are any.
        session_id: whose they are, for an error's text.
        start: the least sequence number wanted.
        stop: the greatest; None: any.
        limit: most messages; None: all.
        newest: whether the limit counts from the newest.

    Raises:
        DecodeError: a place is damaged.
    """
    if len(items) % 2:
        raise DecodeError(f"session {session_id!r}: a place of what is sealed has no chunk behind it")
    parts: list[Rows] = []
    left = limit
    for at in range(len(items) - 2, -1, -2) if newest else range(0, len(items), 2):
        try:
            place = ChunkPlace.parse(items[at])
        except ValueError as error:
            raise DecodeError(f"session {session_id!r}: what is sealed has no place: {error}") from error
        if left == 0:
            break
        found = _wanted(place, items[at + 1], dictionaries, (start, stop, left, newest))
        count = len(found)
        if count:
            parts.append(found)
            left = None if left is None else left - count
    if len(parts) == 1:
        return parts[0]
    return JoinedRows(parts[::-1] if newest else parts) if parts else NO_ROWS


def _wanted(
    place: ChunkPlace,
    chunk: bytes,
    dictionaries: Mapping[str, zstandard.ZstdCompressionDict],
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
    first = bisect_left(seqs, start) if start else 0
    last = len(seqs) if stop is None else bisect_right(seqs, stop)
    if limit is not None and last - first > limit:
        first, last = (last - limit, last) if newest else (first, first + limit)
    return MadeRows(damaged[first:last]) if opened is None else opened.rows(first, last)
