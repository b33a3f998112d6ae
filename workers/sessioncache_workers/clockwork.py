"""The clockwork: one process at a time looks what there is to do, and puts jobs for it into the queue.

The rule of this module: it works on nothing itself, decides nothing (`sessioncache.maintenance.due` does), and reads no
clock but the server's. Whose turn it is says a key that expires there: no process is special, and one that dies leaves
nothing undone.

```
every process, every few seconds      whoever is first                     every process
is it my turn? (1 command) ─────────▶ namespace by namespace: what is ───▶ takes a job from the queue, …
                                      due? (1 round trip) puts it in
```
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable

from redis.exceptions import OutOfMemoryError, RedisError

from sessioncache.errors import BackendError, ConfigurationError, SessionCacheError
from sessioncache.maintenance.due import Due, due_jobs
from sessioncache.schedule import Agenda
from sessioncache_workers.office import Office
from sessioncache_workers.queue import JobId

__all__ = ["Clockwork"]

log = logging.getLogger("sessioncache_workers.clockwork")


class Clockwork:
    """The ticks of one process."""

    def __init__(self, office: Office, woken: Callable[[], None]) -> None:
        """Describe it.

        Args:
            office: of the process.
            woken: called when there is something in the queue.
        """
        self._office = office
        self._woken = woken
        self._failures = 0

    async def run(self) -> None:
        """Tick as long as the process lives, whatever the servers do.

        Raises:
            ConfigurationError: this release can serve none of the namespaces.
        """
        every_s = self._office.settings.tick_every_s
        while True:
            try:
                await self.tick()
                self._failures = 0
            except (BackendError, RedisError, OSError) as error:
                self._failures += 1
                if self._failures == 1:
                    fields = {"error": type(error).__name__, "reason": str(error)}
                    log.warning("tick failed", extra={"fields": fields})
            await asyncio.sleep(every_s * random.uniform(0.9, 1.1))  # noqa: S311 - spreads workers, hides nothing

    async def tick(self) -> bool:
        """Look for namespaces, and put in what is due if it is this process's turn; whether it was.

        Raises:
            ConfigurationError: this release can serve none of the namespaces.
            BackendError: the sessions' server is away.
            RedisError: the queue's is.
        """
        office = self._office
        turn_ms = office.settings.tick_every_s * 800
        try:
            is_mine = await office.queue.claim_tick(office.name, ttl_ms=turn_ms)
            office.noted_full(full=False)
        except OutOfMemoryError:
            office.noted_full(full=True)
            is_mine = False
        await office.find_namespaces()
        if not is_mine:
            # Whose turn it is tells what is late: what this one told before is not true any more.
            for namespace in office.settings.namespaces:
                office.metrics.forget(namespace)
            office.metrics.queued(None)
            return False
        try:
            await self.put_in()
        except OutOfMemoryError:
            office.noted_full(full=True)
        return True

    async def put_in(self) -> None:
        """Put in what is due: two round trips a namespace."""
        office = self._office
        await office.queue.forget_old()
        jobs = await office.queue.jobs()
        office.metrics.queued(len(jobs))
        queued = Counter(job.namespace for job in jobs if job is not None and office.knows(job))
        for namespace in list(office.caches):
            try:
                agenda = await self.look(namespace)
            except (SessionCacheError, OSError) as error:
                # The next tick sees what this one left out.
                fields = {"namespace": namespace, "error": getattr(error, "code", type(error).__name__)}
                log.warning("namespace not looked at", extra={"fields": fields})
                office.metrics.forget(namespace)
                continue
            if agenda is not None:
                due = due_jobs(agenda, office.periods)
                lags_s = dict.fromkeys(office.periods, 0.0)
                for item in due:
                    lags_s[item.job] = max(lags_s[item.job], item.late_ms / 1000)
                office.metrics.due(namespace, lags_s)
                await self._put_in(namespace, due, queued)

    async def look(self, namespace: str) -> Agenda | None:
        """What the server says about a namespace; None: it is not as it was found, and was let go of."""
        office = self._office
        cache = office.caches[namespace]
        try:
            agenda = await cache.schedule.look(list(office.periods))
        except ConfigurationError as error:
            await office.lose(namespace, str(error))
            return None
        # A failover may lose the namespace's configuration, and agents go on: so does this.
        if agenda.shard_count not in (None, cache.keys.shards):
            await office.lose(namespace, f"it has {agenda.shard_count} shards now")
            return None
        return agenda

    async def _put_in(self, namespace: str, due: list[Due], queued: Counter[str]) -> None:
        office = self._office
        room = max(0, office.settings.namespace_jobs_max - queued[namespace])
        jobs = [JobId(item.job, namespace, item.shard) for item in due[:room]]
        if not jobs:
            return
        added = await office.queue.put_in(jobs, queued=queued)
        for job in added:
            office.metrics.enqueued(job.name)
        if added:
            self._woken()
