"""Where a subscriber stands: the last change it was given, one a shard, inside one cursor.

The rule of this module: numbers in a shard are consecutive, so a missing one is seen at once. And a change is known by
number and time: a server that lost its newest changes, in a failover for example, gives their numbers to others, and
those have other times. Whatever was lost is told as a FeedGap, never passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sessioncache.errors import FeedGap, InvalidArgument
from sessioncache.feed.models import FeedRead
from sessioncache.types import decode_cursor, encode_cursor

__all__ = ["Place", "Position"]

Place: TypeAlias = tuple[int, int]
"""Number of a change and its time in milliseconds; a time of 0 is not known."""

UNKNOWN: Place = (-1, 0)


class Position:
    """The last change given out, by shard."""

    def __init__(self, shards: Sequence[int], *, session_id: str | None) -> None:
        self.after: dict[int, Place] = dict.fromkeys(shards, UNKNOWN)
        """A number of -1: not known yet; the subscription begins with what is newest."""
        self._session_id = session_id

    def resume(self, cursor: str) -> None:
        """Stand where a cursor says.

        Raises:
            InvalidArgument: a cursor of another subscription, or of a namespace with another shard count.
        """
        state = decode_cursor("feed", cursor)
        places = state.get("after")
        if state.get("session") != self._session_id:
            raise InvalidArgument(f"cursor {cursor[:60]!r} belongs to another subscription")
        if not isinstance(places, list) or len(places) != len(self.after):
            raise InvalidArgument(f"cursor {cursor[:60]!r} does not fit the shards of this namespace")
        found: list[Place] = []
        for place in places:
            match place:
                case [int() as number, int() as ms] if 0 <= number < 2**53 and 0 <= ms < 2**53:
                    found.append((number, ms))
                case _:
                    raise InvalidArgument(f"cursor {cursor[:60]!r} is not one that a subscription gave out")
        self.after = dict(zip(self.after, found, strict=True))

    @property
    def known(self) -> bool:
        """Whether it is known where to begin."""
        return all(number >= 0 for number, _ms in self.after.values())

    def cursor(self) -> str:
        """A cursor that stands here."""
        return encode_cursor("feed", {"session": self._session_id, "after": list(self.after.values())})

    def take(self, shard: int, read: FeedRead) -> FeedGap | None:
        """Step past what was read, and answer the gap in front of it, if there is one."""
        after, _ms = self.after[shard]
        newest, changes = read.newest[0], read.changes
        expected = after + 1
        first = changes[0].number if changes else newest + 1
        self.after[shard] = (changes[-1].number, changes[-1].ms) if changes else read.newest
        if newest < after:
            lost = (
                f"the newest change in shard {shard} is {newest}, but {after} was read before: the server lost changes"
            )
        elif read.diverged:
            lost = f"the server lost changes of shard {shard}: it has another one at number {after} now"
        elif first > expected:
            lost = f"changes {expected} to {first - 1} of shard {shard} were trimmed before they were read"
        else:
            return None
        return FeedGap(f"{lost}; reload what you follow, then go on")
