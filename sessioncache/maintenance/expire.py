"""Sweeping: sessions whose deadline has passed are removed, each at once with all that belongs to it.

The rule of this module: it proposes, the script decides. A session that was extended after it was found due stays.
"""

from __future__ import annotations

from typing import Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import BATCH, Batches, RunOptions
from sessioncache.maintenance.going_round import due_sessions
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
        async for due in due_sessions(cache, shard, batches, size=BATCH):
            await _sweep(cache, shard, batches, due)
            await batches.ended()
        return report


async def _sweep(cache: AsyncSessionCache, shard: int, batches: Batches, due: list[SessionId]) -> None:
    report = batches.report
    mine = batches.own(due, shard)
    report.examined += len(due)
    results = await cache.upkeep.expire(
        shard, mine, lease=batches.lease, archived=bool(cache.settings.archive_url), dry_run=batches.dry_run
    )
    for _session_id, swept in batches.sound(mine, results):
        report.add(swept.outcome)
        if swept.outcome in ("expired", "vanished"):
            report.changed += 1
            report.add("messages", swept.messages)
            report.freed(swept.bytes)
