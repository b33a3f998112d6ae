"""What arq cannot do: work on a server that is full. A plain loop beside it, in every process.

The rule of this module: it needs no write of the queue. On a full server overdue sessions are swept from here; live
ones are removed only where an operator has set a high mark, and then from there down to the low one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from sessioncache.errors import BackendError, ConfigurationError, LeaseError
from sessioncache.maintenance import relieve
from sessioncache.maintenance.due import due_jobs
from sessioncache_workers.jobs import run_shard, told
from sessioncache_workers.office import Office

__all__ = ["Relief"]

log = logging.getLogger("sessioncache_workers.relief")

SWEEP: Final[dict[str, int]] = {"expire": 1}


class Relief:
    """The loop of one process."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._failures = 0
        self._places: relieve.Places = {}

    async def run(self) -> None:
        """Look every few seconds, as long as the process lives, whatever the servers do."""
        while True:
            try:
                await self.once()
                self._failures = 0
            except (BackendError, LeaseError, ConfigurationError, OSError) as error:
                self._failures += 1
                if self._failures == 1:
                    fields = {"error": getattr(error, "code", type(error).__name__), "reason": str(error)}
                    log.warning("relief failed", extra={"fields": fields})
            # Processes that look at different moments seldom find the same to do.
            every_s = self._office.settings.relieve_every_s
            await asyncio.sleep(every_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads workers, hides nothing

    async def once(self) -> None:
        """Sweep what is overdue if jobs cannot be started, and make room if that was asked for."""
        if self._office.queue_full:
            await self.sweep()
        if self._office.settings.watermarks:
            await self.relieve()

    async def sweep(self) -> None:
        """Remove overdue sessions of every namespace, shard by shard, in an order of this process's own."""
        office = self._office
        for namespace, cache in random.sample(list(office.caches.items()), len(office.caches)):
            agenda = await cache.schedule.look(list(SWEEP))
            due = due_jobs(agenda, SWEEP)
            for item in random.sample(due, len(due)):
                if "archive" in office.periods:
                    # Else what was not archived in time would stay, and the server full.
                    await run_shard(office, "archive", namespace, item.shard)
                await run_shard(office, item.job, namespace, item.shard)

    async def relieve(self) -> None:
        """Where a server's memory is above the high mark, remove the oldest sessions down to the low one."""
        office, settings = self._office, self._office.settings
        if not office.caches:
            return
        with office.metrics.run(relieve.JOB):
            report = await relieve.run_all(
                list(office.caches.values()),
                high=settings.watermarks["high"],
                low=settings.watermarks["low"],
                limit=settings.relieve_limit,
                lease_ttl_ms=settings.lease_ttl_ms,
                holder=office.holder(),
                places=self._places,
            )
        office.metrics.ended(relieve.JOB, "done" if report.done else "partial")
        if report.changed:
            # People have to hear of it: these sessions were alive.
            log.warning("live sessions were removed to make room", extra={"fields": dict(report.details)})
        told(office, {"job": relieve.JOB}, report)
