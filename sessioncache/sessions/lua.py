"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessioncache.sessions.models import KnownSave, Listed, PreparedSave, Saved, Session, Updated
from sessioncache.sessions.prepared import follows
from sessioncache.sessions.record import NOT_KNOWN, Pairs, listed_from, merge_again, merge_into, session_from
from sessioncache.types import datetime_from_ms
from sessioncache.wire.call import Call, Write, digits, optional
from sessioncache.wire.keys import Key, SessionKeys, ShardKeys, unescape
from sessioncache.wire.script import load_script

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
    given: PreparedSave,
    through: int | None,
    marks: str,
    payloads: Sequence[bytes],
    known: KnownSave | None = None,
    settled: bool = False,
) -> Call[Saved]:
    """`sessions/save.lua`; its reply is merged into `into`, which, if `settled`, has what is known already."""

    def decode(reply: list[bytes] | bytes) -> Saved:
        repeated, outcome, *parts = reply.split(b" ") if isinstance(reply, bytes) else reply
        if outcome == b"again":
            outcome, created = b"stored", known.created if known else b"0"
            group = known.group if known else NOT_KNOWN
        else:
            created, group = parts.pop(2), parts[10:]
        if settled and known is not None and group is known.group:
            merge_again(into, parts)
        else:
            merge_into(into, parts, created, group)
        first_seq = int(parts[9])
        named: Any = outcome.decode()
        learned = None
        if repeated == b"0" and given.can_be_known:
            has_won = outcome != b"stored"
            learned = KnownSave(write.operation, into.revision, into.metadata_version, given, created, group, has_won)
        return Saved(named, into.revision, first_seq or None, into.last_seq, repeated == b"1", learned)

    is_again = known is not None and through is None and follows(given, known)
    args = (
        *write.args(session),
        given.user,
        given.appending if through is None else f"{given.shape[0]} {digits(through)} {given.shape[1]}",
        given.group,
        marks,
        _last(known, given) if known is not None and is_again else "",
        *given.pairs,
        *payloads,
    )
    return Call(
        "sessions.save",
        load_script("sessions.save"),
        session.group,
        args,
        decode=decode,
        writes=True,
        outcome=_saved_how,
    )


def _saved_how(saved: Saved) -> str:
    return "repeated" if saved.repeated else saved.outcome


def _last(known: KnownSave, given: PreparedSave) -> str:
    before = known.given
    same = given is before or given.documents == before.documents
    return f"{known.operation}{'=' if same else '*'}{known.revision}"


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
