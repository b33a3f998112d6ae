"""What a run has counted in a shard, kept on the server, so that the next run goes on exactly where it was cut off.

The rule of this module: a log, and nothing in it is ever changed. Each part says what was counted since the part
before, for which change that is right, and how far the walk has come; one command writes it, so that whoever dies
leaves all of it or nothing.

```
run 1   ─ batch ─ changes since ─▶ part 1 ─ batch ─ changes since ─▶ part 2 ─ batch ─ cut off
run 2   reads parts 1 and 2 ─ changes since ─ goes on behind part 2 ─ … ─▶ part 3 ─ …
```

Sessions that are written to behind the walk, or before it, are in the changes. A feed that has forgotten some of them
by the time of the next run means to begin anew.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json, to_json

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import Batches
from sessioncache.maintenance.counting import ShardCount, exact_views
from sessioncache.upkeep.models import COUNTED, SealedSize

__all__ = ["LINKS", "USERS", "Place", "ShardTally"]

PART: Final = 500
"""So many sessions are counted before they are kept: a run that dies leaves no more to be counted again."""

PARTS: Final = 20
"""Parts that are read at once: the counts of about 10,000 sessions."""

USERS: Final = "by-user"
LINKS: Final = "links"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk has come."""

    list: str = USERS
    """Which list it goes through: by-user, by-updated, deadlines, none while the totals are settled, then links."""
    at: str = ""
    """Where in it; empty: at the front."""
    node: str = ""
    """The server whose cursor that is; empty: it is an entry, and holds everywhere."""


class ShardTally:
    """The count of one run, and what is kept of it. A dry run begins at the front and keeps nothing."""

    def __init__(self, cache: AsyncSessionCache, shard: int, batches: Batches) -> None:
        self.count = ShardCount(0)
        self.place = Place()
        """Where the run began."""
        self._cache = cache
        self._shard = shard
        self._batches = batches
        self._length = 0
        self._keeps = not batches.dry_run

    async def begin(self) -> None:
        """Take up what the run before has kept; where there is nothing, or too much was changed since, begin anew."""
        if self._keeps:
            try:
                await self._read()
            except (ValueError, KeyError, TypeError, zlib.error):
                await self._begin_anew()
            else:
                if self._length and self.place.list != LINKS and not await self._catch_up():
                    await self._begin_anew()
        if not self._length:
            self.count.newest, _ = await self._cache.upkeep.changes(self._shard, after=0, limit=0)

    async def reached(self, place: Place) -> None:
        """Keep it, if that is much since the last time.

        Raises:
            LeaseLost: somebody else has taken the shard over.
        """
        if len(self.count.fresh) >= PART:
            await self.keep(place)

    async def keep(self, place: Place) -> None:
        """Keep what was counted since the last time, and where a run that is cut off now goes on.

        Raises:
            LeaseLost: somebody else has taken the shard over.
        """
        if not self._keeps:
            return
        if place.list != LINKS:
            await self._catch_up()
        part = _part(self.count, place)
        self._keeps = await self._cache.upkeep.tally(self._shard, part, length=self._length, lease=self._batches.lease)
        self._length += 1
        self.count.fresh.clear()

    async def passed(self, place: Place) -> None:
        """The same, where something is kept already: a small shard is walked through without that."""
        if self._length:
            await self.keep(place)

    async def end(self) -> None:
        """Forget it: the run came to the end of the shard."""
        if self._keeps and self._length:
            await self._cache.upkeep.tally(self._shard, b"", length=self._length, lease=self._batches.lease)

    async def _read(self) -> None:
        while parts := await self._cache.upkeep.tallied(self._shard, start=self._length, limit=PARTS):
            for part in parts:
                self.place = _take(self.count, part)
            self._length += len(parts)

    async def _begin_anew(self) -> None:
        self.count, self.place, self._length = ShardCount(0), Place(), 0
        await self._cache.upkeep.tally(self._shard, b"", length=-1, lease=self._batches.lease)

    async def _catch_up(self) -> bool:
        """Count anew what others have changed; False where the feed does not tell."""
        reasons: list[str] = []
        async for _view in exact_views(self._cache, self._shard, self.count, ended=_nothing, note=reasons.append):
            break
        return not reasons


async def _nothing() -> None:
    """Nothing is due between two looks at the feed."""


def _part(count: ShardCount, place: Place) -> bytes:
    sessions = []
    for name in count.fresh:
        sealed = count.sealed.get(name, SealedSize())
        sizes = [sealed.messages, sealed.from_bytes, sealed.bytes]
        is_compared, is_torn = name in count.compared, name in count.torn
        sessions.append([name, count.sessions[name], is_compared, is_torn, sizes if sealed.messages else None])
    return zlib.compress(
        to_json({"place": [place.list, place.at, place.node], "newest": count.newest, "sessions": sessions}), level=1
    )


def _take(count: ShardCount, part: bytes) -> Place:
    told: Any = from_json(zlib.decompress(part))
    for name, counters, is_compared, is_torn, sealed in told["sessions"]:
        if counters is not None and len(counters) != len(COUNTED):
            raise ValueError("another release counts other things")
        count.sessions[name] = None if counters is None else tuple(counters)
        (count.torn.add if is_torn else count.torn.discard)(name)
        if is_compared:
            count.compared.add(name)
        if sealed:
            count.sealed[name] = SealedSize(*sealed)
    count.newest = int(told["newest"])
    return Place(*told["place"])
