"""`sessioncache maintain run JOB`: a background job by hand, over all shards."""

from __future__ import annotations

import os
import socket
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated, Final, Protocol

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sessioncache.cli.output import duration_text, plain
from sessioncache.cli.root import NegativeAnswer, State, run, state_of
from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance import LEASE_TTL_MS, Report, compact, expire, prune, reconcile
from sessioncache.types import check_limit
from sessioncache.upkeep import ShardLease

__all__ = ["group"]

LIMIT: Final = 1_000_000

group = typer.Typer(no_args_is_help=True, help="Run the workers' jobs by hand.")


class Job(StrEnum):
    """What workers do."""

    expire = "expire"
    prune = "prune"
    reconcile = "reconcile"
    compact = "compact"


@group.callback()
def jobs() -> None:
    """Run the workers' jobs by hand."""


class Run(Protocol):
    """A job."""

    async def __call__(
        self, cache: AsyncSessionCache, shard: int, *, limit: int, lease: ShardLease | None = None
    ) -> Report:
        """Do it on one shard."""


RUNS: Final[dict[Job, Run]] = {
    Job.expire: expire.run,
    Job.prune: prune.run,
    Job.reconcile: reconcile.run,
    Job.compact: compact.run,
}


@group.command("run")
def run_(
    context: typer.Context,
    job: Annotated[
        Job,
        typer.Argument(help="expire sweeps, prune trims transcripts, reconcile repairs lists, compact seals messages."),
    ],
    limit: Annotated[int, typer.Option(help="Most sessions to look at in each shard.")] = LIMIT,
) -> None:
    """Run a job on every shard. Shards that a worker holds are left to it, which is exit code 1."""
    state = state_of(context)
    output = state.output
    check_limit(limit, what="--limit", at_least=1)
    report, busy = run(_all_shards(state, job, limit))
    if output.as_json:
        output.emit({**plain(report), "busy_shards": busy})
    else:
        found = {"sessions looked at": report.examined, "changed": report.changed, **report.details}
        told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in found.items())
        output.say(f"{job.value}: {told} in {duration_text(round(report.duration_s * 1000))}")
        for text in report.notes:
            output.warn(text)
    if not report.done:
        raise NegativeAnswer("there is more to do: the limit was reached, or a shard never held still; run it again")
    if busy:
        raise NegativeAnswer(f"{len(busy)} shards were left to the workers that hold their lease; run it again later")


async def _all_shards(state: State, job: Job, limit: int) -> tuple[Report, list[int]]:
    """Run the job everywhere: what it did, and the shards that somebody else was working on."""
    output = state.output
    busy: list[int] = []
    total = Report(job.value, None)
    async with aclosing(state.cache()) as cache:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=output.errors,
            disable=not output.live,
            transient=True,
        ) as progress:
            for shard in progress.track(range(cache.keys.shards), description=f"{job.value}, shard"):
                report = await _one_shard(cache, job, shard, limit)
                if report is None:
                    busy.append(shard)
                else:
                    total.merge(report)
    return total, busy


async def _one_shard(cache: AsyncSessionCache, job: Job, shard: int, limit: int) -> Report | None:
    """What the job did to a shard; None where somebody else has the lease."""
    holder = f"cli-{socket.gethostname()}-{os.getpid()}"
    lease = await cache.upkeep.acquire(shard, job.value, holder=holder, ttl_ms=LEASE_TTL_MS)
    if lease is None:
        return None
    report = None
    try:
        report = await RUNS[job](cache, shard, limit=limit, lease=lease)
        return report
    finally:
        await cache.upkeep.release(lease, seen=None if report is None else report.passed)
