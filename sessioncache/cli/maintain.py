"""`sessioncache maintain run JOB`: a background job by hand, over all shards or one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Annotated, Final

import typer

from sessioncache.cli.output import Output, bytes_text, duration_text, plain
from sessioncache.cli.root import NegativeAnswer, State, WrongUsage, run, state_of
from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance import JOBS, LEASE_TTL_MS, Report, Run, adopt, relieve
from sessioncache.types import check_limit

__all__ = ["group"]

LIMIT: Final = 1_000_000
LINE_EVERY_S: Final = 1.0

group = typer.Typer(no_args_is_help=True, help="Run the workers' jobs by hand.")

RUNS: Final[dict[str, Run]] = {name: job.run for name, job in JOBS.items()} | {"adopt": adopt.run}

Job = StrEnum("Job", [*RUNS, relieve.JOB])  # type: ignore[misc]  # its members are the jobs, which are declared once

ABOUT: Final = "; ".join(
    [
        *(f"{name} {job.about}" for name, job in JOBS.items()),
        "adopt lists sessions that no list knows",
        "relieve removes the oldest sessions where memory runs short",
    ]
)


@group.callback()
def jobs() -> None:
    """Run the workers' jobs by hand."""


class Stopped(Exception):
    """Ctrl-C was pressed, and a batch has ended."""


class Watch:
    """What a person sees of a run, and how he stops it."""

    def __init__(self, output: Output, job: str, total: int, shards: int) -> None:
        self.busy: list[int] = []
        self.stopped = False
        self.report = Report(job, None)
        """Of the shards that are done."""
        self._output = output
        self._total = total
        self._shards = shards
        self._told = monotonic()
        self._bar = output.bar()
        self._task = self._bar.add_task(f"{job}, sessions", total=total)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar, and take Ctrl-C as a wish to stop behind the batch; pressed again, it ends at once."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self.stopped and task is not None:
                task.cancel()
            self.stopped = True

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            with self._bar:
                yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def batch(self, running: Report) -> None:
        """After a batch of a shard."""
        done = self.report.examined + running.examined
        self._bar.update(self._task, completed=min(done, self._total))
        if not self._output.live and monotonic() - self._told >= LINE_EVERY_S:
            self._told = monotonic()
            where = "" if running.shard is None else f", shard {running.shard} of {self._shards}"
            changed = self.report.changed + running.changed
            self._output.note(f"{running.job}{where}: {done} of about {self._total} sessions, {changed} changed")
        if self.stopped:
            self.report.merge(running)
            raise Stopped


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done."""

    job: str
    shard: int | None
    limit: int
    dry_run: bool
    high: float
    low: float


class JSONLines(logging.Handler):
    """The log of batches, a JSON object a line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        fields = getattr(record, "fields", {})
        sys.stderr.write(json.dumps({"level": record.levelname.lower(), "event": record.getMessage(), **fields}) + "\n")


@group.command(
    "run",
    short_help="Run a job on every shard, or on one.",
    help=f"Run a job on every shard, or on one: {ABOUT}. Shards that a worker holds are left to it: exit code 1.",
)
def run_(
    context: typer.Context,
    job: Annotated[Job, typer.Argument(help="Which one.")],
    *,
    shard: Annotated[int | None, typer.Option(help="Only this shard.")] = None,
    limit: Annotated[int, typer.Option(help="Most sessions to look at in each shard.")] = LIMIT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, say what would be done.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Write a line of JSON to stderr for each batch.")] = False,
    high: Annotated[float, typer.Option(help="relieve: share of maxmemory above which sessions go.")] = relieve.HIGH,
    low: Annotated[float, typer.Option(help="relieve: share of maxmemory down to which they go.")] = relieve.LOW,
) -> None:
    """Run a job."""
    state = state_of(context)
    check_limit(limit, what="--limit", at_least=1)
    if shard is not None and job == relieve.JOB:
        raise WrongUsage("relieve looks at servers, not at shards: leave --shard out")
    if log:
        logger = logging.getLogger("sessioncache.maintenance")
        logger.addHandler(JSONLines())
        logger.setLevel(logging.DEBUG)
    watch = run(_work(state, Wish(str(job), shard, limit, dry_run, high, low)))
    _show(state.output, watch)
    report, busy = watch.report, watch.busy
    if watch.stopped:
        raise asyncio.CancelledError
    if not report.done:
        raise NegativeAnswer("there is more to do: the limit was reached, or a shard never held still; run it again")
    if busy:
        raise NegativeAnswer(f"{len(busy)} shards were left to the workers that hold their lease; run it again later")


async def _work(state: State, wish: Wish) -> Watch:
    job, shard = wish.job, wish.shard
    needs = JOBS[job].needs if job in JOBS else ""
    if needs and not getattr(state.settings(), needs):
        raise WrongUsage(f"{job} does nothing unless SESSIONCACHE_{needs.upper()} is set")
    async with state.found() as cache:
        stats = await cache.stats.shards()
        if shard is not None and not 0 <= shard < cache.keys.shards:
            raise WrongUsage(f"--shard {shard}: the namespace has the shards 0 to {cache.keys.shards - 1}")
        chosen = range(cache.keys.shards) if shard is None else [shard]
        counts = {one.shard: one.overdue if job == "expire" else one.sessions for one in stats}
        watch = Watch(state.output, job, sum(counts[one] for one in chosen), cache.keys.shards)
        watch.report.dry_run = wish.dry_run
        with watch.shown():
            try:
                if job == relieve.JOB:
                    await _relieve(cache, wish, watch)
                    return watch
                for one in chosen:
                    await _one_shard(cache, wish, one, watch)
                    if watch.stopped:
                        break
            except Stopped:
                pass
        return watch


async def _relieve(cache: AsyncSessionCache, wish: Wish, watch: Watch) -> None:
    report = await relieve.run(
        cache, high=wish.high, low=wish.low, limit=wish.limit, progress=watch.batch, dry_run=wish.dry_run
    )
    watch.report.merge(report)


async def _one_shard(cache: AsyncSessionCache, wish: Wish, shard: int, watch: Watch) -> None:
    """Run the job on a shard; one whose lease somebody else has is left to him. A dry run needs no lease."""
    job, limit = wish.job, wish.limit
    if wish.dry_run:
        watch.report.merge(await RUNS[job](cache, shard, limit=limit, progress=watch.batch, dry_run=True))
        return
    holder = f"cli-{socket.gethostname()}-{os.getpid()}"
    lease = await cache.upkeep.acquire(shard, job, holder=holder, ttl_ms=LEASE_TTL_MS)
    if lease is None:
        watch.busy.append(shard)
        return
    report = None
    try:
        report = await RUNS[job](cache, shard, limit=limit, lease=lease, progress=watch.batch)
        watch.report.merge(report)
    finally:
        await cache.upkeep.release(lease, seen=None if report is None else report.passed)


def _show(output: Output, watch: Watch) -> None:
    report = watch.report
    if output.as_json:
        output.emit({**plain(report), "busy_shards": watch.busy, "stopped": watch.stopped})
        return
    title = f"{report.job}, dry run: nothing was changed, this would be" if report.dry_run else report.job
    if watch.stopped:
        title += ", stopped"
    found = {name.replace("_", " "): count for name, count in report.details.items() if name != "bytes"}
    rows: dict[str, object] = {"sessions looked at": report.examined, "changed": report.changed, **found}
    rows |= {"bytes reclaimed": bytes_text(report.bytes), "batches": report.batches}
    rows["time"] = duration_text(round(report.duration_s * 1000))
    output.pairs(rows, title=title)
    for text in report.notes:
        output.warn(text)
