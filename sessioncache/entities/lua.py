"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.entities.models import EntitiesSaved, EntityCounts
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["clear", "count", "delete", "get", "list_", "relationships", "save"]


def save(*, session: SessionKeys, write: Write, user: str, count: int, given: Sequence[Arg]) -> Call[EntitiesSaved]:
    """`entities/save.lua`."""

    def decode(reply: list[Any]) -> EntitiesSaved:
        repeated, created, gen, revision, entities, related = reply
        return EntitiesSaved(
            int(created) == 1, gen.decode(), int(revision), int(entities), int(related), repeated == b"1"
        )

    return Call(
        "entities.save",
        load_script("entities.save"),
        _keys(session),
        (*write.args(session), user, count, *given),
        decode=decode,
        writes=True,
        outcome=lambda saved: "repeated" if saved.repeated else ("created" if saved.created else "saved"),
    )


def get(*, session: SessionKeys, now_override_ms: int | None, entity: str) -> Call[bytes | None]:
    """`entities/get.lua`."""
    args = (session.escaped, optional(now_override_ms), entity)
    return Call("entities.get", load_script("entities.get"), _keys(session), args, decode=lambda reply: reply)


def list_(
    *, session: SessionKeys, now_override_ms: int | None, after: str, limit: int
) -> Call[list[tuple[str, bytes]]]:
    """`entities/list.lua`."""
    args = (session.escaped, optional(now_override_ms), after, limit)
    return Call("entities.list", load_script("entities.list"), _keys(session), args, decode=_pairs)


def count(*, session: SessionKeys, now_override_ms: int | None) -> Call[EntityCounts]:
    """`entities/count.lua`."""
    args = (session.escaped, optional(now_override_ms))
    return Call(
        "entities.count",
        load_script("entities.count"),
        _keys(session),
        args,
        decode=lambda reply: EntityCounts(int(reply[0]), int(reply[1])),
    )


def relationships(
    *, session: SessionKeys, now_override_ms: int | None, start: str, stop: str, limit: int
) -> Call[list[tuple[str, bytes]]]:
    """`entities/relationships.lua`."""
    args = (session.escaped, optional(now_override_ms), start, stop, limit)
    return Call("entities.relationships", load_script("entities.relationships"), _keys(session), args, decode=_pairs)


def delete(*, session: SessionKeys, write: Write, entity: str) -> Call[tuple[bool, bool]]:
    """`entities/delete.lua`: whether there was such an entity, and whether relationships are left."""

    def decode(reply: list[Any]) -> tuple[bool, bool]:
        _repeated, found, more = reply
        return int(found) == 1, int(more) == 1

    return Call(
        "entities.delete",
        load_script("entities.delete"),
        _keys(session),
        (*write.args(session), entity),
        decode=decode,
        writes=True,
    )


def clear(*, session: SessionKeys, write: Write) -> Call[EntityCounts]:
    """`entities/clear.lua`: what was removed."""
    return Call(
        "entities.clear",
        load_script("entities.clear"),
        _keys(session),
        write.args(session),
        decode=lambda reply: EntityCounts(int(reply[1]), int(reply[2])),
        writes=True,
    )


def _keys(session: SessionKeys) -> tuple[Key, ...]:
    return (*session.group, *session.room("entities"), *session.room("relationships"))


def _pairs(reply: list[bytes]) -> list[tuple[str, bytes]]:
    return [(name.decode(), value) for name, value in zip(reply[::2], reply[1::2], strict=True)]
