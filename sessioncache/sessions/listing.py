"""Pages of sessions out of many shards: who is asked for how much, and how the answers are merged.

The rule of this module: no I/O. A page is complete as far as every shard that may hold more has answered; a shard is
asked for its expected share of the page and some more, so that one round trip is nearly always enough.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any, Final

from sessioncache.errors import InvalidArgument
from sessioncache.sessions.models import Listed, SessionSummary
from sessioncache.types import Order, Page, decode_cursor, encode_cursor

__all__ = ["CURSOR", "DEFAULT_USER", "Listing", "user_page"]

CURSOR: Final = "sessions.list"
"""What the cursors of lists are called."""

DEFAULT_USER: Final = "default"
"""Who owns a session that nobody was named for."""

Position = tuple[int, str]
"""Score and escaped id: where in the order something stands."""

LOOK_AT_MAX: Final = 500


class Listing:
    """One page in the making."""

    def __init__(self, order: Order, *, user: str | None, cursor: str | None, skip: bool) -> None:
        """Start at the cursor.

        Raises:
            InvalidArgument: an unknown order, or a cursor of another order, another user or another call.
        """
        if order not in ("newest", "oldest"):
            raise InvalidArgument(f"order must be 'newest' or 'oldest', not {order!r}")
        self.order = order
        self.user = user
        self.skip = skip
        self.after: Position | None = None
        if cursor is not None:
            self.after = self._read(cursor)
        self._limit = 0
        self._share = 0
        self._items: list[Listed] = []
        self._reached: list[Position | None] = []
        self._open: set[int] = set()
        self._asked = False

    def _read(self, cursor: str) -> Position:
        state = decode_cursor(CURSOR, cursor)
        if state.get("order") != self.order or state.get("user") != self.user:
            raise InvalidArgument(f"cursor {cursor[:60]!r} belongs to a list with another order or user")
        after = state.get("after")
        match after:
            case [int() as score, str() as member]:
                return score, member
        raise InvalidArgument(
            f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor"
        )

    def begin(self, shards: int, limit: int) -> None:
        """Ask every shard for its share of the page: the mean, four standard deviations and two more."""
        mean = limit / shards
        self._limit = limit
        self._share = min(math.ceil(mean + 4 * math.sqrt(mean) + 2), limit + 1, LOOK_AT_MAX)
        self._reached = [self.after] * shards
        self._open = set(range(shards))

    def wanted(self) -> list[tuple[int, Position | None, int]]:
        """The shards that stand in the way of a full page, with where to go on and how much to look at."""
        if not self._asked:
            self._asked = True
            return [(index, self._reached[index], self._share) for index in sorted(self._open)]
        if not self._open or len(self._complete()) >= self._limit:
            return []
        return [(index, self._reached[index], LOOK_AT_MAX) for index in self._blocking()]

    def take(self, shard: int, reply: tuple[bool, Position | None, list[Listed]]) -> None:
        """Take a shard's answer."""
        done, position, items = reply
        self._items += items
        if position is not None:
            self._reached[shard] = position
        if done:
            self._open.discard(shard)

    def page(self) -> Page[SessionSummary]:
        """The page, and a cursor if there is more."""
        complete = self._complete()
        shown = complete[: self._limit]
        more = len(complete) > len(shown) or len(self._items) > len(complete) or bool(self._open)
        return _page(self, shown, more=more)

    def key(self, position: Position) -> tuple[int, str | _Reversed]:
        """Sorts positions into the order of the list."""
        return position if self.order == "oldest" else (-position[0], _Reversed(position[1]))

    def _complete(self) -> list[Listed]:
        """Items in order, up to where every open shard has been looked at."""
        ordered = sorted(self._items, key=lambda item: self.key(item.position))
        reached = [self._reached[index] for index in self._open]
        if not reached:
            return ordered
        if None in reached:
            return []
        horizon = min(self.key(position) for position in reached if position is not None)
        return [item for item in ordered if not horizon < self.key(item.position)]

    def _blocking(self) -> Sequence[int]:
        """The open shards that have got least far: asking them moves the horizon."""

        def progress(index: int) -> tuple[Any, ...]:
            reached = self._reached[index]
            return (0, 0) if reached is None else (1, self.key(reached))

        return heapq.nsmallest(8, self._open, key=progress)


class _Reversed:
    """Text that sorts backwards."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: _Reversed) -> bool:
        return other.text < self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def _page(listing: Listing, shown: Sequence[Listed], *, more: bool) -> Page[SessionSummary]:
    items: list[SessionSummary] = []
    skipped: list[str] = []
    for item in shown:
        if isinstance(item.found, SessionSummary):
            items.append(item.found)
        elif listing.skip:
            skipped.append(item.id)
        else:
            raise item.found
    cursor = None
    if more and shown:
        state = {"order": listing.order, "user": listing.user, "after": list(shown[-1].position)}
        cursor = encode_cursor(CURSOR, state)
    return Page(tuple(items), cursor, tuple(skipped))


def user_page(listing: Listing, sessions: Sequence[Listed], limit: int) -> Page[SessionSummary]:
    """A page of one user's sessions, all of which are at hand."""
    items = sorted(sessions, key=lambda item: listing.key(item.position))
    if listing.after is not None:
        start = listing.key(listing.after)
        items = [item for item in items if start < listing.key(item.position)]
    return _page(listing, items[:limit], more=len(items) > limit)
