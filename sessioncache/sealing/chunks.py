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
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import from_json

from sessioncache.sealing.models import ChunkPlace, RawEntry, Rows

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
FRAME_AT: Final = 1 + DICTIONARY_ID_BYTES
"""Where the frame begins that needs a dictionary."""
LEVEL: Final = 9
MATCH_MIN: Final = 6
"""Bytes. Shorter repetitions stay: a chunk is 3 % larger, made in a quarter of the time, and read a little faster."""
BODY_BYTES: Final = 262_144
"""Hardly a body is larger; in one that is, repetitions are found over so many bytes."""
KEPT_MAX: Final = 16
"""Most compressors, and decompressors, that a thread keeps: one a dictionary."""
WIDTHS: Final = {0: "", 1: "B", 2: "H", 4: "I", 8: "Q"}
SUMS_KEPT: Final = 2048
"""Who reads a chunk again adds up the same lengths."""
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
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL, source_size=BODY_BYTES, min_match=MATCH_MIN, write_checksum=True, write_dict_id=False
        )
        if dictionary is not None:
            dictionary.precompute_compress(compression_params=parameters)
        compressors[key] = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters)
    return compressors[key]


def needed_dictionary(chunk: bytes) -> str | None:
    """The hash of the dictionary that a chunk needs, if it needs one."""
    return chunk[1:FRAME_AT].hex() if chunk and chunk[0] == ZSTD_DICTIONARY else None


class OpenChunk:
    """A chunk's messages, each made when it is asked for."""

    __slots__ = ("_body", "_columns", "_is_json", "_lengths", "_lengths_width", "_payloads_at", "place", "seqs")

    def __init__(self, place: ChunkPlace, body: bytes) -> None:
        """Read where what is.

        Raises:
            ValueError: the body is not what the place says.
        """
        count = place.count
        flags, gaps_width, times_width, lengths_width = body[:4]
        marks_at = 4 if flags & HAS_MARKS else 0
        gaps_at = 4 + (count if marks_at else 0)
        times_at = gaps_at + gaps_width * count
        lengths_at = times_at + times_width * count
        self._payloads_at = lengths_at + lengths_width * count
        self._columns = (marks_at, times_at, times_width)
        self._lengths = body[lengths_at : self._payloads_at]
        self._lengths_width = lengths_width
        self._is_json = bool(flags & IS_JSON)
        self._body = body
        self.place = place
        first = place.first_seq
        self.seqs: Sequence[int] = range(first, first + count)
        if gaps_width:
            gaps = _unpacked(body[gaps_at:times_at], gaps_width, count)
            self.seqs = [first + index + gap for index, gap in enumerate(gaps)]
        size = self._payloads_at + _sum(self._lengths, lengths_width, count) + (count - 1 if self._is_json else 0)
        marks_sound = not marks_at or body[marks_at:gaps_at].isascii()
        if not marks_sound or times_width not in WIDTHS or self.seqs[-1] != place.last_seq or size != len(body):
            raise ValueError("its messages do not fill it")

    def rows(self, first: int, last: int) -> ChunkRows:
        """The messages from one position to before another, counted from 0."""
        return ChunkRows(self, first, last)

    def text(self, first: int, last: int) -> memoryview | None:
        """The payloads of those, with commas between; None: they are no JSON. Not copied: they are most of the body."""
        if not self._is_json:
            return None
        lengths, width = self._lengths, self._lengths_width
        begin = self._payloads_at + _sum(lengths[: first * width], width, first) + first
        end = len(self._body)
        if last < self.place.count:
            end = begin + _sum(lengths[first * width : last * width], width, last - first) + last - first - 1
        return memoryview(self._body)[begin:end]

    def entries(self, first: int, last: int) -> list[RawEntry]:
        """All of those."""
        count, body, newest_ms = self.place.count, self._body, self.place.newest_ms
        marks_at, times_at, times_width = self._columns
        marks = body[marks_at : marks_at + count].decode("ascii") if marks_at else "m" * count
        before = _unpacked(body[times_at : times_at + times_width * count], times_width, count)
        step = int(self._is_json)
        lengths = _unpacked(self._lengths, self._lengths_width, count)
        ends = list(accumulate(lengths, initial=self._payloads_at))
        payloads = [body[ends[at] + step * at : ends[at + 1] + step * at] for at in range(first, last)]
        times = [newest_ms - ms for ms in before[first:last]]
        columns = zip(self.seqs[first:last], times, payloads, marks[first:last], repeat(None), strict=False)
        return list(map(_entry, columns))


class ChunkRows(Rows):
    """Some messages of a chunk that lie together."""

    __slots__ = ("_chunk", "_first", "_last", "_made")

    def __init__(self, chunk: OpenChunk, first: int, last: int) -> None:
        self._chunk = chunk
        self._first = first
        self._last = last
        self._made: list[RawEntry] | None = None

    def __len__(self) -> int:
        return self._last - self._first

    @property
    def texts(self) -> Sequence[bytes | memoryview] | None:
        """All of them in one."""
        if self._last == self._first:
            return []
        text = self._chunk.text(self._first, self._last)
        return None if text is None else [text]

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last sequence number."""
        seqs = self._chunk.seqs
        return seqs[self._first], seqs[self._last - 1]

    def entries(self) -> list[RawEntry]:
        """All of them."""
        if self._made is None:
            self._made = self._chunk.entries(self._first, self._last)
        return self._made


def open_chunk(place: ChunkPlace, chunk: bytes, dictionaries: Mapping[str, zstandard.ZstdCompressionDict]) -> OpenChunk:
    """The messages of a chunk.

    Args:
        place: what stands in front of it.
        chunk: as `pack_chunk` made it.
        dictionaries: by their hashes; the one that it needs among them.

    Raises:
        ValueError: it is damaged.
    """
    kind = chunk[0] if chunk else None
    if kind == ZSTD_DICTIONARY:
        name = chunk[1:FRAME_AT].hex()
        if name not in dictionaries:
            raise ValueError(f"its dictionary {name} is missing, or damaged")
        return OpenChunk(place, _decompressed(place, chunk[FRAME_AT:], name, dictionaries))
    if kind == ZSTD:
        return OpenChunk(place, _decompressed(place, chunk[1:], None, dictionaries))
    if kind == PLAIN:
        return OpenChunk(place, chunk[1:])
    raise ValueError(f"it begins with 0x{chunk[:1].hex() or '(nothing)'}, which is no format of a chunk")


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


@lru_cache(maxsize=SUMS_KEPT)
def _sum(data: bytes, width: int, count: int) -> int:
    return sum(_unpacked(data, width, count))


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
