"""Sweeping: sessions whose deadline has passed are removed, each at once with all that belongs to it.

The rule of this module: it proposes, the script decides. A session that was extended after it was found due stays.
"""

from __future__ import annotations

from typing import Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import BATCH, Batches, RunOptions
from sessioncache.maintenance.report import Report
from sessioncache.types import SessionId

__all__ = ["run"]

JOB = "expire"


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """Remove a shard's overdue sessions, the longest overdue first, until none is due or `limit` were looked at.

    Where an archive is set (`SESSIONCACHE_ARCHIVE_URL`), only those go that were archived as they are.

    Raises:
        LeaseLost: somebody else has taken the shard over; what was swept stays swept.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        stuck: set[SessionId] = set()
        """Sessions that are still listed as due after they were looked at: never looked at twice."""
        while True:
            # Those that stay may all stand in front of the others.
            found = [session_id for session_id, _late_ms in await cache.upkeep.due(shard, limit=BATCH + len(stuck))]
            due = [session_id for session_id in found if session_id not in stuck]
            if not due or not batches.room:
                report.done = not due
                return report
            await _sweep(cache, shard, batches, due[: batches.room], stuck)
            await batches.ended()


async def _sweep(
    cache: AsyncSessionCache, shard: int, batches: Batches, due: list[SessionId], stuck: set[SessionId]
) -> None:
    report = batches.report
    mine = batches.own(due, shard)
    report.examined += len(due)
    stuck.update(due)
    results = await cache.upkeep.expire(
        shard, mine, lease=batches.lease, archived=bool(cache.settings.archive_url), dry_run=batches.dry_run
    )
    for session_id, swept in batches.sound(mine, results):
        report.add(swept.outcome)
        if swept.outcome in ("expired", "vanished"):
            report.changed += 1
            report.add("messages", swept.messages)
            report.freed(swept.bytes)
            if not batches.dry_run:
                stuck.discard(session_id)
