"""The shard jobs: each takes the shard's lease, calls `sessioncache.maintenance` and reports.

The rule of this module: a job may run twice, at once or again. Whoever does not get the lease leaves quietly, and
whoever lost it is refused by the scripts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from arq import Retry
from arq.worker import Function, func

from sessioncache import AsyncSessionCache
from sessioncache.errors import BackendError, LeaseLost, SessionCacheError
from sessioncache.maintenance import Report, compact, expire, prune, reconcile
from sessioncache.upkeep import ShardLease
from sessioncache_workers.office import OFFICE, Office
from sessioncache_workers.settings import WorkerSettings

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

__all__ = ["JOBS", "Run", "shard_job", "shard_jobs"]

log = logging.getLogger("sessioncache_workers.jobs")

RETRY_AFTER_S: Final = 5
RELEASE_LIMIT_S: Final = 2.0
"""How long a job tries to give its lease back: a call's whole time limit would outlast what is left after SIGTERM."""

ShardJob: TypeAlias = Callable[[dict[str, Any], str, int], Coroutine[Any, Any, None]]
Limited: TypeAlias = Callable[..., Coroutine[Any, Any, Report]]
"""A Run with its limit filled in."""


class Run(Protocol):
    """What the modules of `sessioncache.maintenance` have in common."""

    def __call__(
        self, cache: AsyncSessionCache, shard: int, *, limit: int, lease: ShardLease | None, lease_ttl_ms: int
    ) -> Coroutine[Any, Any, Report]:
        """Work on one shard."""


def shard_job(name: str, run: Run, limit: Callable[[WorkerSettings], int]) -> ShardJob:
    """A job of arq that does `run` on one shard under a lease, measured and logged."""

    async def job(ctx: dict[str, Any], namespace: str, shard: int) -> None:
        office: Office = ctx[OFFICE]
        named = {"job": name, "namespace": namespace, "shard": shard}
        outcome = "failed"
        try:
            with office.metrics.run(name):
                report = await _under_lease(office, name, namespace, shard, partial(run, limit=limit(office.settings)))
            outcome = "skipped" if report is None else "done" if report.done else "partial"
            if report is not None:
                _tell(office, named, report)
        except LeaseLost as error:
            outcome = "lost"
            log.warning("lease lost", extra={"fields": named | {"error": error.code}})
        except SessionCacheError as error:
            log.warning("run failed", extra={"fields": named | {"error": error.code, "reason": str(error)}})
            if not error.retryable:
                raise
            outcome = "retried"
            raise Retry(defer=RETRY_AFTER_S * int(ctx.get("job_try", 1))) from error
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            office.metrics.ended(name, outcome)

    return job


async def _under_lease(office: Office, name: str, namespace: str, shard: int, run: Limited) -> Report | None:
    """What `run` reports; None if somebody else holds the shard."""
    cache, ttl_ms = office.caches[namespace], office.settings.lease_ttl_ms
    lease = await cache.upkeep.acquire(shard, name, holder=office.holder(), ttl_ms=ttl_ms)
    if lease is None:
        return None
    report = None
    try:
        report = await run(cache, shard, lease=lease, lease_ttl_ms=ttl_ms)
        return report
    finally:
        try:
            async with asyncio.timeout(RELEASE_LIMIT_S):
                await cache.upkeep.release(lease, seen=None if report is None else report.passed)
        except (BackendError, TimeoutError) as error:
            # It runs out by itself.
            reason = getattr(error, "code", "timeout")
            log.info("lease not released", extra={"fields": {"job": name, "shard": shard, "error": reason}})


def _tell(office: Office, named: dict[str, Any], report: Report) -> None:
    office.metrics.found(report.job, examined=report.examined, changed=report.changed, findings=report.details)
    fields = named | {
        "examined": report.examined,
        "changed": report.changed,
        "done": report.done,
        "duration_s": round(report.duration_s, 4),
        **report.details,
    }
    log.log(logging.INFO if report.changed else logging.DEBUG, "run ended", extra={"fields": fields})
    for note in report.notes:
        log.warning(note, extra={"fields": named})


JOBS: Final[dict[str, ShardJob]] = {
    "expire": shard_job("expire", expire.run, lambda settings: settings.expire_limit),
    "prune": shard_job("prune", prune.run, lambda settings: settings.examine_limit),
    "reconcile": shard_job("reconcile", reconcile.run, lambda settings: settings.examine_limit),
    "compact": shard_job("compact", compact.run, lambda settings: settings.compact_limit),
}
"""By name."""


def shard_jobs(settings: WorkerSettings) -> list[Function]:
    """The jobs as arq takes them.

    Those that are due once a period keep their (empty) result for a few ticks: so long the queue knows the id, and the
    next ticks do not put the same period in again. A sweep is put in again only if something is due again.
    """
    return [
        func(cast("WorkerCoroutine", job), name=name, keep_result=0 if name == "expire" else 3 * settings.tick_every_s)
        for name, job in JOBS.items()
    ]
