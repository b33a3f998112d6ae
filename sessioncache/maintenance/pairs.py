"""Which messages belong together: a tool's call and its result, however many messages lie in between.

The rule of this module: no I/O. The marks of stored messages say what may not be the first of a transcript; here the
ids of calls are compared as well, which needs the messages themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sessioncache.wire.cut_points import calls_in, continues, results_in

__all__ = ["cut_at_most"]


def cut_at_most(messages: Sequence[Mapping[str, Any]], most: int) -> int:
    """How many of the oldest messages may go, `most` at most, so that no call is parted from its result."""
    results: dict[str, int] = {}
    """Where the last result of each call is."""
    for at, message in enumerate(messages):
        for call in results_in(message):
            results[call] = at
    cut, reach = 0, -1
    for at, message in enumerate(messages[: most + 1]):
        # In front of this message nothing is open that is answered later.
        if at > reach and not continues(message):
            cut = at
        for call in calls_in(message):
            reach = max(reach, results.get(call, at))
    if most >= len(messages) and reach < len(messages):
        cut = len(messages)
    return min(cut, most)
