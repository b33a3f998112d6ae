"""arq's worker, made to outlive its Redis.

The rule of this module: what arq does is left to arq; overridden is only what ends a process, or slowly stops it, when
the server goes away:

* an error while polling ended the process: now it is counted, and polling goes on after a pause
* such an error between taking a slot and starting the job lost the slot for ever: slots are counted again
* missed ticks of the schedule were made up for one by one: they are left out
* the shared health key was deleted by whichever worker ended first, and writing it failed on a full server: there is a
  health port instead, and no key
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, Final

from arq.utils import poll
from arq.worker import Worker
from redis.exceptions import RedisError

from sessioncache_workers.jobs import shard_jobs
from sessioncache_workers.office import OFFICE, Office
from sessioncache_workers.queue import from_json, to_json
from sessioncache_workers.schedule import schedule

__all__ = ["ShardWorker", "make_worker"]

log = logging.getLogger("sessioncache_workers.worker")

PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 5.0
SLOTS_SEEN: Final = 10
"""How many times its own slots a worker reads of the queue: what others run stands at its front."""


class ShardWorker(Worker):
    """A worker that goes on when Redis comes back."""

    def __init__(self, office: Office, **options: Any) -> None:
        super().__init__(ctx={OFFICE: office}, **options)
        self._office = office
        self._failures = 0
        self._begun = 0
        self._released = 0
        self._is_halted = False

    async def main(self) -> None:
        """Poll until cancelled. Asks the server nothing first, for it may not be there yet."""
        self.ctx["redis"] = self.pool
        async for _ in poll(self.poll_delay_s):
            await self._poll_iteration()
            # The driver swallows a cancellation that comes while it connects.
            if self._is_halted:
                return

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except (RedisError, OSError, TimeoutError) as error:
            self._recover()
            await self._pause(error)
            return
        if self._failures:
            log.info("queue is back", extra={"fields": {"failures": self._failures}})
        self._failures = 0

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        self._office.metrics.queue_failed()
        if self._failures == 1:
            log.warning("queue unavailable", extra={"fields": {"error": type(error).__name__, "reason": str(error)}})
        longest = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** min(self._failures, 10))
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads workers, hides nothing

    def _recover(self) -> None:
        """Give back slots that were taken for jobs that never began, and forget ticks that were missed."""
        for _ in range(self.job_counter - (self._begun - self._released)):
            super()._release_sem_dec_counter_on_complete()
        for job in self.cron_jobs:
            job.next_run = None

    def run_job(self, job_id: str, score: int) -> Coroutine[Any, Any, None]:
        """Count a slot that is rightly held from here on."""
        self._begun += 1
        return super().run_job(job_id, score)

    def _release_sem_dec_counter_on_complete(self) -> None:
        self._released += 1
        super()._release_sem_dec_counter_on_complete()

    async def record_health(self) -> None:
        """Write no health key; see the module."""

    async def drain(self, wait_s: float) -> None:
        """Take no more jobs, let those under way end, cancel the rest, and end `main`."""
        self.allow_pick_jobs = False
        tasks = [task for task in self.tasks.values() if not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=wait_s)
        self.halt()

    def halt(self) -> None:
        """Cancel everything now. Cancelled jobs stay in the queue."""
        self._is_halted = True
        for task in self.tasks.values():
            task.cancel()
        if self.main_task is not None:
            self.main_task.cancel()

    async def close(self) -> None:
        """Wait for jobs that are ending. The queue's connections are the office's to close."""
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


def make_worker(office: Office) -> ShardWorker:
    """The worker of this process."""
    settings = office.settings
    return ShardWorker(
        office,
        functions=shard_jobs(settings),
        cron_jobs=schedule(office),
        queue_name=office.queue.name,
        redis_pool=office.queue.redis,
        handle_signals=False,
        max_jobs=settings.max_jobs,
        job_timeout=settings.job_timeout_s,
        keep_result=0,
        poll_delay=settings.poll_delay_ms / 1000,
        queue_read_limit=max(1_000, SLOTS_SEEN * settings.max_jobs),
        max_tries=settings.max_tries,
        allow_abort_jobs=False,
        job_serializer=to_json,
        job_deserializer=from_json,
        log_results=False,
    )
