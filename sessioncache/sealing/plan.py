"""Which messages become which chunks.

The rule of this module: no I/O. A chunk ends where the transcript may be cut, so that whoever trims chunk by chunk
parts no tool call from its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sessioncache.sealing.chunks import body_of, pack_chunk
from sessioncache.sealing.models import RawEntry, SealState, Swap

if TYPE_CHECKING:
    import zstandard

__all__ = ["CHUNK_MESSAGES", "READ_MESSAGES_MAX", "grouped", "plan_swap", "read_limit", "shortened"]

CHUNK_MESSAGES: Final = 128
"""About so many messages a chunk: the last 50 of a transcript then touch one chunk or two."""

CHUNK_BYTES: Final = 262_144
"""A chunk ends behind so many bytes of payload, however few messages it has."""

READ_MESSAGES_MAX: Final = 500
READ_BYTES: Final = 4_194_304


def read_limit(state: SealState) -> int:
    """How many of a session's oldest messages to read at once: so many that they are about 4 MB."""
    average = max(state.bytes // max(state.messages, 1), 1)
    return max(2, min(READ_MESSAGES_MAX, READ_BYTES // average)) + 1


def plan_swap(
    state: SealState,
    entries: Sequence[RawEntry],
    last: Sequence[RawEntry],
    *,
    keep: int,
    dictionary: tuple[str, zstandard.ZstdCompressionDict] | None,
    chunk_messages: int = CHUNK_MESSAGES,
) -> Swap | None:
    """What to swap for chunks now; None: nothing.

    Args:
        state: read before the messages.
        entries: the oldest messages that are not sealed.
        last: messages of the last chunk, if that is small enough to be made anew together with these; else empty.
        keep: how many of the newest stay as they are; 0: the session is sealed whole.
        dictionary: what to compress with, and its hash.
        chunk_messages: about so many messages a chunk.
    """
    count = min(len(entries), max(state.tail - keep, 0))
    if keep:
        count -= count % chunk_messages
    if count < state.tail:
        # What follows must not continue what is sealed.
        while count > 0 and (count >= len(entries) or entries[count].mark != "m"):
            count -= 1
        if not count and len(entries) > 1 and not keep:
            count = len(entries) - 1
    if count <= 0:
        return None
    if last and last[-1].seq >= entries[0].seq:
        # Somebody sealed these messages between the two reads: the script is going to refuse.
        last = []
    items: list[bytes] = []
    name, size = "", 0
    for group in grouped([*last, *entries[:count]], chunk_messages):
        place, body = body_of(group)
        chunk = pack_chunk(body, dictionary[1] if dictionary else None, dictionary[0] if dictionary else "")
        items += [str(place).encode(), chunk]
        size += place.size
        name = dictionary[0] if dictionary else ""
    return Swap(state, entries[0].seq, entries[count - 1].seq, count, bool(last), name, tuple(items), size)


def shortened(entries: Sequence[RawEntry], before_ms: int) -> Sequence[RawEntry]:
    """A chunk's messages without the oldest of them that came before a time; all of them where nothing may be cut."""
    cut = next((at for at, entry in enumerate(entries) if entry.ms >= before_ms), 0)
    while cut > 0 and entries[cut].mark != "m":
        cut -= 1
    return entries[cut:]


def grouped(entries: Sequence[RawEntry], chunk_messages: int) -> list[Sequence[RawEntry]]:
    """The messages of each chunk: chunks of about one length, which end where the transcript may be cut."""
    parts = -(-len(entries) // chunk_messages)
    target = -(-len(entries) // parts)
    groups: list[Sequence[RawEntry]] = []
    begin = size = 0
    for at, entry in enumerate(entries):
        full = at - begin >= target or size >= CHUNK_BYTES
        if at > begin and full and (entry.mark == "m" or at - begin >= 2 * chunk_messages):
            groups.append(entries[begin:at])
            begin, size = at, 0
        size += len(entry.payload)
    return [*groups, entries[begin:]]
