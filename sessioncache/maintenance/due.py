"""Which jobs are to be done now, on which shards.

The rule of this module: it judges what the server told, and nothing else: no clock of its own, no memory. So it does
not matter who asks, how often, or whether the last one who asked is still alive; work that was lost on its way is due
as before.

```
period of one job:   |----------------|----------------|----------------|
shard 0              |                |                |
shard 1                 |                |                |                each shard's periods begin a little later,
shard 2                    |                |                |             so that not all come due in one moment
passed, still due       ×        ·         due ▶ put in
```

A shard in which nothing has changed since a job came through it is due less often, as the job says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sessioncache.maintenance.jobs import JOBS
from sessioncache.schedule import Agenda

__all__ = ["Due", "Periods", "due_jobs"]

Periods: TypeAlias = Mapping[str, int]
"""By job: how often each shard's turn comes, in seconds; 0: never. For jobs that are due with sessions: at most."""


SKEW_MS: Final = 60_000
"""How far apart the clocks of a cluster's servers may be."""


@dataclass(frozen=True, slots=True)
class Due:
    """One job that is to be done on one shard."""

    job: str
    shard: int
    late_ms: int
    """For how long it has been due."""


def due_jobs(agenda: Agenda, periods: Periods) -> list[Due]:
    """What is to be done now: overdue sessions first, then what is late by most of its period."""
    found: list[tuple[float, Due]] = []
    for name, every_s in periods.items():
        if not every_s or name not in JOBS:
            continue
        for index in range(len(agenda.shards)):
            late_ms = _late_ms(name, agenda, index, every_s * 1000)
            if late_ms is not None:
                urgency = late_ms / (every_s * 1000) + (1e9 if JOBS[name].every_s is None else 0)
                found.append((urgency, Due(name, index, late_ms)))
    return [due for _urgency, due in sorted(found, key=lambda pair: -pair[0])]


def _late_ms(name: str, agenda: Agenda, index: int, every_ms: int) -> int | None:
    """For how long the job has been due on the shard; None: it is not."""
    job, shard = JOBS[name], agenda.shards[index]
    passed_ms = shard.passed_ms.get(name, 0)
    if passed_ms > agenda.now_ms + every_ms + SKEW_MS:
        # The clock was set back: nobody knows how long ago that was.
        passed_ms = 0
    if job.every_s is None:
        is_overdue = shard.earliest_ms is not None and shard.earliest_ms <= agenda.now_ms
        if not is_overdue or agenda.now_ms - passed_ms < every_ms:
            return None
        return agenda.now_ms - (shard.earliest_ms or 0)
    if not shard.changes and shard.earliest_ms is None:
        return None
    begun_ms = _begun_ms(agenda.now_ms, every_ms, index, len(agenda.shards))
    if passed_ms >= begun_ms:
        return None
    if passed_ms and shard.changes == shard.passed_changes.get(name):
        late_ms = agenda.now_ms - passed_ms - job.idle_periods * every_ms
        return late_ms if late_ms >= 0 else None
    due_ms = _begun_ms(passed_ms, every_ms, index, len(agenda.shards)) + every_ms if passed_ms else begun_ms
    return agenda.now_ms - due_ms


def _begun_ms(at_ms: int, every_ms: int, index: int, count: int) -> int:
    """When the period of a shard began that goes on at a time."""
    return at_ms - (at_ms - index * every_ms // count) % every_ms
