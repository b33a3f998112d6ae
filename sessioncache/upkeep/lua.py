"""Typed stubs of this folder's Lua files, and of the plain commands that scan. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sessioncache.errors import DecodeError
from sessioncache.upkeep.models import (
    COUNTED,
    Counters,
    Evicted,
    Expired,
    NodeMemory,
    Reindexed,
    SealedSize,
    Totals,
    Trimmed,
    View,
    Walk,
    Walks,
)
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import ROOMS, SHARD_LEASE_TTL_MS_MAX, Key, SessionKeys, ShardKeys, unescape
from sessioncache.wire.replies import flat, whole_number
from sessioncache.wire.script import load_script

__all__ = [
    "COUNTER_FIELDS",
    "acquire",
    "archived",
    "by_user",
    "clock",
    "counters",
    "dictionaries_of",
    "due",
    "evict",
    "expire",
    "forget",
    "linked",
    "listed",
    "memory",
    "note",
    "noted",
    "records",
    "reindex",
    "release",
    "relink",
    "renew",
    "restore",
    "settle",
    "tally",
    "tally_parts",
    "things",
    "trim",
    "unlink",
    "updated",
    "view",
    "walks",
]


COUNTER_FIELDS: Final = tuple(f"n:{name}" if name in ROOMS else name for name in COUNTED)
"""Fields of a record that count, in the order of `COUNTED`."""


def due(
    *, shard: ShardKeys, now_override_ms: int | None, ahead_ms: int, since_ms: int | None, offset: int, limit: int
) -> Call[tuple[int, list[tuple[str, int]]]]:
    """`upkeep/due.lua`: the server's time, and ids with their deadlines."""

    def decode(reply: list[bytes]) -> tuple[int, list[tuple[str, int]]]:
        now, *found = reply
        pairs = zip(found[::2], found[1::2], strict=True)
        return int(now), [(unescape(member), int(float(score))) for member, score in pairs]

    args = (optional(now_override_ms), ahead_ms, optional(since_ms), offset, limit)
    return Call("upkeep.due", load_script("upkeep.due"), (shard.deadlines,), args, decode=decode)


def expire(
    *,
    session: SessionKeys,
    lease: Key,
    now_override_ms: int | None,
    lease_token: int,
    archived: bool,
    dry_run: bool,
) -> Call[Expired]:
    """`upkeep/expire.lua`."""

    def decode(reply: list[Any]) -> Expired:
        named: Any = reply[0].decode()
        return Expired(named, int(reply[1]), int(reply[2]))

    args = (session.escaped, optional(now_override_ms), lease_token, int(archived), int(dry_run))
    keys = (*session.group, lease)
    return Call("upkeep.expire", load_script("upkeep.expire"), keys, args, decode=decode, writes=True)


def evict(
    *,
    session: SessionKeys,
    lease: Key,
    now_override_ms: int | None,
    lease_token: int,
    updated_ms: int,
    dry_run: bool,
) -> Call[Evicted]:
    """`upkeep/evict.lua`."""

    def decode(reply: list[Any]) -> Evicted:
        named: Any = reply[0].decode()
        return Evicted(named, int(reply[1]), int(reply[2]))

    args = (session.escaped, optional(now_override_ms), lease_token, updated_ms, int(dry_run))
    keys = (*session.group, lease)
    return Call("upkeep.evict", load_script("upkeep.evict"), keys, args, decode=decode, writes=True)


def memory(*, shard: ShardKeys) -> Call[NodeMemory]:
    """INFO of the shard's server, about itself and its memory."""

    def decode(reply: bytes) -> NodeMemory:
        lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines())
        told = {name: value for name, _, value in lines}
        numbers = ("used_memory", "mem_not_counted_for_evict", "maxmemory", "lazyfree_pending_objects")
        used, uncounted, limit, pending = (int(told.get(name) or 0) for name in numbers)
        is_cluster = told.get("redis_mode") == "cluster"
        return NodeMemory(told.get("run_id", ""), max(used - uncounted, 0), limit, pending, is_cluster)

    return Call("server.memory", "INFO", (), ("server", "memory"), decode=decode, routed_by=shard.totals)


def trim(
    *,
    session: SessionKeys,
    lease: Key,
    now_override_ms: int | None,
    lease_token: int,
    keep_messages: int,
    keep_bytes: int,
    keep_age_ms: int,
    dry_run: bool,
    skip_chunks: int,
    skip_after: int,
    skip_messages: int,
    skip_bytes: int,
    seen: str,
) -> Call[Trimmed]:
    """`upkeep/trim.lua`."""

    def decode(reply: list[Any]) -> Trimmed:
        messages, size, more, cutoff_ms, *numbers, head = reply
        chunks, after, looked_messages, looked_bytes = map(int, numbers)
        following = (chunks, after, looked_messages, looked_bytes, head.decode())
        return Trimmed(int(messages), int(size), bool(more), following, int(cutoff_ms))

    kept = (keep_messages, keep_bytes, keep_age_ms)
    skipped = (skip_chunks, skip_after, skip_messages, skip_bytes, seen)
    args = (session.escaped, optional(now_override_ms), lease_token, *kept, int(dry_run), *skipped)
    keys = (*session.group, lease)
    return Call("upkeep.trim", load_script("upkeep.trim"), keys, args, decode=decode, writes=True)


def reindex(
    *,
    session: SessionKeys,
    lease: Key,
    now_override_ms: int | None,
    lease_token: int,
    listed_user: str | None,
    dry_run: bool,
) -> Call[Reindexed]:
    """`upkeep/reindex.lua`."""

    def decode(reply: list[Any]) -> Reindexed:
        state, messages, before, now, *repaired = reply
        named: Any = state.decode()
        sealed = SealedSize(int(messages), int(before), int(now))
        return Reindexed(named, sealed, tuple(name.decode() for name in repaired))

    listed = (listed_user or "", int(listed_user is not None))
    args = (session.escaped, optional(now_override_ms), lease_token, *listed, int(dry_run))
    keys = (*session.group, lease)
    return Call("upkeep.reindex", load_script("upkeep.reindex"), keys, args, decode=decode, writes=True)


def things(*, room: Key, command: str, cursor: str, limit: int) -> Call[tuple[str, list[str]]]:
    """HSCAN or ZSCAN of a room: where to go on, empty at the end, and entries."""

    def decode(reply: list[Any]) -> tuple[str, list[str]]:
        following, pairs = reply
        found = pairs[::2] if pairs and isinstance(pairs[0], bytes) else [thing for thing, _value in pairs]
        position = int(following)
        return str(position or ""), [thing.decode() for thing in found]

    return Call("upkeep.things", command, (room,), (cursor or 0, "COUNT", limit), decode=decode)


def relink(
    *, session: SessionKeys, items: Key, lease: Key, lease_token: int, dry_run: bool, kind: str, things: Sequence[str]
) -> Call[int]:
    """`upkeep/relink.lua`: how many rows were lacking."""
    args: tuple[Arg, ...] = (session.escaped, lease_token, int(dry_run), kind, *things)
    keys = (*session.group, items, lease)
    return Call("upkeep.relink", load_script("upkeep.relink"), keys, args, decode=int, writes=True)


def unlink(*, session: SessionKeys, lease: Key, lease_token: int, dry_run: bool, rows: Sequence[str]) -> Call[int]:
    """`upkeep/unlink.lua`."""
    keys = (*session.group, lease)
    args: tuple[Arg, ...] = (session.escaped, lease_token, int(dry_run), *rows)
    return Call("upkeep.unlink", load_script("upkeep.unlink"), keys, args, decode=int, writes=True)


def linked(*, shard: ShardKeys, after: str, limit: int) -> Call[list[tuple[str, str]]]:
    """ZRANGEBYLEX over a shard's links in their order: rows, and the ids that they name."""

    def decode(reply: list[bytes]) -> list[tuple[str, str]]:
        rows = [row.decode() for row in reply]
        return [(row, unescape(row.rpartition("\0")[2])) for row in rows]

    start = f"({after}" if after else "-"
    args = (start, "+", "LIMIT", 0, limit)
    return Call("upkeep.linked", "ZRANGEBYLEX", (shard.links,), args, decode=decode)


def settle(*, shard: ShardKeys, lease: Key, lease_token: int, settled: int, lacking: Sequence[str]) -> Call[bool]:
    """`upkeep/settle.lua`: False if somebody else has corrected the totals meanwhile."""
    args: tuple[Arg, ...] = (lease_token, settled, *lacking)
    keys = (shard.totals, shard.feed, lease)
    return Call("upkeep.settle", load_script("upkeep.settle"), keys, args, decode=bool, writes=True)


def view(*, shard: ShardKeys, after: int, limit: int, names: Sequence[str]) -> Call[View]:
    """`upkeep/view.lua`; names are the fields of `Totals`, then `COUNTER_FIELDS`."""

    def decode(reply: list[Any]) -> View:
        values, first, last, counted = reply
        numbers = [0 if value is None else whole_number(value) for value in values]
        damaged = tuple(name for name, number in zip(Totals.FIELDS, numbers, strict=True) if number is None)
        feed_seq, settled, sessions, *sums = (number or 0 for number in numbers)
        found = {unescape(member): _counters(counts) for member, counts in counted}
        if "" in found:
            raise DecodeError(f"an entry of the feed of shard {shard.index} is damaged: it names no session")
        return View(Totals(feed_seq, settled, sessions, tuple(sums), damaged), int(first), int(last), found)

    args: tuple[Arg, ...] = (shard.record_prefix, after, limit, len(Totals.FIELDS), *names)
    return Call("upkeep.view", load_script("upkeep.view"), (shard.totals, shard.feed), args, decode=decode)


def _counters(reply: Sequence[bytes | None]) -> Counters | None:
    """What a record counts; None where there is none. What is no number counts as nothing."""
    if reply and all(value is None for value in reply):
        return None
    values = [int(value) if value is not None and value.isdigit() else 0 for value in reply]
    return tuple(values or [0] * len(COUNTED))


def by_user(*, shard: ShardKeys, after: str, limit: int) -> Call[list[tuple[str, str, str]]]:
    """ZRANGEBYLEX over all of a shard's sessions in an order that does not move: entry, user, id."""

    def decode(reply: list[bytes]) -> list[tuple[str, str, str]]:
        entries = [entry.decode() for entry in reply]
        parts = [(entry, *entry.rpartition("\0")) for entry in entries]
        return [(entry, user, unescape(member)) for entry, user, _nul, member in parts]

    start = f"({after}" if after else "-"
    args = (start, "+", "LIMIT", 0, limit)
    return Call("upkeep.by_user", "ZRANGEBYLEX", (shard.by_user,), args, decode=decode)


def listed(*, index: Key, cursor: int, limit: int) -> Call[tuple[int, list[str]]]:
    """ZSCAN of a shard's list: cursor to go on with (0 at the end) and ids. What stays listed is not missed."""

    def decode(reply: list[Any]) -> tuple[int, list[str]]:
        following, pairs = reply
        members = pairs[::2] if pairs and isinstance(pairs[0], bytes) else [member for member, _score in pairs]
        return int(following), [unescape(member) for member in members]

    return Call("upkeep.listed", "ZSCAN", (index,), (cursor, "COUNT", limit), decode=decode)


def records(*, shard: ShardKeys, cursor: int, limit: int) -> Call[tuple[int, list[str]]]:
    """SCAN of the shard's node for sessions of this shard: cursor to go on with (0 at the end) and ids."""

    def decode(reply: list[Any]) -> tuple[int, list[str]]:
        following, found = reply
        rests = (key.decode().removeprefix(shard.record_prefix) for key in found)
        return int(following), list(dict.fromkeys(unescape(rest.partition(":")[0]) for rest in rests))

    args = (cursor, "MATCH", f"{shard.record_prefix}*", "COUNT", limit)
    return Call("upkeep.records", "SCAN", (), args, decode=decode, routed_by=shard.totals)


def counters(*, session: SessionKeys) -> Call[Counters | None]:
    """HMGET of what a record counts; None where there is no record. What is no number counts as nothing."""
    return Call("upkeep.counters", "HMGET", (session.record,), COUNTER_FIELDS, decode=_counters)


def clock(*, shard: ShardKeys) -> Call[int]:
    """TIME of the shard's server, in milliseconds since 1970."""

    def decode(reply: list[Any]) -> int:
        return int(reply[0]) * 1000 + int(reply[1]) // 1000

    return Call("upkeep.clock", "TIME", (), (), decode=decode, routed_by=shard.totals)


def updated(*, shard: ShardKeys, since_ms: int, until_ms: int, offset: int, limit: int) -> Call[list[tuple[str, int]]]:
    """ZRANGEBYSCORE over a shard's sessions by the time of their last write: ids and times."""

    def decode(reply: list[Any]) -> list[tuple[str, int]]:
        told = flat(reply)
        return [(unescape(member), int(float(score))) for member, score in zip(told[::2], told[1::2], strict=True)]

    args = (since_ms, until_ms, "WITHSCORES", "LIMIT", offset, limit)
    return Call("upkeep.updated", "ZRANGEBYSCORE", (shard.by_updated,), args, decode=decode)


def walks(*, lease: Key) -> Call[Walks]:
    """HMGET of how far a job has come, which lies beside its lease."""

    def decode(reply: list[Any]) -> Walks:
        idle_ms, idle_id, busy_ms, busy_id, began_ms = (value or b"" for value in reply)
        # A note that is damaged means to begin anew.
        idle_at, busy_at, began = (whole_number(value) or 0 for value in (idle_ms, busy_ms, began_ms))
        return Walks(Walk(idle_at, idle_id.decode()), Walk(busy_at, busy_id.decode()), began)

    return Call("upkeep.walks", "HMGET", (lease,), Walks.FIELDS, decode=decode)


def noted(*, lease: Key, names: Sequence[str]) -> Call[tuple[str, ...]]:
    """HMGET of what was kept beside a lease; empty where nothing was."""

    def decode(reply: list[Any]) -> tuple[str, ...]:
        return tuple((value or b"").decode() for value in reply)

    return Call("upkeep.noted", "HMGET", (lease,), tuple(names), decode=decode)


def note(*, lease: Key, lease_token: int, given: Sequence[Arg]) -> Call[int]:
    """`upkeep/note.lua`."""
    args: tuple[Arg, ...] = (lease_token, *given)
    return Call("upkeep.note", load_script("upkeep.note"), (lease,), args, decode=int, writes=True)


def tally_parts(*, shard: ShardKeys, start: int, limit: int) -> Call[list[bytes]]:
    """LRANGE of what was kept of a count."""
    return Call("upkeep.tally_parts", "LRANGE", (shard.tally,), (start, start + limit - 1), decode=list)


def tally(*, shard: ShardKeys, lease: Key, lease_token: int, length: int, expires_ms: int, part: bytes) -> Call[bool]:
    """`upkeep/tally.lua`: False where somebody else has kept something."""
    args: tuple[Arg, ...] = (lease_token, length, expires_ms, part)
    return Call("upkeep.tally", load_script("upkeep.tally"), (lease, shard.tally), args, decode=bool, writes=True)


def acquire(*, lease: Key, now_override_ms: int | None, holder: str, ttl_ms: int) -> Call[tuple[int, int] | None]:
    """`upkeep/acquire.lua`: token and end, or None. Sent again by the same holder, it answers a newer token."""

    def decode(reply: list[Any] | None) -> tuple[int, int] | None:
        return None if reply is None else (int(reply[0]), int(reply[1]))

    args = (optional(now_override_ms), holder, ttl_ms, SHARD_LEASE_TTL_MS_MAX)
    return Call("upkeep.acquire", load_script("upkeep.acquire"), (lease,), args, decode=decode, writes=True)


def renew(*, lease: Key, now_override_ms: int | None, holder: str, token: int, ttl_ms: int) -> Call[int]:
    """`upkeep/renew.lua`: the new end."""
    args = (optional(now_override_ms), holder, token, ttl_ms)
    return Call("upkeep.renew", load_script("upkeep.renew"), (lease,), args, decode=int, writes=True)


def release(
    *,
    shard: ShardKeys,
    lease: Key,
    holder: str,
    now_override_ms: int | None,
    token: int,
    job: str,
    seen: Sequence[str],
) -> Call[bool]:
    """`upkeep/release.lua`: whether it was held."""
    args: tuple[Arg, ...] = (holder, optional(now_override_ms), token, job, *seen)
    keys = (lease, shard.totals)
    return Call("upkeep.release", load_script("upkeep.release"), keys, args, decode=bool, writes=True)


def archived(*, record: Key, lease: Key, lease_token: int, gen: str, revision: int) -> Call[bool]:
    """`upkeep/archived.lua`: False where the session was changed since."""
    args: tuple[Arg, ...] = (lease_token, gen, revision)
    script = load_script("upkeep.archived")
    return Call("upkeep.archived", script, (record, lease), args, decode=bool, writes=True)


def restore(
    *,
    session: SessionKeys,
    items: Key,
    order: Key,
    traces: Key,
    write: Write,
    part: str,
    room: str,
    rest: Sequence[Arg],
) -> Call[bool]:
    """`upkeep/restore.lua`."""
    keys = (*session.group, items, order, traces)
    args: tuple[Arg, ...] = (*write.args(session), part, room, *rest)
    script = load_script("upkeep.restore")
    return Call("upkeep.restore", script, keys, args, decode=lambda reply: reply[0] == b"1", writes=True)


def dictionaries_of(*, sealed: Key, first: int) -> Call[tuple[int, list[str]]]:
    """`upkeep/dictionaries_of.lua`: where to go on, and hashes."""
    script = load_script("upkeep.dictionaries_of")
    return Call(
        "upkeep.dictionaries_of",
        script,
        (sealed,),
        (first,),
        decode=lambda reply: (int(reply[0]), [name.hex() for name in reply[1:]]),
    )


def forget(*, shard: ShardKeys, lease: Key, lease_token: int, name: str, used: int) -> Call[bool]:
    """`upkeep/forget.lua`."""
    keys = (shard.dictionaries, shard.totals, lease)
    return Call(
        "upkeep.forget", load_script("upkeep.forget"), keys, (lease_token, name, used), decode=bool, writes=True
    )
