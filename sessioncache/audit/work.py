"""What all parts of one audit share: where it looks, what it found, how quickly it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, TypeAlias

from sessioncache.audit.report import AuditReport
from sessioncache.client._async import AsyncSessionCache
from sessioncache.types import SessionId

__all__ = ["Pace", "Progress", "Work"]

Progress: TypeAlias = Callable[[AuditReport], None]
"""Called after every batch with the report so far; it must be quick."""

EXTRA_MAX: Final = 100_000
"""Most sessions that the walk over the keys remembers for the walk over the shards."""


class Pace:
    """Keeps a foreground's latency: no more than so many sessions a second."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._free_at = monotonic()

    async def took(self, units: int) -> None:
        """Wait until so much more may be done."""
        if self._per_s:
            now = monotonic()
            self._free_at = max(self._free_at, now - 1) + units / self._per_s
            await asyncio.sleep(max(0.0, self._free_at - now))


@dataclass(slots=True)
class Work:
    """One audit under way."""

    cache: AsyncSessionCache
    report: AuditReport
    pace: Pace
    limit: int | None
    """Most sessions to look at."""
    contents: bool
    """Whether messages and entries are read, or only counted."""
    progress: Progress | None
    extra: dict[int, set[SessionId]] = field(default_factory=dict)
    """By shard: sessions that the walk over the keys met and the lists may not know."""
    leases: dict[int, list[str]] = field(default_factory=dict)
    """By shard: keys of background jobs' leases."""

    @property
    def room(self) -> int:
        """How many more sessions may be looked at."""
        return 2**62 if self.limit is None else max(0, self.limit - self.report.sessions)

    def remember(self, shard: int, session_id: SessionId) -> None:
        """Have a session looked at when its shard comes."""
        known = self.extra.setdefault(shard, set())
        if sum(map(len, self.extra.values())) < EXTRA_MAX:
            known.add(session_id)
        else:
            self.report.note("more sessions are in no list than can be remembered; repair the lists, and audit again")

    async def ended(self, units: int) -> None:
        """After a batch: tell the progress, and let others have their turn."""
        if self.progress is not None:
            self.progress(self.report)
        await self.pace.took(units)
