"""What numbers are held against."""

import pytest

from benchmarks.bars import BARS, Bar, choose, judge
from benchmarks.results import Results, Sample
from benchmarks.subject import SUBJECTS
from benchmarks.workloads import all_workloads


def verdict(bar: Bar, ours: float, theirs: float, busy: float = 0.0) -> tuple[bool | None, str]:
    """The judgement of one round."""
    samples = [
        Sample("a", "sessioncache", 0, {"x": ours, "server_busy": busy}),
        Sample("b", "other", 0, {"x": theirs}),
    ]
    (found,) = judge(Results(samples), [bar])
    return found.meets, found.text


@pytest.mark.parametrize(
    "limits, ours, expected",
    [
        ({"at_least": 2.0}, 3.0, (True, "meets by 50%")),
        ({"at_least": 2.0}, 2.0, (True, "meets by 0%")),
        ({"at_least": 2.0}, 1.0, (False, "misses by 50%")),
        ({"at_most": 2.0}, 1.0, (True, "meets by 100%")),
        ({"at_most": 2.0}, 3.0, (False, "misses by 50%")),
        ({"at_most": 2.0}, 9.0, (False, "misses 4.5 times over")),
        ({}, 9.0, (None, "-")),
    ],
)
def test_a_ratio_is_judged(limits: dict[str, float], ours: float, expected: tuple[bool | None, str]) -> None:
    """A ratio at the bar meets it, and the text says how far it is away."""
    bar = Bar("r", "n", "a", "x", ("b", "other"), at_least=limits.get("at_least"), at_most=limits.get("at_most"))
    assert verdict(bar, ours, 1.0) == expected


def test_a_busy_server_meets_a_bar_that_says_so() -> None:
    """Where the server's core is what holds things up, the client has done its part."""
    bar = Bar("r", "n", "a", "x", ("b", "other"), at_least=2, or_busy=True)
    assert verdict(bar, 1.0, 1.0, busy=0.95) == (True, "meets: the server's core is 95% busy")
    assert verdict(bar, 1.0, 1.0, busy=0.5) == (False, "misses by 50%, the server's core 50% busy")


def test_only_the_rows_of_a_run_are_judged() -> None:
    """A run of one row says nothing of the others."""
    assert {found.bar.row for found in judge(Results(facts={"rows": ["save"]}))} == {"save"}


def test_every_bar_is_about_workloads_that_are_measured() -> None:
    """Each bar names workloads and subjects that there are, and both do that work; quick or not."""
    works = {subject.name: subject.works for subject in SUBJECTS}
    for quick in (False, True):
        workloads = {workload.key: workload for workload in all_workloads(quick=quick)}
        for bar in BARS:
            for key, subject in ((bar.ours, "sessioncache"), *([bar.theirs] if bar.theirs else [])):
                workload = workloads[key]
                assert workload.work in works[subject]
                assert workload.subjects is None or subject in workload.subjects


def test_a_row_brings_what_it_is_held_against() -> None:
    """Choosing saves measures appends as well, of the subject that the bar names alone."""
    chosen = {workload.key: workload for workload in choose(all_workloads(), ["save"])}
    assert set(chosen) == {"save-1", "save-64", "append-1", "append-64"}
    assert chosen["append-64"].subjects == ("sessioncache",)


def test_no_row_is_every_row_without_stages() -> None:
    """Without names everything is measured but the stages of workers, which take long."""
    assert choose(all_workloads(), []) == [workload for workload in all_workloads() if workload.row != "workers"]
    assert {workload.row for workload in choose(all_workloads(), ["workers"])} == {"workers"}


def test_a_bar_may_be_about_the_number_itself() -> None:
    """A bar that is held against nothing else is met by a number within it."""
    bar = Bar("r", "n", "a", "x", at_most=2.0)
    assert verdict(bar, 1.0, 0.0) == (True, "meets by 100%")
    assert verdict(bar, 3.0, 0.0) == (False, "misses by 50%")
    assert bar.text == "≤ 2"
