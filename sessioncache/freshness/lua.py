"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessioncache.freshness.models import Registered
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys, ShardKeys, unescape
from sessioncache.wire.script import load_script

__all__ = ["Answered", "RawSource", "depend", "dependents", "entries", "invalidate", "register"]


@dataclass(frozen=True, slots=True)
class RawSource:
    """What a session says about an entry, as it is stored."""

    entry_id: str
    session_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """A shard's answer to some questions."""

    done: int
    """How many questions are answered whole."""
    last: str
    """The row behind which the next question goes on; empty: from its start."""
    items: list[tuple[int, RawSource]]
    """Which question, and what was found."""


def register(
    *, session: SessionKeys, sources: Key, write: Write, user: str, entry: str, path: str, given: Sequence[Arg]
) -> Call[Registered]:
    """`freshness/register.lua`."""

    def decode(reply: list[Any]) -> Registered:
        repeated, created, gen, revision, count = reply
        return Registered(int(created) == 1, gen.decode(), int(revision), int(count), repeated == b"1")

    return Call(
        "freshness.register",
        load_script("freshness.register"),
        (*session.group, sources),
        (*write.args(session), user, entry, path, *given),
        decode=decode,
        writes=True,
        outcome=lambda saved: "repeated" if saved.repeated else ("created" if saved.created else "saved"),
    )


def entries(*, shard: ShardKeys, now_override_ms: int | None, limit: int, bounds: Sequence[str]) -> Call[Answered]:
    """`freshness/entries.lua`."""

    def decode(reply: list[Any]) -> Answered:
        done, last, *items = reply
        found = [
            (int(question), RawSource(unescape(entry), unescape(session), value))
            for question, entry, session, value in items
        ]
        return Answered(int(done), last.decode(), found)

    args = (shard.record_prefix, optional(now_override_ms), limit, *bounds)
    return Call("freshness.entries", load_script("freshness.entries"), (shard.links,), args, decode=decode)


def invalidate(
    *, session: SessionKeys, sources: Key, write: Write, path: str, entries: Sequence[str]
) -> Call[list[str]]:
    """`freshness/invalidate.lua`: the entries that are stale now."""
    return Call(
        "freshness.invalidate",
        load_script("freshness.invalidate"),
        (*session.group, sources),
        (*write.args(session), path, *entries),
        decode=lambda reply: [unescape(entry) for entry in reply[1:]],
        writes=True,
    )


def depend(*, shard: ShardKeys, rows: Sequence[str]) -> Call[int]:
    """`freshness/depend.lua`: how many are new."""
    keys = (shard.dependents,)
    return Call("freshness.depend", load_script("freshness.depend"), keys, tuple(rows), decode=int, writes=True)


def dependents(*, shard: ShardKeys, start: str, stop: str, limit: int) -> Call[list[str]]:
    """`freshness/dependents.lua`."""
    return Call(
        "freshness.dependents",
        load_script("freshness.dependents"),
        (shard.dependents,),
        (start, stop, limit),
        decode=lambda reply: [row.decode() for row in reply],
    )
