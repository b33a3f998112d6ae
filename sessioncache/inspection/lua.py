"""Typed stubs of this folder's Lua files, and of the plain commands that look. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.inspection.models import SESSION_SUFFIXES, SHARD_KEYS, STAMP, KeyLook, SessionLook, ShardLook
from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import Key, SessionKeys, ShardKeys
from sessioncache.wire.script import load_script

__all__ = ["chunks", "fields", "keys", "lines", "links", "look", "members", "messages", "score", "shard", "stamp"]


def look(*, session: SessionKeys, now_override_ms: int | None, users: Sequence[str]) -> Call[SessionLook]:
    """`inspection/look.lua`."""

    def decode(reply: list[Any]) -> SessionLook:
        now, pairs, updated, deadline, listed, ends, usage_lines, lease, flat = reply
        fields = {
            name.decode("utf-8", "backslashreplace"): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)
        }
        first_entry, last_entry, first_place, last_place = ends
        # Where there are no rooms, nothing is said of them.
        keys = zip(SESSION_SUFFIXES, flat[::3], flat[1::3], flat[2::3], strict=False)
        return SessionLook(
            int(now),
            fields,
            updated.decode(),
            deadline.decode(),
            bool(listed[0]),
            tuple(map(bool, listed[1:])),
            first_entry=first_entry,
            last_entry=last_entry,
            first_place=first_place,
            last_place=last_place,
            usage_lines=usage_lines,
            lease=tuple(lease),
            keys={
                suffix: KeyLook(kind.decode(), int(expires), int(size))
                for suffix, kind, expires, size in keys
                if kind != b"none"
            },
        )

    args = (session.escaped, optional(now_override_ms), *users)
    return Call("inspection.look", load_script("inspection.look"), session.group, args, decode=decode)


def stamp(*, session: SessionKeys) -> Call[tuple[bytes | None, ...]]:
    """HMGET of what every change of a session's contents changes in its record."""
    return Call("inspection.stamp", "HMGET", (session.record,), STAMP, decode=tuple)


def links(*, session: SessionKeys, rows: Sequence[str]) -> Call[list[int]]:
    """`inspection/links.lua`."""
    args = (session.escaped, *rows)
    return Call("inspection.links", load_script("inspection.links"), session.group, args, decode=list)


def shard(*, shard: ShardKeys, now_override_ms: int | None) -> Call[ShardLook]:
    """`inspection/shard.lua`."""

    def decode(reply: list[Any]) -> ShardLook:
        now, pairs, length, first, last, flat = reply
        totals = {name.decode("utf-8", "replace"): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
        keys = zip(SHARD_KEYS, flat[::2], flat[1::2], strict=True)
        return ShardLook(
            int(now),
            totals,
            int(length),
            int(first.partition(b"-")[0] or 0),
            int(last.partition(b"-")[0] or 0),
            {name: (kind.decode(), int(pttl)) for name, kind, pttl in keys if kind != b"none"},
        )

    keys = (
        *(shard.by_updated, shard.by_user, shard.deadlines, shard.totals, shard.feed),
        *(shard.policy, shard.links, shard.dependents, shard.dictionaries),
    )
    args = (optional(now_override_ms),)
    return Call("inspection.shard", load_script("inspection.shard"), keys, args, decode=decode)


def keys(*, shard: ShardKeys, pattern: str, cursor: int, limit: int) -> Call[tuple[int, list[str]]]:
    """SCAN of the server that has a shard: cursor to go on with (0 at the end) and names."""

    def decode(reply: list[Any]) -> tuple[int, list[str]]:
        following, names = reply
        return int(following), [name.decode("utf-8", "backslashreplace") for name in names]

    args = (cursor, "MATCH", pattern, "COUNT", limit)
    return Call("inspection.keys", "SCAN", (), args, decode=decode, routed_by=shard.totals)


def score(*, index: Key, member: str) -> Call[bool]:
    """ZSCORE: whether a list has a member."""
    return Call("inspection.score", "ZSCORE", (index,), (member,), decode=lambda reply: reply is not None)


def messages(*, session: SessionKeys, after: str, limit: int) -> Call[list[Any]]:
    """XRANGE of a transcript's entries behind an id (empty: from the start), as the server answers them."""
    args = (f"({after}" if after else "-", "+", "COUNT", limit)
    return Call("inspection.messages", "XRANGE", (session.transcript,), args, decode=list)


def chunks(*, session: SessionKeys, first: int, last: int) -> Call[list[bytes]]:
    """LRANGE of chunks and the places in front of them, counted from 0."""
    args = (2 * first, 2 * last + 1)
    return Call("inspection.chunks", "LRANGE", (session.sealed,), args, decode=list)


def lines(*, key: Key, first: int, last: int) -> Call[list[bytes]]:
    """LRANGE of a list's items."""
    return Call("inspection.lines", "LRANGE", (key,), (first, last), decode=list)


def fields(*, key: Key, cursor: int, limit: int) -> Call[tuple[int, dict[bytes, bytes]]]:
    """HSCAN of a hash: cursor to go on with (0 at the end), and fields with their values."""

    def decode(reply: list[Any]) -> tuple[int, dict[bytes, bytes]]:
        following, found = reply
        flat = found if not found or isinstance(found[0], bytes) else [part for pair in found for part in pair]
        return int(following), dict(zip(flat[::2], flat[1::2], strict=True))

    return Call("inspection.fields", "HSCAN", (key,), (cursor, "COUNT", limit), decode=decode)


def members(*, key: Key, cursor: int, limit: int) -> Call[tuple[int, dict[bytes, float]]]:
    """ZSCAN of a sorted set: cursor to go on with (0 at the end), and members with their scores."""

    def decode(reply: list[Any]) -> tuple[int, dict[bytes, float]]:
        following, found = reply
        flat = found if not found or isinstance(found[0], bytes) else [part for pair in found for part in pair]
        return int(following), {member: float(score) for member, score in zip(flat[::2], flat[1::2], strict=True)}

    return Call("inspection.members", "ZSCAN", (key,), (cursor, "COUNT", limit), decode=decode)
