"""What an import did, or would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sessioncache.importers.models import Problem

__all__ = ["Outcome", "Report"]

Outcome: TypeAlias = Literal["imported", "already_there", "skipped", "failed"]


@dataclass(slots=True)
class Report:
    """Counts by kind and outcome, and what people should know."""

    format: str
    source: str
    dry_run: bool
    tally: dict[str, dict[Outcome, int]] = field(default_factory=dict)
    """By kind (`sessions`, `messages`, `entries`, `traces`, `usage` …). In a dry run, `imported` is what would be."""
    verified: int = 0
    """Sessions whose parts were counted again in the store after they were written."""
    updated: int = 0
    """Of those imported: sessions whose source had changed since an earlier import, brought up to date."""
    resumed: int = 0
    """Of those imported: sessions that an earlier import had left unfinished."""
    conflicts: list[Problem] = field(default_factory=list)
    """Sessions that are there already and were left as they are."""
    problems: list[Problem] = field(default_factory=list)
    """What could not be imported."""
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether everything that can be imported from the source is in the store now."""
        return not self.conflicts and not self.problems

    def add(self, outcome: Outcome, counts: Mapping[str, int]) -> None:
        """Count parts of a session."""
        for kind, count in counts.items():
            if count:
                line = self.tally.setdefault(kind, {"imported": 0, "already_there": 0, "skipped": 0, "failed": 0})
                line[outcome] += count

    def fail(self, problem: Problem) -> None:
        """Count something that could not be imported."""
        self.add("failed", {problem.kind: 1})
        self.problems.append(problem)
