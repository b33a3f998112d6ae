"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.rooms.logs import LogAppended, RawLog
from sessioncache.wire.call import Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["append", "list_"]


def append(
    *, session: SessionKeys, traces: Key, write: Write, user: str, payloads: Sequence[bytes]
) -> Call[LogAppended]:
    """`traces/append.lua`."""

    def decode(reply: list[Any]) -> LogAppended:
        repeated, created, gen, revision, count, position = reply
        return LogAppended(int(position), int(count), gen.decode(), int(revision), int(created) == 1, repeated == b"1")

    return Call(
        "traces.append",
        load_script("traces.append"),
        (*session.group, traces),
        (*write.args(session), user, *payloads),
        decode=decode,
        writes=True,
        outcome=lambda appended: "repeated" if appended.repeated else ("created" if appended.created else "appended"),
    )


def list_(
    *,
    session: SessionKeys,
    traces: Key,
    now_override_ms: int | None,
    start: int | None,
    stop: int | None,
    limit: int,
    newest: bool,
) -> Call[RawLog | None]:
    """`traces/list.lua`."""
    args = (session.escaped, optional(now_override_ms), optional(start), optional(stop), limit, int(newest))
    return Call(
        "traces.list",
        load_script("traces.list"),
        (*session.group, traces),
        args,
        decode=lambda reply: None if reply is None else RawLog.of(reply),
    )
