"""Numbers: one sample a subject, row and round; medians of them; ratios to ours.

The rule of this module: a ratio is taken within a round, between runs a moment apart, and then the median of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any

from benchmarks.subject import OURS

__all__ = ["Ratio", "Results", "Sample"]


@dataclass(frozen=True)
class Sample:
    """What one subject did in one row of one round. All but rates and latencies is counted by the server."""

    workload: str
    subject: str
    round: int
    operations_per_s: float
    p50_us: float
    p99_us: float
    server_cpu_us: float
    """Of the server's main thread, for each operation."""

    bytes_sent: float
    """By the client, for each operation."""

    round_trips: float
    """Reads by the server, for each operation."""

    commands: dict[str, float]
    """Calls for each operation, those inside scripts included."""


NUMBERS = tuple(item.name for item in fields(Sample) if item.type == "float")


@dataclass(frozen=True)
class Ratio:
    """How many times as many operations a second ours does."""

    workload: str
    to: str
    median: float
    lowest: float
    highest: float


@dataclass
class Results:
    """All samples of a run."""

    samples: list[Sample] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Subjects that were not measured, and why."""

    facts: dict[str, Any] = field(default_factory=dict)
    """The machine, the versions and the settings."""

    def workloads(self) -> list[str]:
        """Rows, in order."""
        return _in_order(sample.workload for sample in self.samples)

    def subjects(self) -> list[str]:
        """Measured subjects, in order."""
        return sorted(_in_order(sample.subject for sample in self.samples), key=lambda name: name != OURS)

    def medians(self, workload: str, subject: str) -> dict[str, float]:
        """The median over the rounds of every number."""
        samples = self._of(workload, subject)
        return {name: median(getattr(sample, name) for sample in samples) for name in NUMBERS}

    def ratio(self, workload: str, to: str) -> Ratio | None:
        """Ours to another; None if one of them was not measured."""
        others = {sample.round: sample.operations_per_s for sample in self._of(workload, to)}
        ratios = [
            sample.operations_per_s / others[sample.round]
            for sample in self._of(workload, OURS)
            if sample.round in others
        ]
        return Ratio(workload, to, median(ratios), min(ratios), max(ratios)) if ratios else None

    def as_json(self) -> dict[str, Any]:
        """Everything, ratios first."""
        others = [name for name in self.subjects() if name != OURS]
        ratios = [self.ratio(workload, other) for workload in self.workloads() for other in others]
        return {
            "schema": 1,
            "ratios": [asdict(ratio) for ratio in ratios if ratio],
            "medians": [
                {"workload": workload, "subject": subject, **self.medians(workload, subject)}
                for workload in self.workloads()
                for subject in self.subjects()
                if self._of(workload, subject)
            ],
            "missing": self.missing,
            "facts": self.facts,
            "samples": [asdict(sample) for sample in self.samples],
        }

    def _of(self, workload: str, subject: str) -> list[Sample]:
        return [sample for sample in self.samples if (sample.workload, sample.subject) == (workload, subject)]


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
