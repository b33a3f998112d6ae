"""Counting what a shard's records hold, as of one moment, while others go on writing.

The rule of this module: it changes nothing. Sessions are counted one after the other, and whatever is changed meanwhile
is counted again, as the feed tells; so after a while everything is as of one change, to hold the totals against.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.maintenance.batch import BATCH
from sessioncache.types import SessionId
from sessioncache.upkeep.models import COUNTED, Counters, SealedSize, Totals, View

__all__ = ["NOTHING", "ShardCount", "exact_views"]

SETTLE_TRIES: Final = 50
"""How often the count is brought up to date while others write: each costs one round trip for 500 changes."""

NOTHING: Final[Counters] = (0,) * len(COUNTED)


@dataclass(slots=True)
class ShardCount:
    """What the records of the shard hold."""

    newest: int
    """The change up to which the count is right at least."""
    sessions: dict[SessionId, Counters | None] = field(default_factory=dict)
    """What the record of every session counts; None: known to the lists, but gone."""
    torn: set[SessionId] = field(default_factory=set)
    sealed: dict[SessionId, SealedSize] = field(default_factory=dict)
    """What is compressed, of those that have any."""
    compared: set[SessionId] = field(default_factory=set)
    """Those that the lists were compared with. Others may be counted already, for the feed named them."""
    fresh: set[SessionId] = field(default_factory=set)
    """Those that were counted since somebody cleared this."""

    def take(self, session_id: SessionId, found: Counters | SessionCacheError | None) -> None:
        """Note what a record says. A torn session is in the totals as long as something of it is there."""
        self.fresh.add(session_id)
        is_damaged = session_id in self.torn and found is None
        self.sessions[session_id] = NOTHING if is_damaged or isinstance(found, SessionCacheError) else found

    def take_changes(self, view: View) -> None:
        """Count anew what was changed."""
        for session_id, found in view.counters.items():
            # Nothing but a removal changes a torn session, so what was seen of it before is not true any more.
            self.torn.discard(session_id)
            self.take(session_id, found)
        self.newest = max(self.newest, view.last)

    def lacking(self, totals: Totals) -> dict[str, int]:
        """What has to be added to the totals to make them right, by name."""
        held = [found for found in self.sessions.values() if found is not None]
        lacking = {"sessions": len(held) - totals.sessions}
        for name, total, *counts in zip(COUNTED, totals.counted, *held, strict=True):
            lacking[name] = sum(counts) - total
        return {name: value for name, value in lacking.items() if value}


async def exact_views(
    cache: AsyncSessionCache,
    shard: int,
    count: ShardCount,
    *,
    ended: Callable[[], Awaitable[None]],
    note: Callable[[str], None],
) -> AsyncIterator[View]:
    """Moments for which the count is exact; none come where others write quicker than is read, or the feed forgets.

    Args:
        cache: whose shard.
        shard: which.
        count: of all sessions of the shard, each counted behind change `count.newest`; brought up to date here.
        ended: called after each round trip.
        note: told why no more come.
    """
    for _ in range(SETTLE_TRIES):
        try:
            view = await cache.upkeep.view(shard, after=count.newest, limit=BATCH)
        except DecodeError as error:
            note(str(error))
            return
        await ended()
        if view.totals.feed_seq > count.newest and view.first != count.newest + 1:
            note("more was changed during the count than the feed remembers")
            return
        # Totals that were lost have no number; the next change gives them that of the feed.
        if 0 < view.totals.feed_seq < count.newest:
            note("changes that were counted are lost: another server has taken over")
            return
        count.take_changes(view)
        if count.newest >= view.totals.feed_seq:
            yield view
