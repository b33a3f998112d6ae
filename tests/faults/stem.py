"""A process that forks one that runs a job, whenever it is told to: those may be killed, and start at once.

    python -m tests.faults.stem URL NAMESPACE SHARDS

Each line of its input is a task: `{"job": …, "ttl_ms": …, "batch": …, "sleep_at": …}`. The fork says
`[pid, "batch", n]` after each batch, and `[pid, "done"]` or `[pid, "lost"]` at its end; the stem says
`[pid, "stopped"]` when the fork has stopped itself, and `[pid, "ended", status]`. The rule of this file: it decides
nothing; what has to come of it is in the tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import sessioncache.maintenance
from sessioncache import AsyncSessionCache
from sessioncache.errors import LeaseLost
from sessioncache.maintenance import Report, relieve
from sessioncache.maintenance.jobs import JOBS
from tests.faults.summary import options_of


def say(*parts: Any) -> None:
    """A line on the output."""
    os.write(1, (json.dumps([os.getpid(), *parts]) + "\n").encode())


def small_batches(size: int) -> None:
    """Batches of a few sessions, so that a job over a hundred has many of them."""
    for found in iter_modules(sessioncache.maintenance.__path__):
        module = import_module(f"sessioncache.maintenance.{found.name}")
        for name in ("BATCH", "BATCH_MIN", "BATCH_MAX", "SCAN_COUNT"):
            if hasattr(module, name):
                setattr(module, name, size)
    chunks = sessioncache.maintenance.batch.chunks
    chunks.__defaults__ = (size,)


async def work(task: dict[str, Any], url: str, namespace: str, shards: int) -> None:
    """Run one job over all shards, under their leases."""
    count = 0

    def progress(_report: Report) -> None:
        nonlocal count
        count += 1
        say("batch", count)
        if count == task["sleep_at"]:
            os.kill(os.getpid(), signal.SIGSTOP)

    async with AsyncSessionCache.from_url(url, namespace=namespace, shards=shards) as cache:
        if task["job"] == "relieve":
            report = await relieve.run(cache, lease_ttl_ms=task["ttl_ms"], progress=progress, **task["options"])
            say("done", report.details)
            return
        for shard in range(shards):
            lease = None
            while lease is None:
                lease = await cache.upkeep.acquire(shard, task["job"], holder=task["holder"], ttl_ms=task["ttl_ms"])
                await asyncio.sleep(0.01)
            try:
                run: Any = JOBS[task["job"]].run
                given = {"lease": lease, "lease_ttl_ms": task["ttl_ms"], "progress": progress}
                await run(cache, shard, limit=100_000, **given, **options_of(task["job"]))
            except LeaseLost:
                say("lost")
                return
            await cache.upkeep.release(lease)
        say("done", count)


def main() -> None:
    """Fork for every task."""
    say("ready")
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            small_batches(task["batch"])
            asyncio.run(work(task, sys.argv[1], sys.argv[2], int(sys.argv[3])))
            os._exit(0)
        _pid, status = os.waitpid(child, os.WUNTRACED)
        while os.WIFSTOPPED(status):
            os.write(1, (json.dumps([child, "stopped"]) + "\n").encode())
            _pid, status = os.waitpid(child, os.WUNTRACED)
        os.write(1, (json.dumps([child, "ended", status]) + "\n").encode())


if __name__ == "__main__":
    main()
