"""Sessions that the workers archived, from the files that they wrote.

The rule of this module: of a session that was archived more than once, the newest whole copy counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sessioncache.importers.models import SourceSession, Unreadable
from sessioncache.importers.sources.archived_rooms import ORDER, agreeing
from sessioncache.importers.sources.reading import Malformed
from sessioncache.maintenance.archive_files import (
    WIDTHS,
    ArchivedSession,
    Damaged,
    PartCounts,
    archive_files,
    read_archive,
)
from sessioncache.types import datetime_from_ms
from sessioncache.upkeep.models import StoredPart
from sessioncache.wire.keys import ROOMS
from sessioncache.wire.replies import whole_number

__all__ = ["ArchiveSource", "ArchivedCopy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedCopy(SourceSession):
    """A session as it lay in Redis."""

    parts: tuple[StoredPart, ...]
    fields: dict[str, bytes] = field(default_factory=dict)
    """Of the record."""


class ArchiveSource:
    """A folder of an archive, or one file of it."""

    def __init__(self, url: str) -> None:
        """Open it.

        Raises:
            Malformed: there is nothing there.
        """
        self._url = url
        try:
            self._files = archive_files(url)
        except OSError as error:
            raise Malformed(f"{url}: {error}") from error
        if not self._files:
            raise Malformed(f"{url}: there is no file of an archive in it (*.jsonl.gz)")
        self._newest: dict[str, tuple[ArchivedSession, str]] = {}
        """Without what is in them; and the file of each."""
        self._notes: list[str] = []

    @property
    def name(self) -> str:
        """The URL."""
        return self._url

    async def count(self) -> int | None:
        """How many sessions there are; reads all files once."""
        await asyncio.to_thread(self._look)
        return len(self._newest)

    async def sessions(self) -> AsyncIterator[ArchivedCopy | Unreadable]:
        """Every session, its newest copy, file by file."""
        if not self._newest:
            await asyncio.to_thread(self._look)
        given: set[str] = set()
        for path in self._files:
            reading = read_archive(self._url, path)
            while (found := await asyncio.to_thread(next, reading, None)) is not None:
                if isinstance(found, Damaged):
                    yield Unreadable(path, found)
                if isinstance(found, str) or found.id in given:
                    continue
                newest, where = self._newest.get(found.id, (found, path))
                if where == path and _age(newest) == _age(found):
                    given.add(found.id)
                    yield _copy(found, path)

    def notes(self) -> list[str]:
        """What was not written to its end: it was archived again, or is still where it was."""
        return self._notes

    async def aclose(self) -> None:
        """Nothing stays open."""

    def _look(self) -> None:
        self._newest, self._notes = {}, []
        for path in self._files:
            for found in read_archive(self._url, path):
                if isinstance(found, Damaged):
                    continue
                if isinstance(found, str):
                    self._notes.append(f"{path}: {found}")
                elif found.id not in self._newest or _is_newer(found, self._newest[found.id][0]):
                    self._newest[found.id] = (replace(found, parts=[]), path)


def _age(copy: ArchivedSession) -> tuple[str, int, datetime]:
    return copy.gen, copy.revision, copy.archived_at


def _is_newer(copy: ArchivedSession, than: ArchivedSession) -> bool:
    """Whether it is as new at least. Of one incarnation the revision tells: a clock may have been set back."""
    if copy.gen == than.gen and copy.revision != than.revision:
        return copy.revision > than.revision
    return copy.archived_at >= than.archived_at


def _count_of(found: ArchivedSession, room: str, told: bytes) -> int:
    """How many entries a room has: as its record says or, where that is damaged, as were found in it."""
    count = whole_number(told)
    if count is not None:
        return count
    return sum(len(part.values) // WIDTHS[part.part] for part in found.parts if part.suffix == room)


def _torn(found: ArchivedSession) -> dict[str, tuple[int, int]]:
    counts = PartCounts()
    for part in found.parts:
        counts.take(part)
    return counts.torn()


def _missing(name: str, torn: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for kind, (told, there) in torn.items():
        if not kind.endswith(ORDER):
            told_of = f"where its record counted {told}; these come back"
            yield f"{name}: {there} {kind} were there when it was archived, {told_of}"


def _copy(found: ArchivedSession, path: str) -> ArchivedCopy | Unreadable:
    name = f"{path}, session {found.id!r}"
    record = next((part.values for part in found.parts if part.part == "record"), ())
    fields = {name.decode(): value for name, value in zip(record[::2], record[1::2], strict=True)}
    try:
        counts: dict[str, int] = {"messages": int(fields["messages"])}
        for room in ROOMS:
            counts[room] = _count_of(found, room, fields.get(f"n:{room}", b"0"))
            if counts[room]:
                fields[f"n:{room}"] = b"%d" % counts[room]
        torn = _torn(found)
        counts |= {kind: there for kind, (_told, there) in torn.items() if kind in counts}
        parts, mended = agreeing(found.parts, fields)
        created_at, updated_at = (datetime_from_ms(int(fields[at])) for at in ("created_ms", "updated_ms"))
    except (KeyError, ValueError) as error:
        return Unreadable(name, f"its record is damaged: {error!r}")
    return ArchivedCopy(
        name=name,
        id=found.id,
        digest=f"{found.gen} {found.revision}",
        counts={kind: count for kind, count in counts.items() if count},
        user=fields.get("user", b"default").decode(),
        created_at=created_at,
        updated_at=updated_at,
        notes=(*_missing(name, torn), *(f"{name}: {key} was not whole, and was made to fit" for key in mended)),
        parts=parts,
        fields=fields,
    )
