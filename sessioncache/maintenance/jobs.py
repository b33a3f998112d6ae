"""The jobs by name, for whoever runs them: the workers on a schedule, the command line by hand.

The rule of this module: a job that stands here works on one shard, and may be run at any time. Relief is none of them:
it looks at servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance import archive, collect, compact, expire, prune, reconcile, summarise
from sessioncache.maintenance.batch import RunOptions
from sessioncache.maintenance.report import Report

__all__ = ["JOBS", "Job", "Run"]


class Run(Protocol):
    """What the modules of this package have in common."""

    async def __call__(self, cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
        """Work on one shard."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job, and how it is run unless somebody says otherwise."""

    run: Run
    about: str
    """What it does, in a few words."""
    every_s: int | None
    """How often each shard's turn comes; None: whenever a session of it is overdue."""
    limit: int
    """Most sessions of a shard that one run looks at."""
    idle_periods: int = 1
    """How many periods pass between two runs on a shard in which nothing changes. 1 for jobs that find something new in
    what nobody writes to."""
    needs: str = ""
    """The setting of the cache without which there is nothing to do; empty: none."""


JOBS: Final[dict[str, Job]] = {
    "expire": Job(expire.run, "removes overdue sessions", None, 20_000),
    "archive": Job(
        archive.run,
        "writes sessions that are about to expire to the archive, where one is set",
        60,
        20_000,
        needs="archive_url",
    ),
    "prune": Job(prune.run, "trims transcripts to what the retention keeps", 300, 1_000_000, 12),
    "compact": Job(compact.run, "compresses messages that are seldom needed", 300, 20_000),
    "summarise": Job(
        summarise.run,
        "has long transcripts summarised, where a summariser is set",
        300,
        10_000,
        needs="summariser",
    ),
    "collect": Job(collect.run, "removes dead links, leftovers and dictionaries that nothing needs", 86_400, 1_000_000),
    "reconcile": Job(reconcile.run, "makes lists, links and totals agree with the records", 3_600, 1_000_000, 6),
}
"""By name."""
