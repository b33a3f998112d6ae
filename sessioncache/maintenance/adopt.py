"""Adopting: sessions whose records are there, but which no list knows, are listed again.

The rule of this module: it is for after a disaster, and is run by hand. The keyspace of the shard's whole server is
scanned, in bounded steps, once for each shard; `reconcile` finds all that at least one list still knows, without that
cost.
"""

from __future__ import annotations

from typing import Final, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import Batches, RunOptions, chunks
from sessioncache.maintenance.report import Report

__all__ = ["run"]

JOB = "adopt"
SCAN_COUNT: Final = 1_000


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """List what is there: every session of the shard that has a record. Run `reconcile` afterwards, for the totals.

    Raises:
        LeaseLost: somebody else has taken the shard over; what was adopted stays adopted.
        BackendError: the server is away; running it again begins anew.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        cursor = 0
        while True:
            cursor, found = await cache.upkeep.records(shard, cursor=cursor, limit=SCAN_COUNT)
            for chunk in chunks(found):
                if len(chunk) > batches.room:
                    report.done = False
                    return report
                await _adopt(cache, shard, batches, chunk)
            await batches.ended()
            if cursor == 0:
                return report


async def _adopt(cache: AsyncSessionCache, shard: int, batches: Batches, session_ids: list[str]) -> None:
    report = batches.report
    report.examined += len(session_ids)
    mine = batches.own(session_ids, shard)
    results = await cache.upkeep.reindex(shard, dict.fromkeys(mine), lease=batches.lease, dry_run=batches.dry_run)
    for session_id, reindexed in batches.sound(mine, results):
        if reindexed.state == "torn":
            report.add("torn")
            report.note(f"{session_id!r} is torn: its record disagrees with its transcript or a room")
        elif reindexed.repaired and reindexed.state == "live":
            report.changed += 1
            report.add("adopted")
