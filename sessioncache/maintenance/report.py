"""What a background job did.

The rule of this module: every job reports the same way, so that tables, logs and metrics need to know one shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["NOTES_MAX", "Report"]

NOTES_MAX: Final = 20
"""Most notes a report keeps; `details` counts all."""


@dataclass(slots=True)
class Report:
    """What one run of a job did, or several runs together."""

    job: str
    shard: int | None
    """None: several shards."""
    examined: int = 0
    """Sessions looked at."""
    changed: int = 0
    """Sessions, lists or totals that were changed."""
    details: dict[str, int] = field(default_factory=dict)
    """What was found and done, by name; the names are those of `sessioncache.metrics.names.FINDINGS`."""
    bytes_in: int = 0
    """Bytes of messages that went into compressing."""
    bytes_out: int = 0
    """What came out of it."""
    seen: dict[str, int] = field(default_factory=dict)
    """What a run that came to the end of the shard saw there, for `ShardStats`: `torn` and `sealed`."""
    notes: list[str] = field(default_factory=list)
    """What a person should look at, a sentence each."""
    batches: int = 0
    """Round trips, or a few of them together, after which the run could have been stopped."""
    bytes: int = 0
    """Bytes of messages that are not stored any more: removed, or saved by compressing."""
    dry_run: bool = False
    """Whether nothing was changed, and the report says what would be."""
    done: bool = True
    """False: the limit was reached first, or the shard never held still; run it again."""
    duration_s: float = 0.0

    @property
    def passed(self) -> dict[str, int] | None:
        """What to note of a run that came to the end of its shard; None: it did not."""
        return self.seen if self.done or self.seen else None

    def add(self, name: str, count: int = 1) -> None:
        """Count something that was found or done; nothing for 0."""
        if count:
            self.details[name] = self.details.get(name, 0) + count

    def freed(self, size: int) -> None:
        """Count bytes that are not stored any more."""
        self.bytes += size
        self.add("bytes", size)

    def note(self, text: str) -> None:
        """Keep a sentence for people, the first twenty."""
        if len(self.notes) < NOTES_MAX and text not in self.notes:
            self.notes.append(text)

    def merge(self, other: Report) -> None:
        """Add another run to this one. Durations add up: they tell of work, not of waiting."""
        if other.shard != self.shard:
            self.shard = None
        self.examined += other.examined
        self.changed += other.changed
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        for name, count in other.details.items():
            self.add(name, count)
        for name, count in other.seen.items():
            self.seen[name] = self.seen.get(name, 0) + count
        for text in other.notes:
            self.note(text)
        self.batches += other.batches
        self.bytes += other.bytes
        self.dry_run = self.dry_run or other.dry_run
        self.done = self.done and other.done
        self.duration_s += other.duration_s
