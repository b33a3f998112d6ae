"""Reading the rooms of a session whole, and judging each against its index and its own form.

The rule of this module: as with transcripts, whoever calls it looks before and after.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from sessioncache.audit.transcripts import Tally
from sessioncache.errors import DecodeError
from sessioncache.inspection import SessionLook
from sessioncache.inspection._async import AsyncInspection
from sessioncache.wire.keys import ROOMS, RoomName, SessionKeys
from sessioncache.wire.values import unpack_fields

__all__ = ["judge_rooms", "path_of", "things_of"]

PAGE: Final = 200
VALUES: Final = frozenset({"documents", "updates"})
"""Rooms whose entries are one JSON value each."""
NUMBERED: Final = frozenset({"updates", "qa", "checkpoints"})
"""Rooms whose entries a sorted set numbers."""
LOGS: Final = frozenset({"traces", "usage"})
FIELDS: Final = frozenset({"qa", "checkpoints", "entities", "relationships", "workspaces"})
"""Rooms whose entries are names and values, packed."""


async def judge_rooms(inspection: AsyncInspection, keys: SessionKeys, look: SessionLook, tally: Tally) -> None:
    """Read every entry of every room."""
    names: dict[RoomName, set[bytes]] = {}
    for room, suffixes in ROOMS.items():
        key = keys.room(room)[0]
        if look.size(suffixes[0]) <= 0:
            continue
        if room in LOGS:
            await _log(inspection, key, room, look.size(suffixes[0]), tally)
            continue
        names[room] = set()
        async for fields in fields_of(inspection, key):
            names[room].update(fields)
            for name, value in fields.items():
                _entry(inspection, room, name, value, tally)
        if room in NUMBERED:
            await _numbers(inspection, keys.room(room)[1], room, names[room], tally)
    if look.size("relationships:ends"):
        await _ends(inspection, keys, names, tally)


async def fields_of(inspection: AsyncInspection, key: str) -> AsyncIterator[dict[bytes, bytes]]:
    """The fields of a hash, a page at a time."""
    cursor = 0
    while True:
        cursor, fields = await inspection.fields(key, cursor=cursor, limit=PAGE)
        yield fields
        if cursor == 0:
            return


async def _members(inspection: AsyncInspection, key: str) -> dict[bytes, float]:
    found: dict[bytes, float] = {}
    cursor = 0
    while True:
        cursor, members = await inspection.members(key, cursor=cursor, limit=PAGE)
        found |= members
        if cursor == 0:
            return found


def things_of(room: RoomName, fields: dict[bytes, bytes]) -> list[str]:
    """The rows that the shard's links have to have for these entries, up to the session's id."""
    kind = {"checkpoints": "c", "workspaces": "w", "sources": "f"}[room]
    rows = [f"{kind}\0{name.decode('utf-8', 'backslashreplace')}\0" for name in fields]
    for name, value in fields.items() if room == "sources" else ():
        path = path_of(value)
        if path is not None:
            rows.append(f"p\0{path}\0{name.decode('utf-8', 'backslashreplace')}\0")
    return rows


def path_of(source: bytes) -> str | None:
    """The path in what is stored of a source, which is its first part; None where it is damaged."""
    length, colon, rest = source.partition(b":")
    if not (colon and length.isdigit()) or len(rest) < int(length):
        return None
    return rest[: int(length)].decode("utf-8", "backslashreplace")


def _entry(inspection: AsyncInspection, room: RoomName, name: bytes, value: bytes, tally: Tally) -> None:
    what = f"{room} {name.decode('utf-8', 'backslashreplace')!r}"
    if room in VALUES:
        tally.payload(inspection.values, what, value)
        return
    packed = value
    if room == "sources":
        path = path_of(value)
        if path is None:
            tally.add("entry", f"{what} names no path")
            return
        packed = value[value.index(b":") + 1 + int(value.partition(b":")[0]) :]
    try:
        unpack_fields(what, packed)
    except DecodeError as error:
        tally.add("entry", str(error))


async def _log(inspection: AsyncInspection, key: str, room: str, size: int, tally: Tally) -> None:
    for first in range(0, size, PAGE):
        for at, line in enumerate(await inspection.lines(key, first=first, last=first + PAGE - 1), first + 1):
            ms, space, payload = line.partition(b" ")
            if not (space and ms.isdigit()):
                tally.add("entry", f"line {at} of {room} has no time")
            elif room == "traces":
                tally.payload(inspection.values, f"line {at} of {room}", payload)


async def _numbers(inspection: AsyncInspection, key: str, room: str, names: set[bytes], tally: Tally) -> None:
    """Compare a room's entries with the index that numbers them."""
    numbered = await _members(inspection, key)
    if apart := names ^ numbered.keys():
        shown = ", ".join(repr(name.decode("utf-8", "backslashreplace")) for name in sorted(apart)[:3])
        tally.add("room-index", f"{room}: {len(apart)} ids are in one of entries and index alone: {shown}")
    elif len(set(numbered.values())) != len(numbered):
        tally.add("room-index", f"{room}: two entries have one number")


async def _ends(
    inspection: AsyncInspection, keys: SessionKeys, names: dict[RoomName, set[bytes]], tally: Tally
) -> None:
    """Compare the index of ends with entities and relationships."""
    wanted = {b"=" + name for name in names.get("entities", ())}
    for name in names.get("relationships", ()):
        begin, relation, end = (*name.split(b"\0"), b"", b"")[:3]
        wanted |= {b">" + name, b"<" + end + b"\0" + relation + b"\0" + begin}
    found = await _members(inspection, keys.room("relationships")[1])
    if apart := wanted ^ found.keys():
        tally.add("room-index", f"entities and relationships: {len(apart)} rows of their index are wrong")
