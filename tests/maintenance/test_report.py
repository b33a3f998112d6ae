"""Reports add up."""

from __future__ import annotations

from sessioncache.maintenance import Report
from sessioncache.maintenance.report import NOTES_MAX


def test_reports_of_several_shards_become_one() -> None:
    """Merging adds numbers, keeps notes once and stays unfinished where one part was."""
    total = Report("prune", 0, examined=2, changed=1, details={"messages": 3}, notes=["a"])
    total.merge(Report("prune", 1, examined=4, details={"messages": 1, "torn": 1}, notes=["a", "b"], done=False))
    assert (total.shard, total.examined, total.changed, total.done) == (None, 6, 1, False)
    assert (total.details, total.notes) == ({"messages": 4, "torn": 1}, ["a", "b"])


def test_notes_are_bounded() -> None:
    """A report of a million damaged sessions keeps a handful of notes."""
    report = Report("reconcile", 0)
    for number in range(1000):
        report.note(f"session {number}")
    assert len(report.notes) == NOTES_MAX
