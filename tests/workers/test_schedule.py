"""What is due when: read from the server's numbers, spread over the period, and named by it."""

from __future__ import annotations

from collections import Counter

from sessioncache.stats import ShardStats
from sessioncache_workers.schedule import due_jobs
from sessioncache_workers.settings import load_settings

SETTINGS = load_settings(tick_every_s=5, prune_every_s=300, reconcile_every_s=3_600)
START_MS = 1_800_000_000_000


def shards(now_ms: int, *, overdue: int = 0, count: int = 64) -> list[ShardStats]:
    """The numbers of so many shards."""
    return [ShardStats(index, 1, 1, 1, 1, 1, overdue, 0, 1, now_ms) for index in range(count)]


def test_only_shards_with_something_due_are_swept() -> None:
    """A sweep is put in where the numbers say that something is overdue, and nowhere else."""
    some = [*shards(START_MS, overdue=1, count=2), *shards(START_MS)[2:]]
    assert [shard for job, shard, _period in due_jobs(SETTINGS, some) if job == "expire"] == [0, 1]


def test_every_shard_comes_due_once_a_period() -> None:
    """Over an hour of ticks each shard is pruned and sealed twelve times and reconciled once, by distinct ids."""
    seen: set[tuple[str, int, int]] = set()
    for now_ms in range(START_MS, START_MS + 3_600_000, 5_000):
        seen.update(due_jobs(SETTINGS, shards(now_ms)))
    counted = Counter((job, shard) for job, shard, _period in seen)
    assert {counted["prune", shard] for shard in range(64)} <= {12, 13}
    assert {counted["compact", shard] for shard in range(64)} <= {12, 13}
    assert {counted["reconcile", shard] for shard in range(64)} <= {1, 2}


def test_shards_come_due_one_after_the_other() -> None:
    """No tick puts in more than a few of the shards, so that they do not work in one moment."""
    most = max(len(list(due_jobs(SETTINGS, shards(now)))) for now in range(START_MS, START_MS + 600_000, 5_000))
    assert most < 10


def test_a_missed_tick_loses_nothing() -> None:
    """Every second tick alone puts in the same jobs as all of them."""
    ticks = range(START_MS, START_MS + 600_000, 5_000)
    every = {due for now_ms in ticks for due in due_jobs(SETTINGS, shards(now_ms))}
    second = {due for now_ms in ticks[::2] for due in due_jobs(SETTINGS, shards(now_ms))}
    assert {due for due in every if due not in second} <= set(due_jobs(SETTINGS, shards(ticks[-1])))
