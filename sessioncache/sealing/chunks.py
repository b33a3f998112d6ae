"""Chunks: many messages as one compressed value, from which each payload comes back byte by byte.

The rule of this module: no I/O, and a chunk is read with the place in front of it. What is not what it says is a
ValueError, never a guess.

```
chunk     1 byte: 0x10 as it is · 0x11 zstd · 0x12 zstd with a dictionary, whose hash (8 bytes) follows      body
body      1 byte: bit 0: payloads are JSON, with commas between · bit 1: marks are stored
          3 bytes: how wide the numbers of the columns are, 0 to 8 bytes; 0: there is none but zeros
          marks · gaps in the sequence numbers · times before the newest · lengths · payloads
```

A chunk whose payloads are JSON is one array, but for its brackets: a reader parses all it needs at once.
"""

from __future__ import annotations

import sys
import threading
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import from_json

from sessioncache.sealing.models import ChunkPlace, RawEntry

if TYPE_CHECKING:
    import zstandard

__all__ = [
    "DICTIONARY_ID_BYTES",
    "OpenChunk",
    "body_of",
    "dictionary_id",
    "needed_dictionary",
    "open_chunk",
    "pack_chunk",
]

PLAIN: Final = 0x10
ZSTD: Final = 0x11
ZSTD_DICTIONARY: Final = 0x12
IS_JSON: Final = 1
HAS_MARKS: Final = 2
DICTIONARY_ID_BYTES: Final = 8
LEVEL: Final = 9
KEPT_MAX: Final = 16
"""Most compressors, and decompressors, that a thread keeps: one a dictionary."""
WIDTHS: Final = {0: "", 1: "B", 2: "H", 4: "I", 8: "Q"}
OVERHEAD: Final = 32
"""Most bytes of a message in a chunk besides its payload: mark, three numbers and a comma."""

_entry = cast("Callable[[tuple[Any, ...]], RawEntry]", partial(tuple.__new__, RawEntry))
"""An entry of its fields; a page has many, and this takes a third of the time."""

_own = threading.local()
"""Each thread's compressors and decompressors: one must not be used by two threads at once."""


def dictionary_id(data: bytes) -> str:
    """What a dictionary is called: its hash, in hexadecimal."""
    return blake2b(data, digest_size=DICTIONARY_ID_BYTES).hexdigest()


def body_of(entries: Sequence[RawEntry]) -> tuple[ChunkPlace, bytes]:
    """The place and the uncompressed body of a chunk of these messages, oldest first."""
    count = len(entries)
    payloads = [entry.payload for entry in entries]
    newest_ms = max(entry.ms for entry in entries)
    marks = "".join(entry.mark for entry in entries)
    is_json = all(map(_is_object, payloads))
    columns = [
        [entry.seq - entries[0].seq - at for at, entry in enumerate(entries)],
        [newest_ms - entry.ms for entry in entries],
        [len(payload) for payload in payloads],
    ]
    widths = [_width(column) for column in columns]
    has_marks = marks != "m" * count
    head = bytes([IS_JSON * is_json | HAS_MARKS * has_marks, *widths])
    packed = b"".join(_packed(column, width) for column, width in zip(columns, widths, strict=True))
    body = head + (marks.encode() if has_marks else b"") + packed + (b"," if is_json else b"").join(payloads)
    size = sum(columns[2])
    return ChunkPlace(entries[0].seq, entries[-1].seq, count, size, newest_ms, max(columns[1]), marks[0]), body


def pack_chunk(body: bytes, dictionary: zstandard.ZstdCompressionDict | None, name: str) -> bytes:
    """The chunk of a body, compressed where that makes it smaller.

    Args:
        body: as `body_of` made it.
        dictionary: to compress with, or None.
        name: the dictionary's hash, in hexadecimal.
    """
    compressed = _compressor(dictionary, name).compress(body)
    if dictionary is None:
        chunk = bytes([ZSTD]) + compressed
    else:
        chunk = bytes([ZSTD_DICTIONARY]) + bytes.fromhex(name) + compressed
    return chunk if len(chunk) <= len(body) else bytes([PLAIN]) + body


def _compressor(dictionary: zstandard.ZstdCompressionDict | None, name: str) -> zstandard.ZstdCompressor:
    """This thread's compressor for a dictionary: to make one takes longer than to compress a short session."""
    import zstandard  # noqa: PLC0415 - only who seals, or reads what is sealed, needs it

    compressors: dict[str, zstandard.ZstdCompressor] = _own.__dict__.setdefault("compressors", {})
    key = name if dictionary is not None else ""
    if key not in compressors:
        if len(compressors) >= KEPT_MAX:
            compressors.clear()
        if dictionary is not None:
            dictionary.precompute_compress(level=LEVEL)
        compressors[key] = zstandard.ZstdCompressor(
            level=LEVEL, dict_data=dictionary, write_checksum=True, write_dict_id=False
        )
    return compressors[key]


def needed_dictionary(chunk: bytes) -> str | None:
    """The hash of the dictionary that a chunk needs, if it needs one."""
    return chunk[1 : 1 + DICTIONARY_ID_BYTES].hex() if chunk[:1] == bytes([ZSTD_DICTIONARY]) else None


class OpenChunk:
    """A chunk's messages, each made when it is asked for."""

    __slots__ = ("_body", "_ends", "_is_json", "_marks", "_payloads_at", "_times", "place", "seqs")

    def __init__(self, place: ChunkPlace, body: bytes) -> None:
        """Read what the columns say.

        Raises:
            ValueError: the body is not what the place says.
        """
        count = place.count
        flags, *widths = body[:4]
        at = 4
        marks = "m" * count
        if flags & HAS_MARKS:
            marks, at = body[at : at + count].decode("ascii"), at + count
        columns: list[Sequence[int]] = []
        for width in widths:
            columns.append(_unpacked(body[at : at + width * count], width, count))
            at += width * count
        gaps, before, lengths = columns
        first = place.first_seq
        self.place = place
        self.seqs: Sequence[int] = (
            [first + index + gap for index, gap in enumerate(gaps)] if widths[0] else range(first, first + count)
        )
        self._is_json = bool(flags & IS_JSON)
        self._marks = marks
        self._times = before
        step = int(self._is_json)
        self._ends = list(accumulate(lengths, initial=0))
        self._payloads_at = at
        self._body = body
        if (
            len(marks) != count
            or self.seqs[-1] != place.last_seq
            or at + self._ends[-1] + step * (count - 1) != len(body)
        ):
            raise ValueError("its messages do not fill it")

    def entries(self, first: int, last: int, *, decode: bool) -> list[RawEntry]:
        """The messages from one position to before another.

        Args:
            first: of the first message, counted from 0.
            last: behind the last message.
            decode: whether to decode plain JSON, all of it at once.
        """
        body, newest_ms = self._body, self.place.newest_ms
        step = int(self._is_json)
        ends = self._ends[first : last + 1]
        begin = self._payloads_at + step * first
        messages: Sequence[Any] = ()
        if decode and self._is_json and last > first:
            try:
                messages = from_json(b"[" + body[begin + ends[0] : begin + ends[-1] + last - first - 1] + b"]")
            except ValueError:
                # Damage that the checksum did not see, or a parser that is stricter than the one that sealed.
                messages = ()
        if len(messages) != last - first:
            messages = [None] * (last - first)
        begins = range(begin, begin + last - first) if self._is_json else repeat(begin, last - first)
        payloads = [
            body[offset + start : offset + end] for offset, start, end in zip(begins, ends, ends[1:], strict=False)
        ]
        times = [newest_ms - before for before in self._times[first:last]]
        columns = zip(
            self.seqs[first:last], times, payloads, self._marks[first:last], messages, repeat(None), strict=False
        )
        return list(map(_entry, columns))


def open_chunk(place: ChunkPlace, chunk: bytes, dictionaries: Mapping[str, zstandard.ZstdCompressionDict]) -> OpenChunk:
    """The messages of a chunk.

    Args:
        place: what stands in front of it.
        chunk: as `pack_chunk` made it.
        dictionaries: by their hashes; the one that it needs among them.

    Raises:
        ValueError: it is damaged.
    """
    kind = chunk[:1]
    if kind == bytes([PLAIN]):
        return OpenChunk(place, chunk[1:])
    name = needed_dictionary(chunk)
    if name is None and kind != bytes([ZSTD]):
        raise ValueError(f"it begins with 0x{kind.hex() or '(nothing)'}, which is no format of a chunk")
    return OpenChunk(place, _decompressed(place, chunk[1 + len(name or "") // 2 :], name, dictionaries))


def _decompressed(
    place: ChunkPlace, frame: bytes, name: str | None, dictionaries: Mapping[str, zstandard.ZstdCompressionDict]
) -> bytes:
    import zstandard  # noqa: PLC0415 - as above

    decompressors: dict[str | None, zstandard.ZstdDecompressor] = _own.__dict__.setdefault("decompressors", {})
    decompressor = decompressors.get(name)
    if decompressor is None:
        if len(decompressors) >= KEPT_MAX:
            decompressors.clear()
        decompressor = zstandard.ZstdDecompressor(dict_data=None if name is None else dictionaries[name])
        decompressors[name] = decompressor
    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= place.size + OVERHEAD * (place.count + 1):
            raise ValueError(f"it claims to hold {size} bytes")
        return decompressor.decompress(frame)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def damaged_entries(place: ChunkPlace, reason: str) -> Iterator[RawEntry]:
    """What stands for the messages of a chunk that cannot be read."""
    for at in range(place.count - 1):
        yield RawEntry(min(place.first_seq + at, place.last_seq), 0, b"", damage=reason)
    # Where there are gaps nobody knows them, but that a transcript ends where its record says is looked at.
    yield RawEntry(place.last_seq, 0, b"", damage=reason)


def _is_object(payload: bytes) -> bool:
    """Whether the payload by itself is a JSON object, as the quick parser reads it."""
    try:
        return isinstance(from_json(payload), dict)
    except ValueError:
        return False


def _width(column: Sequence[int]) -> int:
    largest = max(column)
    return next(width for width in WIDTHS if largest < 256**width)


def _packed(column: Sequence[int], width: int) -> bytes:
    if not width:
        return b""
    packed = array(WIDTHS[width], column)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpacked(data: bytes, width: int, count: int) -> Sequence[int]:
    if not width:
        return [0] * count
    if width not in WIDTHS or len(data) != width * count:
        raise ValueError("its columns are cut off")
    column = array(WIDTHS[width])
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
