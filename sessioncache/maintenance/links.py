"""Rows of a shard's links that lead nowhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import Batches
from sessioncache.maintenance.pace import BATCH
from sessioncache.types import SessionId

__all__ = ["remove_dead_links"]


async def remove_dead_links(
    cache: AsyncSessionCache,
    shard: int,
    batches: Batches,
    *,
    after: str = "",
    reached: Callable[[str], Awaitable[None]] | None = None,
) -> None:
    """Remove rows of the links whose sessions are gone, or do not have what they say; 500 rows a round trip.

    Args:
        cache: whose shard.
        shard: which.
        batches: the run.
        after: the row behind which it begins.
        reached: called after each full batch with its last row.
    """
    while rows := await cache.upkeep.linked(shard, after=after, limit=BATCH):
        after = rows[-1][0]
        named: dict[SessionId, list[str]] = {session_id: [] for _row, session_id in rows}
        for row, session_id in rows:
            named[session_id].append(row)
        mine = batches.own(named, shard)
        results = await cache.upkeep.unlink(
            shard,
            {session_id: named[session_id] for session_id in mine},
            lease=batches.lease,
            dry_run=batches.dry_run,
        )
        for _session_id, removed in batches.sound(mine, results):
            batches.report.add("links", removed)
            batches.report.changed += bool(removed)
        await batches.ended()
        if reached is not None and len(rows) == BATCH:
            await reached(after)
