"""Numbers: one sample a subject, workload and round; medians of them; ratios between them.

The rule of this module: a ratio is taken within a round, between runs a moment apart, and then the median of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.subject import OURS

__all__ = ["Missing", "Ratio", "Results", "Sample"]

SCHEMA = 2
Who = tuple[str, str]
"""A workload's key and a subject."""


@dataclass(frozen=True)
class Sample:
    """What one subject did with one workload in one round."""

    workload: str
    """Its key."""

    subject: str
    round: int
    numbers: dict[str, float]
    """By name: of a timed workload `operations_per_s`, `us_per_operation`, `p50_us`, `p99_us`, and of the server for
    each operation `server_cpu_us`, `bytes_sent`, `round_trips`, and `server_busy`, its share of a core; of a weighed
    one `sessions`, `session_bytes`, `shared_bytes`, `dictionary_bytes` and `used_bytes`."""

    commands: dict[str, float] = field(default_factory=dict)
    """Calls for each operation, those inside scripts included."""


@dataclass(frozen=True)
class Missing:
    """What was not measured."""

    subject: str
    workload: str | None
    """None: none of its workloads."""

    why: str


@dataclass(frozen=True)
class Ratio:
    """One number divided by another, over the rounds."""

    median: float
    lowest: float
    highest: float


@dataclass
class Results:
    """All samples of a run."""

    samples: list[Sample] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """The machine, the versions and the settings; `rows` are those asked for, `names` what workloads are called."""

    def workloads(self) -> list[str]:
        """Keys, in order."""
        return _in_order(sample.workload for sample in self.samples)

    def subjects(self, workload: str) -> list[str]:
        """Who was measured with it, ours first and then the quickest."""
        found = _in_order(sample.subject for sample in self.samples if sample.workload == workload)
        return sorted(found, key=lambda name: (name != OURS, -(self.median(workload, name, "operations_per_s") or 0)))

    def name(self, workload: str) -> str:
        """What the tables call it."""
        names: dict[str, str] = self.facts.get("names", {})
        return names.get(workload, workload)

    def median(self, workload: str, subject: str, number: str) -> float | None:
        """The median over the rounds; None if it was not measured."""
        values = self._values((workload, subject), number)
        return median(values.values()) if values else None

    def medians(self, workload: str, subject: str) -> dict[str, float]:
        """Every number's median."""
        names = _in_order(name for sample in self._of((workload, subject)) for name in sample.numbers)
        return {name: median(self._values((workload, subject), name).values()) for name in names}

    def ratio(self, ours: Who, theirs: Who, number: str) -> Ratio | None:
        """One to another; None if there is no round in which both were measured."""
        others = self._values(theirs, number)
        ratios = [
            value / others[number_of_round]
            for number_of_round, value in self._values(ours, number).items()
            if others.get(number_of_round)
        ]
        return Ratio(median(ratios), min(ratios), max(ratios)) if ratios else None

    def why(self, workload: str, subject: str) -> str:
        """Why there is no number."""
        for missing in self.missing:
            if missing.subject == subject and missing.workload in {None, workload}:
                return missing.why
        return "not measured"

    def forget(self, subject: str, workload: str) -> None:
        """Drop what a subject did with a workload, for it failed in the end."""
        self.samples = [sample for sample in self.samples if (sample.subject, sample.workload) != (subject, workload)]

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "schema": SCHEMA,
            "facts": self.facts,
            "medians": [
                {"workload": workload, "subject": subject, **self.medians(workload, subject)}
                for workload in self.workloads()
                for subject in self.subjects(workload)
            ],
            "missing": [asdict(missing) for missing in self.missing],
            "samples": [asdict(sample) for sample in self.samples],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Results:
        """What `as_json` made.

        Raises:
            ValueError: it is of another version of the benchmarks.
        """
        if found.get("schema") != SCHEMA:
            raise ValueError(f"the results have schema {found.get('schema')}, not {SCHEMA}; measure again")
        return cls(
            [Sample(**sample) for sample in found["samples"]],
            [Missing(**missing) for missing in found["missing"]],
            dict(found["facts"]),
        )

    def _of(self, who: Who) -> list[Sample]:
        return [sample for sample in self.samples if (sample.workload, sample.subject) == who]

    def _values(self, who: Who, number: str) -> dict[int, float]:
        return {sample.round: sample.numbers[number] for sample in self._of(who) if number in sample.numbers}


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
