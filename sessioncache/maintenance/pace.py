"""How much at once, and how long to rest in between: background work makes way for agents.

The rule of this module: a function of what was seen, without clocks and without I/O. What is seen is how long batches
take, there and back, a session. Where that is more than usual, the server is busy with something else, or with too much
of this: batches become smaller, and rests longer. Calm or not, a batch is never long, and is followed by a rest that is
at least as long: agents whose calls are quick wait for one small batch at most, and most of them for none.

```
a session of a batch takes   usual ─────┐ much longer ┌───── usual ─────
sessions in a batch          60  60  60  30  15  10  14  19  26  35  47  60
rest, in times of the batch   1   1   1   2   4   4  2.7 1.8 1.2  1   1   1
```
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["BATCH", "BATCH_MIN", "Pace", "next_pace"]

BATCH: Final = 500
"""Most sessions in one round trip."""

BATCH_MIN: Final = 10
"""Fewest: work goes on, however busy the server is. Fewer that are left at an end are judged as if they were so many,
for most of what they take is the way there and back."""

BATCH_S: Final = 0.003
"""What a batch may usually take: a call of an agent that meets one of each of four workers waits 12 ms."""

REST_MIN: Final = 1.0
REST_MAX: Final = 4.0
"""Shortest and longest rest, in times of what the batch took: work takes half of one connection's time, or a fifth."""

REST_S_MAX: Final = 1.0

SLOW: Final = 2.0
"""So many times as long as usual is slow."""

SLACK_S: Final = 0.002
"""A batch that takes no longer than this beyond the usual is not slow: that much is chance."""

GROWTH: Final = 4 / 3
CALMING: Final = 2 / 3
FOLLOW_DOWN: Final = 0.3
FOLLOW_UP: Final = 0.02
"""How quickly a batch that takes longer becomes the usual: within some dozens, so that work on a server that stays busy
is slow for a while, and not for ever."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a job goes about its batches."""

    batch: int = 100
    """Sessions in the next one."""
    rest: float = REST_MIN
    """How long to rest before it, in times of what the last one took."""
    pause_s: float = 0.0
    """That, in seconds."""
    usual_s: float = 0.0
    """What a session usually takes; 0: nothing was seen yet."""


def next_pace(pace: Pace, *, sessions: int, took_s: float, together: int = 1) -> Pace:
    """The pace after a batch.

    Args:
        pace: the one before.
        sessions: how many the batch had; 0: it was something else, which tells nothing of sessions but is rested from.
        took_s: how long it took, there and back, without the rest.
        together: how many runs of this process share the server: all of them together take no more than one would.
    """
    if took_s <= 0:
        return pace
    if sessions <= 0:
        return replace(pace, pause_s=_pause_s(took_s, pace.rest, together))
    counted = max(sessions, BATCH_MIN)
    each_s = took_s / counted
    usual_s = pace.usual_s or each_s
    is_slow = took_s > SLOW * usual_s * counted + SLACK_S
    usual_s += (FOLLOW_UP if each_s > usual_s else FOLLOW_DOWN) * (each_s - usual_s)
    if is_slow:
        batch, rest = pace.batch // 2, pace.rest * 2
    else:
        batch, rest = min(int(pace.batch * GROWTH) + 1, int(BATCH_S / usual_s)), pace.rest * CALMING
    batch = min(max(batch, BATCH_MIN), BATCH)
    rest = min(max(rest, REST_MIN), REST_MAX)
    return Pace(batch, rest, _pause_s(took_s, rest, together), usual_s)


def _pause_s(took_s: float, rest: float, together: int) -> float:
    return min(took_s * (together * (1 + rest) - 1), REST_S_MAX)
