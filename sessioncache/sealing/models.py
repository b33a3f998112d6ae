"""What sealed messages are to the code that reads and writes them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, overload

__all__ = [
    "NO_ROWS",
    "ChunkPlace",
    "CurrentDictionary",
    "JoinedRows",
    "MadeRows",
    "OpenedPart",
    "RawEntry",
    "Rows",
    "SealState",
    "Sealable",
    "StreamRows",
    "Swap",
    "entry_from",
]


class RawEntry(NamedTuple):
    """A message as it is stored."""

    seq: int
    ms: int
    payload: bytes
    mark: str = "m"
    """`c` where it continues the message before it."""
    damage: str | None = None
    """Why nothing of it can be read."""


PLACES_KEPT: Final = 1024
"""Who reads what is sealed again meets the same places."""


class Rows(Sequence[RawEntry]):
    """Messages as they were read. Each is made when it is asked for, and most pages ask for none."""

    __slots__ = ()

    @property
    @abstractmethod
    def ends(self) -> tuple[int, int]:
        """The sequence numbers of the first and the last; not for none."""

    @property
    @abstractmethod
    def texts(self) -> Sequence[bytes | memoryview] | None:
        """The payloads, in order: parts of one JSON array, without the commas between them. None: they are no such."""

    def reversed(self) -> Rows:
        """The same, the last one first."""
        return MadeRows(self.entries()[::-1])

    @abstractmethod
    def entries(self) -> list[RawEntry]:
        """All of them."""

    @overload
    def __getitem__(self, index: int) -> RawEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> RawEntry | Rows:
        """One of them, or some of them."""
        found = self.entries()
        return MadeRows(found[index]) if isinstance(index, slice) else found[index]

    def __iter__(self) -> Iterator[RawEntry]:
        return iter(self.entries())


class MadeRows(Rows):
    """Messages that were made already."""

    __slots__ = ("_made",)

    def __init__(self, made: list[RawEntry]) -> None:
        self._made = made

    def __len__(self) -> int:
        return len(self._made)

    @property
    def ends(self) -> tuple[int, int]:
        """The sequence numbers of the first and the last."""
        return self._made[0].seq, self._made[-1].seq

    @property
    def texts(self) -> list[bytes] | None:
        """The payloads; None where one is damaged."""
        whole = all(entry.damage is None for entry in self._made)
        return [entry.payload for entry in self._made] if whole else None

    def entries(self) -> list[RawEntry]:
        """All of them."""
        return self._made


NO_ROWS: Final = MadeRows([])


class StreamRows(Rows):
    """Messages as a stream answered them."""

    __slots__ = ("_reply",)

    def __init__(self, reply: list[Any]) -> None:
        self._reply = reply

    def __len__(self) -> int:
        return len(self._reply)

    @property
    def ends(self) -> tuple[int, int]:
        """The sequence numbers of the first and the last."""
        return int(self._reply[0][0].partition(b"-")[0]), int(self._reply[-1][0].partition(b"-")[0])

    @property
    def texts(self) -> list[bytes]:
        """What is stored of them."""
        return [fields[1] for _, fields in self._reply]

    def reversed(self) -> StreamRows:
        """The same, the last one first."""
        return StreamRows(self._reply[::-1])

    def entries(self) -> list[RawEntry]:
        """All of them."""
        return list(map(entry_from, self._reply))

    @overload
    def __getitem__(self, index: int) -> RawEntry: ...
    @overload
    def __getitem__(self, index: slice) -> StreamRows: ...
    def __getitem__(self, index: int | slice) -> RawEntry | StreamRows:
        """One of them, or some of them."""
        return StreamRows(self._reply[index]) if isinstance(index, slice) else entry_from(self._reply[index])


class JoinedRows(Rows):
    """Messages of several places, one behind the other."""

    __slots__ = ("_made", "_parts")

    def __init__(self, parts: Sequence[Rows]) -> None:
        """Join them; none of them is empty."""
        self._parts = parts
        self._made: list[RawEntry] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def ends(self) -> tuple[int, int]:
        """The sequence numbers of the first and the last."""
        return self._parts[0].ends[0], self._parts[-1].ends[1]

    @property
    def texts(self) -> Sequence[bytes | memoryview] | None:
        """Those of all parts, if they have them."""
        found: list[bytes | memoryview] = []
        for part in self._parts:
            texts = part.texts
            if texts is None:
                return None
            found += texts
        return found

    def entries(self) -> list[RawEntry]:
        """All of them."""
        if self._made is None:
            self._made = [entry for part in self._parts for entry in part.entries()]
        return self._made


def entry_from(reply: list[Any]) -> RawEntry:
    """A message as a stream answers it."""
    seq, _, ms = reply[0].partition(b"-")
    mark, payload = reply[1][:2]
    return RawEntry(int(seq), int(ms), payload, "c" if mark == b"c" else "m")


class ChunkPlace(NamedTuple):
    """What stands in front of a chunk, in clear text, for scripts to find their way by."""

    first_seq: int
    last_seq: int
    count: int  # type: ignore[assignment]  # hides a method of tuples, which nobody asks for
    size: int
    """Bytes of the payloads."""
    newest_ms: int
    span_ms: int
    """How much older the oldest message is than the newest."""
    mark: str
    """That of the first message."""

    def __str__(self) -> str:
        return f"{self.first_seq} {self.last_seq} {self.count} {self.size} {self.newest_ms} {self.span_ms} {self.mark}"

    @staticmethod
    @lru_cache(maxsize=PLACES_KEPT)
    def parse(line: bytes) -> ChunkPlace:
        """The place that a line says.

        Raises:
            ValueError: it is no such line.
        """
        first_seq, last_seq, count, size, newest_ms, span_ms, mark = line.split(b" ")
        numbers = int(first_seq), int(last_seq), int(count), int(size), int(newest_ms), int(span_ms)
        return ChunkPlace(*numbers, mark.decode())


@dataclass(frozen=True, slots=True)
class SealState:
    """What a record says that decides about sealing; all of it is compared once more when chunks are swapped in."""

    gen: str
    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    rewritten: int
    known: str
    """The field that tells what is sealed; empty: nothing is."""
    written_ms: int
    """When the session was last written to."""

    @property
    def sealed_messages(self) -> int:
        """How many messages are sealed."""
        return int(self.known.split(" ")[1]) if self.known else 0

    @property
    def tail(self) -> int:
        """How many messages are not."""
        return self.messages - self.sealed_messages


@dataclass(frozen=True, slots=True)
class Sealable:
    """What is read of a session before some of it is sealed."""

    state: SealState
    entries: list[RawEntry]
    """The oldest messages that are not sealed."""
    last: list[RawEntry]
    """The messages of the last chunk."""


@dataclass(frozen=True, slots=True)
class OpenedPart:
    """Chunks that are to be swapped for the messages in them."""

    gen: str
    rewritten: int
    known: str
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Swap:
    """Messages that are to be swapped for chunks."""

    state: SealState
    first_seq: int
    last_seq: int
    count: int
    reopened: bool
    """Whether the last chunk is replaced, too."""
    dictionary: str
    """The dictionary that the chunks need; empty: none."""
    items: tuple[bytes, ...]
    """Places and chunks, alternating."""
    size: int = 0
    """Bytes of the payloads that are in them, those of a chunk that is replaced included."""

    @property
    def saved(self) -> int:
        """About how many bytes less the messages take in chunks; those that were in the last chunk are left out."""
        places = [ChunkPlace.parse(line) for line in self.items[::2]]
        saved = sum(place.size for place in places) - sum(map(len, self.items[1::2]))
        return max(saved * self.count // max(sum(place.count for place in places), 1), 0)


@dataclass(frozen=True, slots=True)
class CurrentDictionary:
    """What a namespace seals with."""

    name: str
    """Its hash."""
    data: bytes | None
    """None: there is none."""
    tried: int
    """How many bytes of messages there were when somebody last tried to make one."""
