"""The place of the n-th session in the list, found by asking all shards how many were updated before some times.

The rule of this module: no I/O. Each round divides what is left by the times that were asked for:

```
sessions updated before:   t0 ─────── t1 ─────── t2 ─────── t3          offset 5,000
                           0       2,100      4,900      7,300
                                              └── next round ──┘        until the two ends are one millisecond apart
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["PROBES", "Seek"]

PROBES: Final = 31
"""Times a round: each takes five bits off the range, so a year of milliseconds takes seven rounds."""


@dataclass
class Seek:
    """The search for the place behind `offset` sessions, oldest first."""

    offset: int
    low: int = 0
    """A time before which at most `offset` sessions were updated."""
    high: int = 0
    """A time before which more than `offset` sessions were updated, once there is one."""
    before: int = 0
    """How many sessions were updated before `low`."""

    def begin(self, oldest_ms: int, newest_ms: int) -> None:
        """Start between the oldest and the newest session of all shards."""
        self.low, self.high = oldest_ms, newest_ms + 1

    def times(self) -> list[int]:
        """The times to ask for next; none once the place is found."""
        span = self.high - self.low
        if span <= 1:
            return []
        return sorted({self.low + span * part // (PROBES + 1) for part in range(1, PROBES + 1)} - {self.low})

    def take(self, times: Sequence[int], counts: Sequence[int]) -> None:
        """Take how many sessions were updated before each of these times."""
        for time, count in zip(times, counts, strict=True):
            if count > self.offset:
                self.high = time
                return
            self.low, self.before = time, count

    @property
    def skip(self) -> int:
        """How many of the sessions that were updated at `low` itself stand before the place."""
        return self.offset - self.before
