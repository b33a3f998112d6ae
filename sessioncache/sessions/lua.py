"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessioncache.sessions.models import KnownSave, Listed, Saved, Session, Updated
from sessioncache.sessions.record import NOT_KNOWN, Pairs, listed_from, merge_into, session_from, whole_answer
from sessioncache.types import datetime_from_ms
from sessioncache.wire.call import Call, Write, digits, optional
from sessioncache.wire.keys import Key, SessionKeys, ShardKeys, unescape
from sessioncache.wire.script import load_script
from sessioncache.wire.values import pack_parts

__all__ = [
    "Ranks",
    "by_user",
    "count",
    "delete",
    "exists",
    "get",
    "list_",
    "listed",
    "ranks",
    "rows",
    "save",
    "unlist",
    "update",
]


def get(*, session: SessionKeys, now_override_ms: int | None) -> Call[Session | None]:
    """`sessions/get.lua`."""

    def decode(reply: list[bytes] | None) -> Session | None:
        return None if reply is None else session_from(session.session_id, reply)

    args = (session.escaped, optional(now_override_ms))
    return Call("sessions.get", load_script("sessions.get"), session.group, args, decode=decode)


def exists(*, session: SessionKeys, now_override_ms: int | None) -> Call[bool]:
    """`sessions/exists.lua`."""
    args = (session.escaped, optional(now_override_ms))
    script = load_script("sessions.exists")
    return Call("sessions.exists", script, session.group, args, decode=lambda reply: reply is not None)


def list_(
    *,
    shard: ShardKeys,
    now_override_ms: int | None,
    newest: bool,
    after: tuple[int, str] | None,
    limit: int,
    labels: Sequence[str],
) -> Call[tuple[bool, tuple[int, str] | None, list[Listed]]]:
    """`sessions/list.lua`: whether the shard is done, the position reached, and the items."""

    def decode(reply: list[Any]) -> tuple[bool, tuple[int, str] | None, list[Listed]]:
        done, score, member, *items = reply
        position = (int(score), member.decode()) if member else None
        return bool(done), position, [listed_from(item, labels) for item in items]

    score, member = after or ("", "")
    args = (shard.record_prefix, optional(now_override_ms), int(newest), score, member, limit, *labels)
    return Call("sessions.list", load_script("sessions.list"), (shard.by_updated,), args, decode=decode)


def by_user(
    *, shard: ShardKeys, now_override_ms: int | None, user: str, after_member: str, limit: int, labels: Sequence[str]
) -> Call[tuple[str, list[Listed]]]:
    """`sessions/by_user.lua`: the escaped id to go on after, empty at the end, and the items."""

    def decode(reply: list[Any]) -> tuple[str, list[Listed]]:
        following, *items = reply
        return following.decode(), [listed_from(item, labels) for item in items]

    args = (shard.record_prefix, optional(now_override_ms), user, after_member, limit, *labels)
    return Call("sessions.by_user", load_script("sessions.by_user"), (shard.by_user,), args, decode=decode)


def save(
    *,
    session: SessionKeys,
    write: Write,
    into: Session,
    authoritative: Pairs,
    runtime: Pairs,
    host: Pairs,
    labels: Pairs,
    documents: Pairs,
    updates: Pairs,
    keep_runtime: bool,
    through: int | None,
    updated_ms: int | None,
    marks: str,
    payloads: Sequence[bytes],
    known: KnownSave | None = None,
) -> Call[Saved]:
    """`sessions/save.lua`; its reply is merged into `into` when it is decoded."""
    names = (*runtime[::2], None, *documents[::2])
    is_again = (
        known is not None
        and known.names == names
        and into.metadata_version <= known.metadata_version
        and payloads
        and not (keep_runtime or labels or updates or into.user or through is not None or updated_ms is not None)
    )

    def decode(reply: list[bytes] | bytes) -> Saved:
        repeated, outcome, *rest = reply.split(b" ") if isinstance(reply, bytes) else reply
        if outcome == b"again":
            outcome, rest = b"stored", whole_answer(known.answer if known else NOT_KNOWN, rest)
        merge_into(into, rest)
        first_seq = int(rest[10])
        named: Any = outcome.decode()
        learned = None
        if repeated == b"0" and not keep_runtime and b"" not in documents:
            learned = KnownSave(write.operation, into.revision, into.metadata_version, names, documents, rest)
        return Saved(named, into.revision, first_seq or None, into.last_seq, repeated == b"1", learned)

    kinds = (authoritative, host, runtime, labels, documents, updates)
    shape = (
        *(into.metadata_version, int(into.pinned)),
        *(len(pairs) // 2 for pairs in kinds),
        *(int(bool(keep_runtime)), through, updated_ms),
    )
    args = (
        *write.args(session),
        into.user or "",
        " ".join(["" if number is None else digits(number) for number in shape]),
        pack_parts([*authoritative, *host]),
        marks,
        _last(known, documents) if known is not None and is_again else "",
        *runtime,
        *labels,
        *documents,
        *updates,
        *payloads,
    )
    return Call(
        "sessions.save",
        load_script("sessions.save"),
        session.group,
        args,
        decode=decode,
        writes=True,
        outcome=lambda saved: "repeated" if saved.repeated else saved.outcome,
    )


def _last(known: KnownSave, documents: Pairs) -> str:
    return f"{known.operation}{'=' if known.documents == documents else '*'}{known.revision}"


def update(*, session: SessionKeys, write: Write, sets: Pairs, clears: Sequence[str], user: str) -> Call[Updated]:
    """`sessions/update.lua`."""

    def decode(reply: list[bytes]) -> Updated:
        repeated, changed, _gen, revision, title_version, metadata_version, updated_ms = reply
        return Updated(
            changed == b"1",
            int(revision),
            int(title_version),
            int(metadata_version),
            datetime_from_ms(int(updated_ms)),
            repeated == b"1",
        )

    return Call(
        "sessions.update",
        load_script("sessions.update"),
        session.group,
        (*write.args(session), len(sets) // 2, user, *sets, *clears),
        decode=decode,
        writes=True,
        outcome=lambda updated: "repeated" if updated.repeated else ("changed" if updated.changed else "unchanged"),
    )


def delete(*, session: SessionKeys, write: Write) -> Call[bool]:
    """`sessions/delete.lua`."""
    return Call(
        "sessions.delete",
        load_script("sessions.delete"),
        session.group,
        write.args(session),
        decode=lambda reply: reply is not None,
        writes=True,
    )


@dataclass(frozen=True, slots=True)
class Ranks:
    """What `sessions/ranks.lua` answers for one shard."""

    overdue: int
    oldest_ms: int
    newest_ms: int
    """0: the shard is empty."""
    counts: tuple[int, ...]


def ranks(*, shard: ShardKeys, now_override_ms: int | None, times: Sequence[int]) -> Call[Ranks]:
    """`sessions/ranks.lua`."""
    keys = (shard.by_updated, shard.deadlines)
    args = (optional(now_override_ms), *times)

    def decode(reply: list[int]) -> Ranks:
        overdue, oldest_ms, newest_ms, *counts = reply
        return Ranks(overdue, oldest_ms, newest_ms, tuple(counts))

    return Call("sessions.ranks", load_script("sessions.ranks"), keys, args, decode=decode)


def count(*, shard: ShardKeys, now_override_ms: int | None) -> Call[int]:
    """`sessions/count.lua`."""
    keys = (shard.by_updated, shard.deadlines)
    return Call("sessions.count", load_script("sessions.count"), keys, (optional(now_override_ms),), decode=int)


def rows(*, index: Key, after: str, limit: int) -> Call[tuple[str, list[tuple[str, str]]]]:
    """ZRANGEBYLEX of an index whose members all score 0 and end in an escaped id: what `listed` answers."""

    def decode(reply: list[bytes]) -> tuple[str, list[tuple[str, str]]]:
        found = [member.decode() for member in reply]
        following = found[-1] if len(found) == limit else ""
        return following, [(member, unescape(member.rpartition("\0")[2])) for member in found]

    start = f"({after}" if after else "-"
    return Call("sessions.rows", "ZRANGEBYLEX", (index,), (start, "+", "LIMIT", 0, limit), decode=decode)


def listed(*, index: Key, after: str, limit: int) -> Call[tuple[str, list[tuple[str, str]]]]:
    """ZSCAN of an index of escaped ids: where to go on, empty at the end, and members with their ids."""

    def decode(reply: list[Any]) -> tuple[str, list[tuple[str, str]]]:
        following, pairs = reply
        found = pairs[::2] if pairs and isinstance(pairs[0], bytes) else [member for member, _score in pairs]
        position = following.decode() if isinstance(following, bytes) else str(following)
        return "" if position == "0" else position, [(member.decode(), unescape(member)) for member in found]

    return Call("sessions.listed", "ZSCAN", (index,), (after or 0, "COUNT", limit), decode=decode)


def unlist(*, session: SessionKeys, rows: Sequence[str]) -> Call[int]:
    """`sessions/unlist.lua`."""
    script = load_script("sessions.unlist")
    return Call("sessions.unlist", script, session.group, (session.escaped, *rows), decode=int, writes=True)
