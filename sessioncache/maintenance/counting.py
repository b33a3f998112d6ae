"""Counting what a shard's records hold, as of one moment, while others go on writing.

The rule of this module: it changes nothing. Sessions are counted one after the other, and whatever is changed meanwhile
is counted again, as the feed tells; so after a while everything is as of one change, to hold the totals against.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.maintenance.batch import BATCH
from sessioncache.types import SessionId
from sessioncache.upkeep.models import COUNTED, Counters, SealedSize, Totals, View

__all__ = ["NOTHING", "ShardCount", "exact_views"]

SETTLE_TRIES: Final = 50
"""How often the totals are tried while others write: each costs one round trip."""

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

    def take(self, session_id: SessionId, found: Counters | SessionCacheError | None) -> None:
        """Note what a record says. A torn session is in the totals as long as something of it is there."""
        is_damaged = session_id in self.torn and found is None
        self.sessions[session_id] = NOTHING if is_damaged or isinstance(found, SessionCacheError) else found

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
    """Moments for which the count is exact; no more come where the shard never holds still, or the feed forgets.

    Args:
        cache: whose shard.
        shard: which.
        count: of all sessions of the shard, each counted behind change `count.newest`; brought up to date here.
        ended: called after each round trip.
        note: told why no more come.
    """
    recent: dict[SessionId, None] = {}
    """Sessions that were changed lately: each view reads them again."""
    for _ in range(SETTLE_TRIES):
        try:
            view = await cache.upkeep.view(shard, list(recent), after=count.newest, limit=BATCH)
        except DecodeError as error:
            note(str(error))
            return
        await ended()
        for session_id, found in zip(recent, view.counters, strict=True):
            count.take(session_id, found)
        if view.newest != count.newest and (not view.changes or view.changes[0].number != count.newest + 1):
            note("more was changed during the count than the feed remembers")
            return
        if _is_exact(view, recent):
            yield view
        recent = _take_changes(count, view, recent)


def _take_changes(count: ShardCount, view: View, recent: dict[SessionId, None]) -> dict[SessionId, None]:
    """The sessions that the next view reads again."""
    changed: Iterable[SessionId] = (change.session_id for change in view.changes)
    named = dict.fromkeys(changed)
    # Nothing but a removal changes a torn session, so what was seen of it before is not true any more.
    count.torn.difference_update(named)
    count.newest = view.changes[-1].number if view.changes else count.newest
    # All others were read after their last change, so they may be left out where there are too many.
    return recent | named if len(recent | named) <= BATCH else named


def _is_exact(view: View, recent: Container[SessionId]) -> bool:
    """Whether the count is right as of the view: what was changed before it was read in it, at one moment."""
    unread = [change for change in view.changes if change.session_id not in recent]
    seen = view.changes[-1].number if view.changes else view.newest
    return (
        view.still and seen >= view.totals.feed_seq and all(change.number > view.totals.feed_seq for change in unread)
    )
