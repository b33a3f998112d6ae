"""Logs: rooms whose entries are only appended. Which part to read, and the page that is made of the answer.

The rule of this module: no I/O. An entry is stored as the server's time in milliseconds, a space, and the payload. Its
position is its place among all entries that were ever appended, 1 the first; where the policy drops old entries,
positions do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.types import EXACT_MAX, check_limit, decode_cursor, encode_cursor

__all__ = ["LOG_BATCH_MAX", "LogAppended", "LogEntry", "LogPage", "LogWindow", "RawLog"]

LOG_BATCH_MAX: Final = 500
"""Most entries in one append: scripts stay bounded, so that the server is never busy for long."""

PAGE_DEFAULT: Final = 500
PAGE_MAX: Final = 5_000

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry as it is stored."""

    position: int
    ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class LogAppended:
    """What an append to a log did."""

    position: int
    """Position of the last entry of this call: how many were ever appended."""
    count: int
    """How many entries the log has now."""
    gen: str
    revision: int
    created: bool
    """Whether this call created the session."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""


@dataclass(frozen=True, slots=True)
class LogPage(Generic[T_co]):
    """Some entries of a log, oldest first, as they stood together at one moment."""

    items: tuple[T_co, ...]
    """The entries, oldest first."""
    exists: bool
    """False: there is no such session."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""
    count: int
    """How many entries the whole log has."""
    dropped: int
    """How many older ones the retention policy has dropped."""
    cursor: str | None
    """Hand this to `list` for the next page in the same direction; None: there is no more."""

    def __iter__(self) -> Iterator[T_co]:
        """Iterate over the entries."""
        return iter(self.items)

    def __len__(self) -> int:
        """The number of entries on this page."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class RawLog:
    """What the script answers about a log."""

    gen: str
    revision: int
    count: int
    dropped: int
    entries: tuple[LogEntry, ...]

    @classmethod
    def of(cls, reply: list[Any]) -> RawLog:
        """The reply of `list.lua`.

        Raises:
            DecodeError: an entry does not begin with its time.
        """
        gen, revision, count, dropped, first, entries = reply
        taken = []
        for position, entry in enumerate(entries, int(first)):
            ms, space, payload = entry.partition(b" ")
            if not (space and ms.isdigit()):
                raise DecodeError(f"entry {position} of the log is damaged: it has no time", seq=position)
            taken.append(LogEntry(position, int(ms), payload))
        return cls(gen.decode(), int(revision), int(count), int(dropped), tuple(taken))


@dataclass(frozen=True, slots=True)
class LogWindow:
    """A range of positions, counted from one of its ends."""

    call: str
    """Whose cursor it makes."""
    start: int | None
    stop: int | None
    limit: int
    newest: bool
    """Whether the limit counts from the newest end."""

    @classmethod
    def of(cls, call: str, *, last: int | None, start: int | None, limit: int | None, cursor: str | None) -> LogWindow:
        """The window that the arguments of `list` describe.

        Raises:
            InvalidArgument: they contradict each other, or one is negative or too large.
        """
        if cursor is not None:
            if last is not None or start is not None:
                raise InvalidArgument("give a cursor or a range, not both: the cursor knows its range")
            return cls._from_cursor(call, cursor, limit)
        if last is not None:
            if start is not None or limit is not None:
                raise InvalidArgument("give `last`, or a range (`start`, `limit`), not both")
            return cls(call, None, None, check_limit(last, what="last", at_most=PAGE_MAX), newest=True)
        first = None if start is None else check_limit(start, what="start", at_most=EXACT_MAX)
        size = PAGE_DEFAULT if limit is None else check_limit(limit, at_most=PAGE_MAX)
        return cls(call, first, None, size, newest=False)

    @classmethod
    def _from_cursor(cls, call: str, cursor: str, limit: int | None) -> LogWindow:
        match decode_cursor(call, cursor):
            case {"start": int() | None as start, "stop": int() | None as stop, "limit": int() as size}:
                size = size if limit is None else check_limit(limit, at_most=PAGE_MAX)
                return cls(call, start, stop, size, newest=stop is not None)
        raise InvalidArgument(
            f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor"
        )

    def page(self, raw: RawLog | None, decode: Callable[[LogEntry], T]) -> LogPage[T]:
        """The page for a reply."""
        if raw is None:
            return LogPage((), exists=False, gen=None, revision=0, count=0, dropped=0, cursor=None)
        items = tuple(decode(entry) for entry in raw.entries)
        return LogPage(
            items,
            exists=True,
            gen=raw.gen,
            revision=raw.revision,
            count=raw.count,
            dropped=raw.dropped,
            cursor=self._after(raw),
        )

    def _after(self, raw: RawLog) -> str | None:
        if not raw.entries:
            return None
        first, last = raw.entries[0].position, raw.entries[-1].position
        if self.newest:
            rest, more = replace(self, stop=first - 1), first > raw.dropped + 1
        else:
            rest, more = replace(self, start=last + 1), last < raw.dropped + raw.count
        state = {"start": rest.start, "stop": rest.stop, "limit": rest.limit}
        return encode_cursor(self.call, state) if more else None
