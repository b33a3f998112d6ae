"""What an audit found.

The rule of this module: a report stays small whatever is wrong. It counts everything and keeps some examples of each
kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sessioncache.audit.kinds import KINDS
from sessioncache.types import SessionId

__all__ = ["EXAMPLES_MAX", "AuditReport", "Finding", "Found", "Problem"]

EXAMPLES_MAX: Final = 10
"""Most examples that are kept of one kind."""

NOTES_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, before it is known for sure."""

    kind: str
    """A name of `sessioncache.audit.kinds.KINDS`."""
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong."""

    kind: str
    shard: int | None
    """None: it is the namespace's."""
    session: SessionId | None
    """None: it is no session's."""
    text: str


@dataclass(slots=True)
class Found:
    """All findings of one kind."""

    count: int = 0
    examples: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class AuditReport:
    """What one audit found, and what it looked at."""

    namespace: str
    shards: int
    """How many the namespace has."""
    audited: list[int] = field(default_factory=list)
    """Shards that were looked at to the end."""
    sessions: int = 0
    """Sessions looked at."""
    messages: int = 0
    """Messages read, sealed ones included."""
    keys: int = 0
    """Keys that the walk over the servers saw."""
    overdue: int = 0
    """Sessions past their deadline that nobody has swept yet: absent already, and no finding."""
    vanished: int = 0
    """Sessions that the server expired by itself, still in lists and totals until they are swept; no finding."""
    busy: int = 0
    """Sessions that were written to so often that their contents could not be judged, only their record and keys."""
    unread: int = 0
    """Payloads of a codec that this cache does not have: counted and measured, not decoded."""
    unsettled: list[int] = field(default_factory=list)
    """Shards whose totals could not be judged, because they never held still."""
    found: dict[str, Found] = field(default_factory=dict)
    """Findings by kind, in the order of `KINDS`."""
    notes: list[str] = field(default_factory=list)
    """What a person should know besides: evidence, and what could not be judged."""
    next_shard: int | None = None
    """Where to go on; None: all shards that were asked for were looked at."""
    finished: bool = False
    """Whether all that was asked for was looked at and judged."""
    duration_s: float = 0.0

    @property
    def findings(self) -> int:
        """How many there are."""
        return sum(found.count for found in self.found.values())

    @property
    def clean(self) -> bool:
        """Whether all was looked at, and nothing was wrong."""
        return self.finished and not self.found

    def add(self, problem: Problem, *, shard: int | None, session: SessionId | None = None) -> None:
        """Count a finding, and keep it if it is among the first of its kind."""
        found = self.found.get(problem.kind)
        if found is None:
            found = self.found[problem.kind] = Found()
            self.found = {name: self.found[name] for name in KINDS if name in self.found}
        found.count += 1
        if len(found.examples) < EXAMPLES_MAX:
            found.examples.append(Finding(problem.kind, shard, session, problem.text))

    def note(self, text: str) -> None:
        """Keep a sentence for people."""
        if text not in self.notes and len(self.notes) < NOTES_MAX:
            self.notes.append(text)
