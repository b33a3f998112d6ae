"""Archived sessions go back to where they were, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import Conflict
from sessioncache.importers.marker import MARKER
from sessioncache.importers.sources.archive import ArchivedCopy
from sessioncache.sessions.models import Session
from sessioncache.sessions.record import session_from
from sessioncache.types import Base
from sessioncache.upkeep.models import COUNTED, LINKED_ROOMS, RoomPart, StoredPart

__all__ = ["ArchiveTarget"]

KEPT: Final = ("created_ms", "seq")
KEPT_PREFIXES: Final = ("retain:", "x:")
"""Fields of the record that no other write sets: when it was made, the last number given out, what it says of its
retention, and what its rooms have dropped."""


class ArchiveTarget:
    """Writes what lay in each key back into it. The deadline is a new one, as after any write."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache

    def check(self, source: ArchivedCopy) -> None:
        """Refuse a record that cannot be read."""
        self._session(source)

    def opening(self, source: ArchivedCopy) -> Session:
        """The record, with all that people and agents have given it."""
        return self._session(source)

    async def write(self, source: ArchivedCopy) -> None:
        """Put every part back, then the rows of the links."""
        found = await self._cache.sessions.get(source.id)
        if found is None or found.gen is None:
            raise Conflict(f"session {source.id!r} was deleted while it was imported")
        base = Base(gen=found.gen)
        restore = self._cache.upkeep.restore
        # The record last: it says numbers that are higher than those of what is left.
        for at, part in enumerate(sorted(source.parts, key=lambda part: part.part == "record")):
            chosen = _fields_of(part) if part.part == "record" else _without_marker(part)
            if chosen.values:
                await restore(source.id, chosen, base=base, operation_id=f"{found.gen}-{at}")
        linked = [
            (RoomPart(source.id, room), [name.decode() for name in part.values[::2]])
            for part in source.parts
            for room in LINKED_ROOMS
            if part.suffix == room
        ]
        shard = self._cache.keys.shard_of(source.id)
        for result in await self._cache.upkeep.relink(shard, linked):
            if not isinstance(result, int):
                raise result

    async def count(self, source: ArchivedCopy) -> Mapping[str, int]:
        """What the record counts now, without the marker of this import."""
        [found] = await self._cache.upkeep.counters([source.id])
        if not isinstance(found, tuple):
            return {}
        counts = dict(zip(COUNTED, found, strict=True))
        del counts["bytes"]
        counts["documents"] -= not _has_marker(source)
        return {kind: count for kind, count in counts.items() if count}

    @staticmethod
    def _session(source: ArchivedCopy) -> Session:
        pairs = [part for name, value in source.fields.items() for part in (name.encode(), value)]
        session = session_from(source.id, pairs)
        session.gen, session.revision = None, 0
        return session


def _has_marker(source: ArchivedCopy) -> bool:
    """Whether it had been imported before it was archived; its own marker gives way to that of this import."""
    return any(part.suffix == MARKER_ROOM and MARKER.encode() in part.values[::2] for part in source.parts)


MARKER_ROOM: Final = "documents"


def _fields_of(part: StoredPart) -> StoredPart:
    pairs = zip(part.values[::2], part.values[1::2], strict=True)
    kept = [
        value
        for pair in pairs
        if pair[0].decode() in KEPT or pair[0].decode().startswith(KEPT_PREFIXES)
        for value in pair
    ]
    return StoredPart("record", "", "", tuple(kept))


def _without_marker(part: StoredPart) -> StoredPart:
    if part.suffix != MARKER_ROOM:
        return part
    pairs = zip(part.values[::2], part.values[1::2], strict=True)
    kept = [value for pair in pairs if pair[0] != MARKER.encode() for value in pair]
    return StoredPart(part.part, part.room, part.suffix, tuple(kept))
