"""What is due when: read from the server's numbers, spread over the period, whoever asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sessioncache.maintenance.due import Due, due_jobs
from sessioncache.maintenance.jobs import JOBS
from sessioncache.schedule import Agenda, ShardAgenda

START_MS = 1_800_000_000_000
PERIODS = {"expire": 1, "prune": 300, "compact": 300, "reconcile": 3_600}
IDLE = ShardAgenda(None, 1, {}, {})


class Namespace:
    """A namespace whose jobs all end well as soon as they are due."""

    def __init__(self, shards: int = 64, *, writes: bool = True) -> None:
        self.shards = [IDLE] * shards
        self.writes = writes
        self.runs: Counter[tuple[str, int]] = Counter()
        self.most = 0
        self.now_ms = START_MS

    def tick(self, *, now_ms: int) -> list[Due]:
        """Do what is due at this time."""
        self.now_ms = now_ms
        due = due_jobs(Agenda(now_ms, len(self.shards), self.shards), PERIODS)
        for item in due:
            self.runs[item.job, item.shard] += 1
            shard = self.shards[item.shard]
            passed = {**shard.passed_ms, item.job: now_ms}
            changes = {**shard.passed_changes, item.job: shard.changes}
            self.shards[item.shard] = replace(shard, passed_ms=passed, passed_changes=changes)
        if self.writes:
            self.shards = [replace(shard, changes=shard.changes + 1) for shard in self.shards]
        return due


def test_only_shards_with_something_due_are_swept() -> None:
    """A sweep is due where the first deadline has passed, the longest overdue first, and nowhere else."""
    shards = [
        replace(IDLE, earliest_ms=START_MS - 5),
        replace(IDLE, earliest_ms=START_MS - 7_000),
        replace(IDLE, earliest_ms=START_MS + 1),
        IDLE,
    ]
    due = due_jobs(Agenda(START_MS, 4, shards), {"expire": 1})
    assert due == [Due("expire", 1, 7_000), Due("expire", 0, 5)]


def test_a_shard_is_not_swept_more_often_than_asked() -> None:
    """A session that cannot be swept does not keep workers busy."""
    shard = replace(IDLE, earliest_ms=START_MS - 5, passed_ms={"expire": START_MS - 900})
    assert not due_jobs(Agenda(START_MS, 1, [shard]), {"expire": 1})
    assert due_jobs(Agenda(START_MS + 100, 1, [shard]), {"expire": 1})


def test_every_shard_comes_due_once_a_period() -> None:
    """Over two hours of ticks each busy shard is pruned and sealed every five minutes and reconciled every hour."""
    namespace = Namespace()
    for now_ms in range(START_MS, START_MS + 7_200_000, 5_000):
        namespace.tick(now_ms=now_ms)
    for job, times in {"prune": 24, "compact": 24, "reconcile": 2}.items():
        assert {namespace.runs[job, shard] for shard in range(64)} <= {times, times + 1}


def test_shards_come_due_one_after_the_other() -> None:
    """After the first round no tick finds more than a few shards due, so that they do not work in one moment."""
    namespace = Namespace()
    namespace.tick(now_ms=START_MS)
    ticks = range(START_MS + 300_000, START_MS + 1_200_000, 5_000)
    namespace.tick(now_ms=START_MS + 295_000)
    assert max(len(namespace.tick(now_ms=now_ms)) for now_ms in ticks) < 10


def test_missed_ticks_lose_nothing() -> None:
    """Whatever was due while nobody looked is due when somebody looks, once."""
    namespace = Namespace(shards=4)
    namespace.tick(now_ms=START_MS)
    due = namespace.tick(now_ms=START_MS + 86_400_000)
    assert Counter(item.job for item in due) == {"prune": 4, "compact": 4, "reconcile": 4}


def test_what_is_late_grows() -> None:
    """Work that is not done is later from look to look, and comes first by the share of its period."""
    namespace = Namespace(shards=1)
    namespace.tick(now_ms=START_MS)
    shards = namespace.shards
    first, later = (due_jobs(Agenda(START_MS + at_ms, 1, shards), PERIODS) for at_ms in (7_200_000, 7_260_000))
    assert [item.job for item in later][-1] == "reconcile"
    assert {item.job: item.late_ms + 60_000 for item in first} == {item.job: item.late_ms for item in later}


def test_shards_in_which_nothing_changes_are_left_alone() -> None:
    """A quiet shard is pruned every hour and reconciled every six; what comes with age is looked for as before."""
    namespace = Namespace(shards=8, writes=False)
    for now_ms in range(START_MS, START_MS + 43_200_000, 5_000):
        namespace.tick(now_ms=now_ms)
    assert JOBS["compact"].idle_periods == 1
    for job, times in {"prune": 12, "compact": 144, "reconcile": 2}.items():
        assert all(abs(namespace.runs[job, shard] - times) <= 1 for shard in range(8))


def test_a_job_that_is_off_is_never_due() -> None:
    """A period of 0 turns a job off, and a job of another release is nobody's."""
    shard = replace(IDLE, earliest_ms=START_MS - 5)
    assert not due_jobs(Agenda(START_MS, 1, [shard]), {"expire": 0, "prune": 0, "something new": 5})


def test_where_nothing_was_ever_written_nothing_is_due() -> None:
    """Shards that nobody has used cost nothing."""
    assert not due_jobs(Agenda(START_MS, 1, [ShardAgenda(None, 0, {}, {})]), PERIODS)


def test_a_clock_that_was_set_back_keeps_no_job_from_being_due() -> None:
    """What was noted in a time that is yet to come counts as never; a little may be another server's clock."""
    for name, every_s in PERIODS.items():
        ahead_ms = every_s * 1000 + 60_000
        for noted_ms, is_due in ((START_MS + ahead_ms, False), (START_MS + ahead_ms + 1, True)):
            shard = replace(IDLE, earliest_ms=START_MS - 5, passed_ms={name: noted_ms})
            assert bool(due_jobs(Agenda(START_MS, 1, [shard]), {name: every_s})) is is_due
