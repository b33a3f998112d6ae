"""Reading a transcript whole, sealed messages too, and judging it against its record.

The rule of this module: it takes several round trips, so what it finds is true only if nobody wrote meanwhile; whoever
calls it looks before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sessioncache.audit.records import number
from sessioncache.audit.report import Problem
from sessioncache.errors import DecodeError
from sessioncache.inspection import SessionLook
from sessioncache.inspection._async import AsyncInspection
from sessioncache.sealing.chunks import body_of, needed_dictionary, open_chunk
from sessioncache.sealing.dictionaries import known_dictionary, remember_dictionary, unpack_dictionary
from sessioncache.sealing.models import ChunkPlace, RawEntry
from sessioncache.wire.keys import SessionKeys
from sessioncache.wire.values import ValueEncoder

if TYPE_CHECKING:
    import zstandard

__all__ = ["Tally", "judge_transcript"]

PAGE: Final = 500
CHUNKS_PAGE: Final = 4
MARKS: Final = (b"m", b"c")


@dataclass(slots=True)
class Tally:
    """What was read of a session, and what is wrong with it."""

    problems: list[Problem] = field(default_factory=list)
    messages: int = 0
    size: int = 0
    """Bytes of their payloads."""
    unread: int = 0
    """Payloads of another codec."""

    def add(self, kind: str, text: str) -> None:
        """Note something that is wrong."""
        self.problems.append(Problem(kind, text))

    def payload(self, values: ValueEncoder, what: str, payload: bytes, *, kind: str = "entry") -> object:
        """What a payload holds; None where that cannot be told."""
        if not values.reads(payload):
            self.unread += 1
            return None
        try:
            return values.decode(what, payload)
        except DecodeError as error:
            self.add(kind, str(error))
            return None


async def judge_transcript(inspection: AsyncInspection, keys: SessionKeys, look: SessionLook, tally: Tally) -> None:
    """Read every message, and compare them with the record and with the places of sealed chunks."""
    sealed_last = 0
    if look.size("sealed"):
        sealed_last = await _sealed(inspection, keys, look, tally)
    newest, after = sealed_last, ""
    more = look.size("transcript") > 0
    while more:
        entries = await inspection.messages(keys, after=after, limit=PAGE)
        for entry_id, fields in entries:
            newest = _take_entry(inspection.values, entry_id, fields, newest, tally)
        more = len(entries) == PAGE
        after = entries[-1][0].decode() if entries else ""
    counted = number(look.fields["bytes"])
    if not tally.problems and counted != tally.size:
        tally.add("bytes", f"the record counts {counted} bytes, the messages take {tally.size}")


def _take_entry(values: ValueEncoder, entry_id: bytes, fields: Sequence[Any], newest: int, tally: Tally) -> int:
    """Judge one entry of the stream; the highest number so far."""
    seq = number(entry_id.partition(b"-")[0])
    if len(fields) != len(MARKS) or fields[0] not in MARKS:
        tally.add("message", f"entry {entry_id.decode()} has the fields {fields[::2]!r}")
        return max(seq, newest)
    if seq <= newest:
        tally.add("ends", f"message {seq} comes behind message {newest}")
    tally.messages += 1
    tally.size += len(fields[1])
    _judge_payload(values, seq, fields[1], tally)
    return max(seq, newest)


def _judge_payload(values: ValueEncoder, seq: int, payload: bytes, tally: Tally) -> None:
    if not values.reads(payload):
        tally.unread += 1
        return
    message = tally.payload(values, f"message {seq}", payload, kind="message")
    if message is not None and not isinstance(message, dict):
        tally.add("message", f"message {seq} is no JSON object")


async def _sealed(inspection: AsyncInspection, keys: SessionKeys, look: SessionLook, tally: Tally) -> int:
    """Judge what is sealed; the last sequence number of it."""
    chunks = look.size("sealed") // 2
    before, messages = 0, 0
    for first in range(0, chunks, CHUNKS_PAGE):
        items = await inspection.chunks(keys, first=first, last=min(first + CHUNKS_PAGE, chunks) - 1)
        for at, (line, chunk) in enumerate(zip(items[::2], items[1::2], strict=False), first):
            try:
                place = ChunkPlace.parse(line)
            except ValueError:
                tally.add("place", f"in front of chunk {at} stands {line[:80]!r}")
                continue
            if place.first_seq <= before or place.last_seq < place.first_seq:
                tally.add("seam", f"chunk {at} is {place.first_seq} to {place.last_seq}, behind {before}")
            before = max(before, place.last_seq)
            messages += place.count
            tally.messages += place.count
            tally.size += place.size
            await _chunk(inspection, keys, at, (place, chunk), tally)
    counted = number(look.fields["sealed"].split(b" ")[1])
    if not tally.problems and messages != counted:
        tally.add("sealed", f"the record says {counted} sealed messages, the chunks hold {messages}")
    return before


async def _chunk(
    inspection: AsyncInspection, keys: SessionKeys, at: int, item: tuple[ChunkPlace, bytes], tally: Tally
) -> None:
    """Open a chunk and compare it with its place."""
    place, chunk = item
    name = needed_dictionary(chunk)
    dictionaries: dict[str, zstandard.ZstdCompressionDict] = {}
    if name is not None:
        stored = await inspection.dictionary(keys.shard.index, name)
        if stored is None:
            text = f"chunk {at}, {place.first_seq} to {place.last_seq}: its shard does not have dictionary {name}"
            tally.add("no-dictionary", text)
            return
        try:
            found = known_dictionary(name) or remember_dictionary(name, unpack_dictionary(stored))
        except ValueError:
            # Damaged, which is told of the shard.
            return
        dictionaries[name] = found
    try:
        entries = open_chunk(place, chunk, dictionaries).entries(0, place.count)
    except (ValueError, IndexError) as error:
        tally.add("chunk", f"chunk {at}, {place.first_seq} to {place.last_seq}: {error}")
        return
    tally.problems += _misnamed(at, place, entries)
    for entry in entries:
        _judge_payload(inspection.values, entry.seq, entry.payload, tally)


def _misnamed(at: int, place: ChunkPlace, entries: list[RawEntry]) -> Iterator[Problem]:
    held, _body = body_of(entries)
    if str(held) != str(place):
        yield Problem("place", f"in front of chunk {at} stands `{place}`, it holds `{held}`")
