"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.rooms.logs import RawLog
from sessioncache.usage.models import UsageAppended
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["append", "list_", "totals"]


def append(
    *,
    session: SessionKeys,
    usage: Key,
    usage_totals: Key,
    write: Write,
    user: str,
    create: bool,
    sums: Sequence[Arg],
    lines: Sequence[bytes],
) -> Call[UsageAppended]:
    """`usage/append.lua`."""

    def decode(reply: list[Any]) -> UsageAppended:
        repeated, stored, created, gen, revision, count, position = reply
        return UsageAppended(
            stored=int(stored) == 1,
            position=int(position),
            count=int(count),
            gen=gen.decode() or None,
            revision=int(revision),
            created=int(created) == 1,
            repeated=repeated == b"1",
        )

    return Call(
        "usage.append",
        load_script("usage.append"),
        (*session.group, usage, usage_totals),
        (*write.args(session), user, int(create), len(sums) // 2, *sums, *lines),
        decode=decode,
        writes=True,
        outcome=lambda answer: "repeated" if answer.repeated else ("appended" if answer.stored else "unknown"),
    )


def list_(
    *,
    session: SessionKeys,
    usage: Key,
    now_override_ms: int | None,
    start: int | None,
    stop: int | None,
    limit: int,
    newest: bool,
) -> Call[RawLog | None]:
    """`usage/list.lua`."""
    args = (session.escaped, optional(now_override_ms), optional(start), optional(stop), limit, int(newest))
    return Call(
        "usage.list",
        load_script("usage.list"),
        (*session.group, usage),
        args,
        decode=lambda reply: None if reply is None else RawLog.of(reply),
    )


def totals(
    *, session: SessionKeys, usage: Key, usage_totals: Key, now_override_ms: int | None
) -> Call[tuple[str, int, dict[str, int]] | None]:
    """`usage/totals.lua`."""

    def decode(reply: list[Any] | None) -> tuple[str, int, dict[str, int]] | None:
        if reply is None:
            return None
        gen, revision, *found = reply
        pairs = zip(found[::2], found[1::2], strict=True)
        return gen.decode(), int(revision), {name.decode(): int(number) for name, number in pairs}

    return Call(
        "usage.totals",
        load_script("usage.totals"),
        (*session.group, usage, usage_totals),
        (session.escaped, optional(now_override_ms)),
        decode=decode,
    )
