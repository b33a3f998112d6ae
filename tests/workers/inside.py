"""Parts of a worker inside the test's own process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sessioncache.maintenance.jobs import JOBS
from sessioncache_workers.office import Office
from sessioncache_workers.queue import JobId


def work(monkeypatch: pytest.MonkeyPatch, job: str, run: Any) -> None:  # noqa: ANN401 - stands in for a Run
    """Have a job done by something else."""
    monkeypatch.setitem(JOBS, job, replace(JOBS[job], run=run))


async def put_in(office: Office, job: str = "prune", shard: int = 0) -> None:
    """Put a job in."""
    assert await office.queue.put_in([JobId(job, office.settings.namespaces[0], shard)])


async def queued(office: Office) -> list[str]:
    """What is in the queue, as `<job>:<shard>`."""
    return [f"{job.name}:{job.shard}" for job in await office.queue.jobs() if job is not None]


def runs(office: Office, job: str, outcome: str) -> float:
    """How many runs ended so."""
    return office.registry.get_sample_value("sessioncache_worker_runs_total", {"task": job, "outcome": outcome}) or 0.0
