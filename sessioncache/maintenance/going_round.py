"""The sessions of a shard that are due, a batch at a time, each of them once a run.

The rule of this module: nothing holds up what stands behind it. What stays where it is, for it is damaged or waits for
another job, keeps its place in the list of deadlines; so a run that its limit ends notes how far it came, and the next
one begins there, goes on to the end, and then from the front up to there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import Batches, number_of
from sessioncache.types import SessionId
from sessioncache.upkeep.models import Walk

__all__ = ["due_sessions"]

FRONT = Walk()


async def due_sessions(
    cache: AsyncSessionCache, shard: int, batches: Batches, *, size: int, ahead_ms: int = 0
) -> AsyncIterator[list[SessionId]]:
    """Batches of due sessions, until each was given once or the limit is reached; the report then says which.

    Args:
        cache: whose shard.
        shard: which.
        batches: the run; whoever takes a batch counts what he has examined.
        size: most sessions of a batch.
        ahead_ms: how long before their deadline sessions are due.
    """
    upkeep, job = cache.upkeep, batches.report.job
    at_ms, member = await upkeep.noted(shard, job, ["at_ms", "member"])
    begun = walk = Walk(number_of(at_ms), member) if number_of(at_ms) else FRONT
    is_from_front = begun == FRONT
    while True:
        room = batches.room
        found = await upkeep.due_behind(shard, walk, limit=max(1, min(size, room)), ahead_ms=ahead_ms)
        if is_from_front and begun != FRONT:
            found = [pair for pair in found if not begun.is_ahead(*pair)]
        if found and room:
            walk = walk.after(found)
            yield [session_id for session_id, _deadline_ms in found]
        elif found or is_from_front:
            break
        else:
            walk, is_from_front = FRONT, True
    batches.report.done = not found
    walk = FRONT if batches.report.done else walk
    if walk != begun and not batches.dry_run:
        noted: dict[str, int | str] = {"at_ms": walk.at_ms or "", "member": walk.member}
        await upkeep.note(shard, job, noted, lease=batches.lease)
