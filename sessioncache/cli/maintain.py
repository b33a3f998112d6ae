"""`sessioncache maintain run JOB`: a background job by hand, over all shards."""

from __future__ import annotations

import os
import socket
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sessioncache.cli.root import NegativeAnswer, State, run, state_of
from sessioncache.client._async import AsyncSessionCache
from sessioncache.types import check_limit

__all__ = ["group"]

LEASE_MS = 60_000

group = typer.Typer(no_args_is_help=True, help="Run the workers' jobs by hand.")


class Job(StrEnum):
    """What workers do."""

    expire = "expire"
    prune = "prune"
    reconcile = "reconcile"


@group.callback()
def jobs() -> None:
    """Run the workers' jobs by hand."""


@group.command("run")
def run_(
    context: typer.Context,
    job: Annotated[Job, typer.Argument(help="What to do.")],
    limit: Annotated[int, typer.Option(help="Most sessions to look at in one step.")] = 500,
) -> None:
    """Run a job on every shard until nothing is left to do; shards that a worker holds are left to it."""
    state = state_of(context)
    check_limit(limit, what="--limit", at_least=1, at_most=500)
    busy = run(_all_shards(state, job, limit))
    if busy:
        raise NegativeAnswer(f"{len(busy)} shards were left to the workers that hold their lease; run again later")


async def _all_shards(state: State, job: Job, limit: int) -> list[int]:
    """Run the job everywhere and print what it did; the shards that somebody else was working on."""
    output = state.output
    busy: list[int] = []
    sums: dict[str, int] = {"examined": 0, "changed": 0}
    async with state.cache() as cache:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=output.errors,
            disable=not output.live,
            transient=True,
        ) as progress:
            task = progress.add_task(f"{job.value}, shard", total=cache.keys.shards)
            for shard in range(cache.keys.shards):
                reports = await _one_shard(cache, job, shard, limit)
                if reports is None:
                    busy.append(shard)
                for report in reports or ():
                    sums["examined"] += report.examined
                    sums["changed"] += report.changed
                    for name, value in report.details.items():
                        sums[name] = sums.get(name, 0) + value
                progress.advance(task)
    if output.as_json:
        output.emit({"job": job.value, **sums, "busy_shards": len(busy)})
    else:
        output.say(f"{job.value}: " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in sums.items()))
    return busy


async def _one_shard(cache: AsyncSessionCache, job: Job, shard: int, limit: int) -> list[Any] | None:
    """The reports of one shard's steps; None where somebody else has the lease."""
    module = import_module(f"sessioncache.maintenance.{job.value}")
    holder = f"cli-{socket.gethostname()}-{os.getpid()}"
    lease = await cache.leases.acquire(shard, job.value, holder=holder, ttl_ms=LEASE_MS)
    if lease is None:
        return None
    reports: list[Any] = []
    try:
        while not reports or not reports[-1].done:
            lease = await cache.leases.renew(lease, ttl_ms=LEASE_MS)
            reports.append(await module.run(cache, shard, limit=limit, lease=lease))
            if reports[-1].changed == 0:
                break
    finally:
        await cache.leases.release(lease)
    return reports
