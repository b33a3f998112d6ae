"""The clockwork: a tick that looks which shards have something to do, and puts jobs for them into the queue.

The rule of this module: it works on nothing itself, and reads no clock but the server's, so that workers whose clocks
differ agree about what is due.

```
one period of prune over 64 shards:   |s0 |s1 |s2 | …                                  |s63|
ticks:                                ↑    ↑    ↑    each puts in the shards that came due in the last two ticks;
                                                     the id `prune:<ns>:<shard>:<period>` makes the second time nothing
```
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from arq import cron
from arq.cron import CronJob
from redis.exceptions import RedisError

from sessioncache.errors import SessionCacheError
from sessioncache.stats import ShardStats
from sessioncache_workers.office import OFFICE, Office
from sessioncache_workers.settings import WorkerSettings

__all__ = ["due_jobs", "schedule", "tick"]

log = logging.getLogger("sessioncache_workers.schedule")


def due_jobs(settings: WorkerSettings, shards: list[ShardStats]) -> Iterator[tuple[str, int, int]]:
    """What is to be done now: job, shard, and the number of the period."""
    tick_ms = settings.tick_every_s * 1000
    for shard in shards:
        if shard.overdue:
            yield "expire", shard.shard, shard.now_ms // tick_ms
        periods = {"prune": settings.prune_every_s, "reconcile": settings.reconcile_every_s}
        periods["compact"] = settings.compact_every_s
        for job, every_s in periods.items():
            # Spread over the period, so that not all shards come due in one moment.
            own_ms = shard.now_ms - shard.shard * every_s * 1000 // len(shards)
            period = own_ms // (every_s * 1000)
            if period != (own_ms - 2 * tick_ms) // (every_s * 1000):
                yield job, shard.shard, period


async def tick(ctx: dict[str, Any]) -> None:
    """Put in what is due. One round trip a namespace to see, and three for each job."""
    office: Office = ctx[OFFICE]
    for namespace in office.caches:
        try:
            await _put_in(office, namespace)
        except (SessionCacheError, RedisError, OSError) as error:
            # The next tick sees what this one left out.
            fields = {"namespace": namespace, "error": type(error).__name__, "reason": str(error)}
            log.warning("tick failed", extra={"fields": fields})


async def _put_in(office: Office, namespace: str) -> None:
    for job, shard, period in due_jobs(office.settings, await office.caches[namespace].stats.shards()):
        job_id = office.queue.job_id(job, namespace, shard, period)
        if await office.queue.enqueue(job, namespace, shard, job_id=job_id):
            office.metrics.enqueued(job)


def schedule(office: Office) -> list[CronJob]:
    """The tick as arq takes it: workers of one queue run it once between them.

    arq keeps the jobs of all queues under one prefix, so the name tells the queues of one Redis apart: with one name,
    every tick would be run for one of them and left out for the others.
    """
    seconds = set(range(0, 60, office.settings.tick_every_s))
    return [cron(tick, name=office.queue.job_id("cron", "tick", office.queue.name), second=seconds, unique=True)]
