"""arq's worker, made to outlive its Redis.

The rule of this module: what arq does is left to arq; overridden is only what ends a process, slowly stops it, or costs
the server more than it should:

* an error while polling ended the process: now it is counted, and polling goes on after a pause
* such an error between taking a slot and starting the job lost the slot for ever: slots are counted again
* a job that could not be begun, or whose worker died, stayed claimed for longer than any job may take: claims are
  short, and renewed while the job is under way
* the schedule was kept by each worker's own clock: there is none here, the clockwork has one
* the shared health key was deleted by whichever worker ended first, and writing it failed on a full server: there is a
  health port instead, and no key
* jobs that this release does not know failed, and were lost to those who do: they are left in the queue
* a process that stood still until its claims had run out began its own jobs a second time beside themselves, and broke
  over it: what it is doing it does not begin
* four round trips were taken for every job that somebody else is doing: one tells them all apart
* polling was as frequent with nothing to do as with a full queue: it slows down, and is woken by the clockwork
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from arq.worker import Worker
from redis.exceptions import RedisError

from sessioncache_workers.jobs import shard_jobs
from sessioncache_workers.office import OFFICE, Office
from sessioncache_workers.queue import JobId, from_json, to_json

__all__ = ["ShardWorker", "make_worker"]

log = logging.getLogger("sessioncache_workers.worker")

PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 5.0
READ_MAX: Final = 10_000
"""Most jobs that a look at the queue reads: more than there are, for each is there once."""

IDLE_GROWTH: Final = 1.5
IDLE_MAX: Final = 4
"""With nothing to do, the pause between two looks at the queue grows to so many times what it is otherwise."""


class ShardWorker(Worker):
    """A worker that goes on when Redis comes back."""

    def __init__(self, office: Office, **options: Any) -> None:
        super().__init__(ctx={OFFICE: office}, **options)
        self._office = office
        self._failures = 0
        self._begun = 0
        self._released = 0
        self._is_halted = False
        self._wake = asyncio.Event()
        self._found = 0
        self._left = 0
        self._idle = 1.0
        self._held_at = 0.0
        # As long as a shard's lease, but for several looks at the queue, which renew it.
        self.in_progress_timeout_s = max(office.settings.lease_ttl_ms / 1000, 2 * IDLE_MAX * self.poll_delay_s)

    async def main(self) -> None:
        """Poll until cancelled. Asks the server nothing first, for it may not be there yet."""
        self.ctx["redis"] = self.pool
        while not self._is_halted:
            await self._poll_iteration()
            # The driver swallows a cancellation that comes while it connects.
            if not self._is_halted:
                await self._rest()

    async def _rest(self) -> None:
        """Wait for the next look at the queue, or for being woken."""
        self._idle = 1.0 if self._found or self.tasks else min(self._idle * IDLE_GROWTH, IDLE_MAX)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.poll_delay_s * self._idle):
                await self._wake.wait()
        self._wake.clear()

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def _poll_iteration(self) -> None:
        self._found = self._left = 0
        try:
            await super()._poll_iteration()
            await self._hold_on()
        except (RedisError, OSError, TimeoutError) as error:
            self._recover()
            await self._pause(error)
            return
        if self._failures:
            log.info("queue is back", extra={"fields": {"failures": self._failures}})
        self._failures = 0

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start those that this process knows, and that nobody is doing, here or elsewhere."""
        if self._office.queue_full:
            return
        known = [job_id for job_id in job_ids if self._knows(job_id) and not self._is_doing(job_id)]
        free = await self._office.queue.free(known)
        slots = self.max_jobs - self.job_counter
        self._found, self._left = len(free), len(free) - slots
        await super().start_jobs(free[:slots])

    def _knows(self, job_id: bytes) -> bool:
        job = JobId.parse(job_id.decode())
        return job is not None and self._office.knows(job)

    def _is_doing(self, job_id: bytes) -> bool:
        task = self.tasks.get(job_id.decode())
        return task is not None and not task.done()

    async def _hold_on(self) -> None:
        """Renew the claims on the jobs that are under way."""
        claim_s = self.in_progress_timeout_s
        if self.tasks and monotonic() - self._held_at > claim_s / 3:
            await self._office.queue.hold_on(list(self.tasks), ttl_ms=int(claim_s * 1000))
            self._held_at = monotonic()

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        self._office.metrics.queue_failed()
        if self._failures == 1:
            log.warning("queue unavailable", extra={"fields": {"error": type(error).__name__, "reason": str(error)}})
        longest = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** min(self._failures, 10))
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads workers, hides nothing

    def _recover(self) -> None:
        """Give back slots that were taken for jobs that never began."""
        for _ in range(self.job_counter - (self._begun - self._released)):
            super()._release_sem_dec_counter_on_complete()

    def run_job(self, job_id: str, score: int) -> Coroutine[Any, Any, None]:
        """Count a slot that is rightly held from here on."""
        self._begun += 1
        return self._run_job(job_id, score)

    async def _run_job(self, job_id: str, score: int) -> None:
        try:
            await super().run_job(job_id, score)
        except (RedisError, OSError):
            # It did not begin, or its end could not be told: a full server refuses the one, a lost one both.
            with suppress(RedisError, OSError):
                await self._office.queue.let_go(job_id)
            raise

    def _release_sem_dec_counter_on_complete(self) -> None:
        self._released += 1
        super()._release_sem_dec_counter_on_complete()
        if self._left > 0:
            self.wake()

    async def record_health(self) -> None:
        """Write no health key; see the module."""

    async def drain(self, wait_s: float) -> None:
        """Take no more jobs, let those under way end, cancel the rest, and end `main`."""
        self.allow_pick_jobs = False
        tasks = [task for task in self.tasks.values() if not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=wait_s)
        left = sum(not task.done() for task in self.tasks.values())
        if left:
            log.info("jobs handed back", extra={"fields": {"jobs": left}})
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
        functions=shard_jobs(settings.job_timeout_s),
        queue_name=office.queue.name,
        redis_pool=office.queue.redis,
        handle_signals=False,
        max_jobs=settings.max_jobs,
        keep_result=0,
        poll_delay=settings.poll_delay_ms / 1000,
        queue_read_limit=READ_MAX,
        max_tries=settings.max_tries,
        allow_abort_jobs=False,
        job_serializer=to_json,
        job_deserializer=from_json,
        log_results=False,
    )
