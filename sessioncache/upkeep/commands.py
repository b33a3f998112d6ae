"""The plain commands of archiving and collecting. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.errors import DecodeError
from sessioncache.sealing.models import RawEntry, entry_from
from sessioncache.upkeep.models import ArchiveState
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key, SessionKeys, ShardKeys
from sessioncache.wire.replies import flat, whole_number

__all__ = [
    "archive_state",
    "bound",
    "hash_part",
    "kept_dictionaries",
    "keys_found",
    "list_part",
    "messages_part",
    "record_fields",
    "used",
    "zset_part",
]


def archive_state(*, session: SessionKeys) -> Call[ArchiveState | None]:
    """HMGET of what decides about archiving; None where there is no record, DecodeError where it is damaged."""

    def decode(reply: list[Any]) -> ArchiveState | None:
        gen, revision, deadline_ms, ttl_ms, marked, sealed, rewritten = reply
        if gen is None:
            return None
        try:
            mark = (marked or b"").decode()
            head = f"{(sealed or b'').decode()} {(rewritten or b'').decode()}"
            return ArchiveState(gen.decode(), int(revision), int(deadline_ms), int(ttl_ms), mark, head)
        except (TypeError, ValueError) as error:
            raise DecodeError(f"its record cannot be read, so it is not archived: {error}") from error

    names = ("gen", "revision", "deadline_ms", "ttl_ms", "archived", "sealed", "rewritten")
    return Call("upkeep.archive_state", "HMGET", (session.record,), names, decode=decode)


def record_fields(*, session: SessionKeys) -> Call[list[bytes]]:
    """HGETALL of a record: names and values, alternating."""
    return Call("upkeep.record_fields", "HGETALL", (session.record,), (), decode=flat)


def messages_part(*, session: SessionKeys, start: int, limit: int) -> Call[list[RawEntry]]:
    """XRANGE of a transcript's messages that are not sealed, from a sequence number on."""
    args = (start, "+", "COUNT", limit)
    return Call(
        "upkeep.messages_part",
        "XRANGE",
        (session.transcript,),
        args,
        decode=lambda reply: [entry_from(entry) for entry in reply],
    )


def hash_part(*, key: Key, cursor: str, limit: int) -> Call[tuple[str, list[bytes]]]:
    """HSCAN of a hash: where to go on, 0 at the end, and names and values, alternating."""

    def decode(reply: list[Any]) -> tuple[str, list[bytes]]:
        following, pairs = reply
        return str(int(following)), flat(pairs)

    return Call("upkeep.hash_part", "HSCAN", (key,), (cursor, "COUNT", limit), decode=decode)


def zset_part(*, key: Key, start: int, limit: int) -> Call[list[bytes]]:
    """ZRANGE of a sorted set by place: members and scores, alternating."""

    def decode(reply: list[Any]) -> list[bytes]:
        return [part if isinstance(part, bytes) else b"%d" % int(part) for part in flat(reply)]

    args = (start, start + limit - 1, "WITHSCORES")
    return Call("upkeep.zset_part", "ZRANGE", (key,), args, decode=decode)


def list_part(*, key: Key, start: int, limit: int) -> Call[list[bytes]]:
    """LRANGE of a list by place."""
    return Call("upkeep.list_part", "LRANGE", (key,), (start, start + limit - 1), decode=list)


def keys_found(*, shard: ShardKeys, cursor: int, limit: int) -> Call[tuple[int, list[str]]]:
    """SCAN of the shard's node for keys of sessions of this shard: cursor to go on with (0 at the end) and keys."""

    def decode(reply: list[Any]) -> tuple[int, list[str]]:
        following, found = reply
        return int(following), [key.decode() for key in found]

    args = (cursor, "MATCH", f"{shard.record_prefix}*", "COUNT", limit)
    return Call("upkeep.keys_found", "SCAN", (), args, decode=decode, routed_by=shard.totals)


def bound(*, key: Key, ttl_ms: int) -> Call[bool]:
    """PEXPIRE of a key that never expires: whether it had no expiry."""
    return Call("upkeep.bound", "PEXPIRE", (key,), (ttl_ms, "NX"), decode=bool, writes=True)


def kept_dictionaries(*, shard: ShardKeys) -> Call[list[str]]:
    """HKEYS of the dictionaries that a shard has."""
    return Call(
        "upkeep.kept_dictionaries",
        "HKEYS",
        (shard.dictionaries,),
        (),
        decode=lambda reply: sorted(name.decode() for name in reply),
    )


def used(*, shard: ShardKeys, names: Sequence[str]) -> Call[list[int]]:
    """HMGET of how many times chunks were made with dictionaries in a shard; -1 where what is noted is no number."""

    def decode(reply: list[bytes | None]) -> list[int]:
        found = [0 if value is None else whole_number(value) for value in reply]
        return [-1 if number is None else number for number in found]

    args = tuple(f"used:{name}" for name in names)
    return Call("upkeep.used", "HMGET", (shard.totals,), args, decode=decode)
