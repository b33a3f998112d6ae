"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.errors import SessionTorn
from sessioncache.rooms.models import RoomEntry, RoomPage, RoomRemoved, RoomSaved, RoomUpdated
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["delete", "get", "list_", "save", "update"]


def save(
    *,
    session: SessionKeys,
    items: Key,
    order: Key,
    write: Write,
    user: str,
    room: str,
    kind: str,
    keep: str,
    stamped: int,
    entries: Sequence[Arg],
) -> Call[RoomSaved]:
    """`rooms/save.lua`."""

    def decode(reply: list[Any]) -> RoomSaved:
        repeated, created, gen, revision, count = reply
        return RoomSaved(int(created) == 1, gen.decode(), int(revision), int(count), repeated == b"1")

    return Call(
        f"{room}.save",
        load_script("rooms.save"),
        (*session.group, items, order),
        (*write.args(session), user, room, kind, keep, stamped, *entries),
        decode=decode,
        writes=True,
        outcome=lambda saved: "repeated" if saved.repeated else ("created" if saved.created else "saved"),
    )


def list_(
    *,
    session: SessionKeys,
    items: Key,
    order: Key,
    now_override_ms: int | None,
    room: str,
    after: int | None,
    newest: bool,
    limit: int,
) -> Call[RoomPage]:
    """`rooms/list.lua`."""

    def decode(reply: list[Any] | None) -> RoomPage:
        if reply is None:
            return RoomPage((), exists=False, gen=None, revision=0, count=0)
        gen, revision, count, entries = reply
        return RoomPage(tuple(map(_entry, entries)), exists=True, gen=gen.decode(), revision=revision, count=count)

    args = (session.escaped, optional(now_override_ms), room, optional(after), int(newest), limit)
    return Call(f"{room}.list", load_script("rooms.list"), (*session.group, items, order), args, decode=decode)


def get(
    *, session: SessionKeys, items: Key, order: Key, now_override_ms: int | None, room: str, entry: str
) -> Call[RoomEntry | None]:
    """`rooms/get.lua`."""
    args = (session.escaped, optional(now_override_ms), room, entry)
    keys = (*session.group, items, order)
    return Call(
        f"{room}.get",
        load_script("rooms.get"),
        keys,
        args,
        decode=lambda reply: None if reply is None else _entry(reply),
    )


def update(
    *, session: SessionKeys, items: Key, order: Key, write: Write, room: str, entry: str, rest: Sequence[Arg]
) -> Call[RoomUpdated]:
    """`rooms/update.lua`."""

    def decode(reply: list[Any]) -> RoomUpdated:
        repeated, found, _gen, revision, changed = reply
        return RoomUpdated(int(found) == 1, int(changed) == 1, int(revision), repeated == b"1")

    return Call(
        f"{room}.update",
        load_script("rooms.update"),
        (*session.group, items, order),
        (*write.args(session), room, entry, *rest),
        decode=decode,
        writes=True,
        outcome=lambda updated: "repeated" if updated.repeated else ("changed" if updated.changed else "unchanged"),
    )


def delete(
    *, session: SessionKeys, items: Key, order: Key, write: Write, room: str, kind: str, entries: Sequence[str]
) -> Call[RoomRemoved]:
    """`rooms/delete.lua`."""

    def decode(reply: list[Any]) -> RoomRemoved:
        repeated, removed, _gen, revision, count = reply
        return RoomRemoved(int(removed), int(revision), int(count), repeated == b"1")

    return Call(
        f"{room}.delete",
        load_script("rooms.delete"),
        (*session.group, items, order),
        (*write.args(session), room, kind, *entries),
        decode=decode,
        writes=True,
    )


def _entry(reply: list[Any]) -> RoomEntry:
    number, entry, payload = reply
    if payload is None:
        raise SessionTorn(f"entry {entry.decode()!r} has its place in the session, but its content is gone")
    return RoomEntry(int(number), entry.decode(), payload)
