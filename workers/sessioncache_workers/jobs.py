"""The shard jobs: each takes the shard's lease, calls `sessioncache.maintenance` and reports.

The rule of this module: a job may run twice, at once or again, or be lost. Whoever does not get the lease leaves
quietly, whoever lost it is refused by the scripts, and what was not done is due at the next tick: so no job is repeated
by arq, whose queue would have to know when.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from arq import Retry
from arq.worker import Function, func

from sessioncache import AsyncSessionCache
from sessioncache.errors import BackendError, ConfigurationError, LeaseLost, ScriptFailure, SessionCacheError
from sessioncache.maintenance import Report
from sessioncache.maintenance.batch import pace_of
from sessioncache.maintenance.jobs import JOBS
from sessioncache.upkeep import ShardLease
from sessioncache_workers.office import OFFICE, Office

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

__all__ = ["run_shard", "shard_job", "shard_jobs", "told"]

log = logging.getLogger("sessioncache_workers.jobs")

HAND_BACK_S: Final = 30
RELEASE_LIMIT_S: Final = 2.0
"""How long a job tries to give its lease back: a call's whole time limit would outlast what is left after SIGTERM."""

CLOSE_S: Final = 15
"""A job that is out of time is stopped by itself first, and by arq so much later."""

ShardJob: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


def shard_job(name: str) -> ShardJob:
    """A job of arq that does one of the jobs on one shard."""

    async def job(ctx: dict[str, Any], *args: object, **more: object) -> None:
        office: Office = ctx[OFFICE]
        match args:
            case (str() as namespace, int() as shard) if not more and namespace in office.caches:
                await run_shard(office, name, namespace, shard)
            case _:
                # A newer release has put it in, and knows what it means.
                office.metrics.ended(name, "unknown")
                log.warning("job handed back: this release does not know what it says", extra={"fields": {"job": name}})
                raise Retry(defer=HAND_BACK_S)

    return job


async def run_shard(office: Office, name: str, namespace: str, shard: int) -> None:
    """Do a job on a shard, measured and logged. Ends quietly however it ends, but for a cancellation."""
    named = {"job": name, "namespace": namespace, "shard": shard}
    outcome = "failed"
    try:
        with office.metrics.run(name):
            async with asyncio.timeout(office.settings.job_timeout_s):
                report = await _under_lease(office, name, namespace, shard)
        outcome = "skipped" if report is None else "done" if report.done else "partial"
        if report is not None:
            if report.details.get("archived"):
                office.archive.worked()
            told(office, named, report)
    except LeaseLost as error:
        outcome = "lost"
        log.warning("lease lost", extra={"fields": named | {"error": error.code}})
    except SessionCacheError as error:
        outcome = "retried" if error.retryable else "failed"
        log.warning("run failed", extra={"fields": named | _reason(error)})
    except TimeoutError:
        outcome = "timed_out"
        fields = named | {"limit_s": office.settings.job_timeout_s}
        log.warning("run stopped: it is out of time, and goes on at the next tick", extra={"fields": fields})
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    except OSError as error:
        # Nothing but the archive's files: servers have errors of their own.
        office.archive.failed(error)
        log.warning("run failed", extra={"fields": named | {"error": type(error).__name__, "reason": str(error)}})
    except Exception as error:
        # A defect. The frames say where; what it says may hold an id.
        frames = "".join(traceback.format_tb(error.__traceback__))
        fields = named | {"error": type(error).__name__, "trace": frames}
        log.error("run broke", extra={"fields": fields})  # noqa: TRY400 - with the frames, but not the text
        log.debug("what broke it", exc_info=error)
    finally:
        office.metrics.ended(name, outcome)


def _reason(error: SessionCacheError) -> dict[str, str]:
    """What may be said about an error: of servers and settings all, of data and scripts only the code."""
    is_harmless = isinstance(error, BackendError | ConfigurationError) and not isinstance(error, ScriptFailure)
    if is_harmless or log.isEnabledFor(logging.DEBUG):
        return {"error": error.code, "reason": str(error)}
    return {"error": error.code}


async def _under_lease(office: Office, name: str, namespace: str, shard: int) -> Report | None:
    """What the run reports; None if somebody else holds the shard."""
    cache, settings = office.caches[namespace], office.settings
    lease = await cache.upkeep.acquire(shard, name, holder=office.holder(), ttl_ms=settings.lease_ttl_ms)
    if lease is None:
        return None
    seen: dict[str, int] | None = None
    try:
        changes = await cache.schedule.changes(shard)
        report = await JOBS[name].run(
            cache,
            shard,
            limit=settings.limit(name),
            lease=lease,
            lease_ttl_ms=settings.lease_ttl_ms,
            progress=lambda _report: _batched(office, cache, name),
        )
        if report.passed is not None:
            seen = {**report.passed, f"changes:{name}": changes}
    except BaseException as error:
        # What fails for another reason fails again now: the lease keeps everybody from trying until it runs out.
        if isinstance(error, asyncio.CancelledError) or getattr(error, "retryable", False):
            await _give_back(cache, lease, None)
        raise
    await _give_back(cache, lease, seen)
    return report


def _batched(office: Office, cache: AsyncSessionCache, name: str) -> None:
    pace = pace_of(cache, name)
    office.metrics.batched(name, size=pace.batch, pause_s=pace.pause_s)


async def _give_back(cache: AsyncSessionCache, lease: ShardLease, seen: dict[str, int] | None) -> None:
    try:
        async with asyncio.timeout(RELEASE_LIMIT_S):
            await cache.upkeep.release(lease, seen=seen)
    except (BackendError, TimeoutError) as error:
        # It runs out by itself.
        fields = {"job": lease.job, "shard": lease.shard, "error": getattr(error, "code", "timeout")}
        log.info("lease not released", extra={"fields": fields})


def told(office: Office, named: dict[str, Any], report: Report) -> None:
    """Tell of a run that has ended. What it noted names sessions, so only those who debug see it."""
    office.metrics.found(
        report.job,
        examined=report.examined,
        changed=report.changed,
        findings=report.details,
        bytes_in=report.bytes_in,
        bytes_out=report.bytes_out,
    )
    fields = named | {
        "examined": report.examined,
        "changed": report.changed,
        "done": report.done,
        "duration_s": round(report.duration_s, 4),
        **report.details,
    }
    level = logging.WARNING if report.details.get("torn") else logging.INFO if report.changed else logging.DEBUG
    log.log(level, "run ended", extra={"fields": fields})
    for note in report.notes:
        log.debug("note", extra={"fields": named | {"note": note}})


def shard_jobs(job_timeout_s: int) -> list[Function]:
    """All jobs as arq takes them. Their names and arguments are what releases have in common."""
    return [
        func(cast("WorkerCoroutine", shard_job(name)), name=name, keep_result=0, timeout=job_timeout_s + CLOSE_S)
        for name in JOBS
    ]
