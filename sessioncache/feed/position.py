"""Where a subscriber stands: the number of the last change it was given, one a shard, inside one cursor.

The rule of this module: numbers in a shard are consecutive, so a missing one is seen at once, whether the feed was
trimmed, or the server lost its newest changes. It is told as a FeedGap, never passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from sessioncache.errors import FeedGap, InvalidArgument
from sessioncache.feed.models import Change
from sessioncache.types import decode_cursor, encode_cursor

__all__ = ["Position"]


class Position:
    """The last number given out, by shard."""

    def __init__(self, shards: Sequence[int], *, session_id: str | None) -> None:
        self.after = dict.fromkeys(shards, -1)
        """-1: not known yet; the subscription begins with what is newest."""
        self._session_id = session_id

    def resume(self, cursor: str) -> None:
        """Stand where a cursor says.

        Raises:
            InvalidArgument: a cursor of another subscription, or of a namespace with another shard count.
        """
        state = decode_cursor("feed", cursor)
        numbers = state.get("after")
        if state.get("session") != self._session_id:
            raise InvalidArgument(f"cursor {cursor[:60]!r} belongs to another subscription")
        if not isinstance(numbers, list) or len(numbers) != len(self.after):
            raise InvalidArgument(f"cursor {cursor[:60]!r} does not fit the shards of this namespace")
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise InvalidArgument(f"cursor {cursor[:60]!r} is not one that a subscription gave out")
        self.after = dict(zip(self.after, numbers, strict=True))

    @property
    def known(self) -> bool:
        """Whether it is known where to begin."""
        return all(number >= 0 for number in self.after.values())

    def cursor(self) -> str:
        """A cursor that stands here."""
        return encode_cursor("feed", {"session": self._session_id, "after": list(self.after.values())})

    def take(self, shard: int, newest: int, changes: Sequence[Change]) -> FeedGap | None:
        """Step past what was read, and answer the gap in front of it, if there is one.

        Args:
            shard: whose feed was read.
            newest: number of its newest change.
            changes: those after the last number given out.
        """
        after = self.after[shard]
        expected = after + 1
        first = changes[0].number if changes else newest + 1
        self.after[shard] = changes[-1].number if changes else newest
        if newest < after:
            lost = (
                f"the server's newest change in shard {shard} is {newest}, but {after} was read before: it lost changes"
            )
        elif first > expected:
            lost = f"changes {expected} to {first - 1} of shard {shard} were trimmed before they were read"
        else:
            return None
        return FeedGap(f"{lost}; reload what you follow, then go on")
