"""What a transcript is to its users: entries, pages of them, and what writes answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import eq
from typing import overload

from sessioncache.sealing.models import Rows
from sessioncache.types import JSONObject, datetime_from_ms

__all__ = ["Appended", "Entries", "Entry", "Replaced", "TranscriptPage"]


@dataclass(frozen=True, slots=True, init=False)
class Entry:
    """One message and where it stands."""

    seq: int
    """Its number: 1 for the first message of a session, and growing. Appends never get a number that was given out
    before; `save(through=…)` puts its messages on the last of the numbers that it frees. There are gaps."""
    ms: int
    """When the server took it, in milliseconds since 1970."""
    payload: bytes
    """The stored bytes, exactly."""
    message: JSONObject
    """The decoded message."""

    def __init__(self, seq: int, ms: int, payload: bytes, message: JSONObject) -> None:
        """Made fifty at a time: so it takes two thirds of what a frozen dataclass takes by itself."""
        _set_seq(self, seq)
        _set_ms(self, ms)
        _set_payload(self, payload)
        _set_message(self, message)

    @property
    def at(self) -> datetime:
        """When the server took it."""
        return datetime_from_ms(self.ms)


_set_seq, _set_ms, _set_payload, _set_message = [vars(Entry)[name].__set__ for name in Entry.__slots__]


class Entries(Sequence[Entry]):
    """Entries of a page, made when they are asked for: who wants the messages alone does not pay for the rest.

    Equal to any sequence of equal entries.
    """

    __slots__ = ("_rows", "messages")

    def __init__(self, rows: Rows, messages: list[JSONObject]) -> None:
        self._rows = rows
        self.messages = messages

    def __len__(self) -> int:
        return len(self.messages)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Entries: ...
    def __getitem__(self, index: int | slice) -> Entry | Entries:
        """One of them, or some of them."""
        if isinstance(index, slice):
            return Entries(self._rows[index], self.messages[index])
        row = self._rows[index]
        return Entry(row.seq, row.ms, row.payload, self.messages[index])

    def __iter__(self) -> Iterator[Entry]:
        return (
            Entry(row.seq, row.ms, row.payload, message) for row, message in zip(self._rows, self.messages, strict=True)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        """As a tuple of them."""
        return repr(tuple(self))


@dataclass(frozen=True, slots=True, init=False)
class TranscriptPage:
    """Some entries of a transcript, oldest first, as they stood together at one moment."""

    items: Sequence[Entry]
    """The entries, oldest first."""
    exists: bool
    """False: there is no such session. True with no items: the session has no messages there."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""
    count: int
    """How many messages the whole transcript has."""
    cursor: str | None
    """Hand this to `list` for the next page in the same direction; None: there is no more."""
    skipped: tuple[int, ...] = ()
    """Sequence numbers of entries that cannot be decoded, left out because the caller said `on_corrupt="skip"`."""

    def __init__(  # noqa: PLR0917 - what a page consists of
        self,
        items: Sequence[Entry],
        exists: bool,  # noqa: FBT001 - as the dataclass would make it
        gen: str | None,
        revision: int,
        count: int,
        cursor: str | None,
        skipped: tuple[int, ...] = (),
    ) -> None:
        """Made for every read: so it takes half of what a frozen dataclass takes by itself."""
        _set_items(self, items)
        _set_exists(self, exists)
        _set_gen(self, gen)
        _set_revision(self, revision)
        _set_count(self, count)
        _set_cursor(self, cursor)
        _set_skipped(self, skipped)

    @property
    def messages(self) -> list[JSONObject]:
        """The decoded messages, oldest first."""
        if isinstance(self.items, Entries):
            return list(self.items.messages)
        return [entry.message for entry in self.items]

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the entries."""
        return iter(self.items)

    def __len__(self) -> int:
        """The number of entries on this page."""
        return len(self.items)


_set_items, _set_exists, _set_gen, _set_revision, _set_count, _set_cursor, _set_skipped = [
    vars(TranscriptPage)[name].__set__ for name in TranscriptPage.__slots__
]


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did."""

    first_seq: int
    """Sequence number of the first message of this call."""
    last_seq: int
    """Sequence number of its last one."""
    count: int
    """How many messages the transcript has now."""
    gen: str
    revision: int
    created: bool
    """Whether this call created the session."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a replacement did."""

    first_seq: int
    """Sequence number of the transcript's first message now, 0 if it has none."""
    last_seq: int
    """Sequence number of its last message now, 0 if it has none."""
    count: int
    """How many messages the transcript has now."""
    replaced: int
    """How many messages it took away."""
    replaced_through: int
    """Sequence number of the last message it took away; what was appended after it stayed, where `through` was
    given."""
    gen: str
    revision: int
    created: bool
    """Whether this call created the session."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
