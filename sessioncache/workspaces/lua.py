"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys, ShardKeys, unescape
from sessioncache.wire.script import load_script
from sessioncache.workspaces.models import MemberAdded, SessionRole

__all__ = ["RawMember", "add", "count", "found", "get", "list_", "of_session", "remove", "remove_metadata", "save"]


@dataclass(frozen=True, slots=True)
class RawMember:
    """A row of the links, and what the session says about it; an empty value: nobody sees it."""

    workspace_id: str
    session_id: str
    value: bytes


def save(*, workspace_list: Key, now_override_ms: int | None, workspace: str, given: Sequence[Arg]) -> Call[bool]:
    """`workspaces/save.lua`: whether the workspace is new."""
    return Call(
        "workspaces.save",
        load_script("workspaces.save"),
        (workspace_list,),
        (optional(now_override_ms), workspace, *given),
        decode=lambda reply: reply == 1,
        writes=True,
    )


def get(*, workspace_list: Key, workspace: str) -> Call[bytes | None]:
    """HGET of one workspace."""
    return Call("workspaces.get", "HGET", (workspace_list,), (workspace,), decode=lambda reply: reply)


def found(*, workspace_list: Key, cursor: int, limit: int) -> Call[tuple[int, dict[str, bytes]]]:
    """HSCAN of all workspaces: cursor to go on with (0 at the end), and values by id. Some may come twice."""

    def decode(reply: list[Any]) -> tuple[int, dict[str, bytes]]:
        following, pairs = reply
        flat = [part for pair in pairs.items() for part in pair] if isinstance(pairs, dict) else pairs
        return int(following), {unescape(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}

    return Call("workspaces.found", "HSCAN", (workspace_list,), (cursor, "COUNT", limit), decode=decode)


def count(*, workspace_list: Key) -> Call[int]:
    """HLEN of all workspaces."""
    return Call("workspaces.count", "HLEN", (workspace_list,), (), decode=int)


def remove_metadata(*, workspace_list: Key, workspace: str) -> Call[bool]:
    """HDEL of one workspace."""
    args = (workspace,)
    return Call("workspaces.delete", "HDEL", (workspace_list,), args, decode=lambda reply: reply == 1, writes=True)


def add(
    *,
    session: SessionKeys,
    workspaces: Key,
    write: Write,
    user: str,
    workspace: str,
    role: str,
    keep_role: bool,
) -> Call[MemberAdded]:
    """`workspaces/add.lua`."""

    def decode(reply: list[Any]) -> MemberAdded:
        repeated, created, _gen, revision, added, now_has = reply
        return MemberAdded(
            int(created) == 1,
            int(added) == 1,
            SessionRole.read(now_has.decode()),
            int(revision),
            repeated == b"1",
        )

    return Call(
        "workspaces.add",
        load_script("workspaces.add"),
        (*session.group, workspaces),
        (*write.args(session), user, workspace, role, int(keep_role)),
        decode=decode,
        writes=True,
    )


def remove(*, session: SessionKeys, workspaces: Key, write: Write, workspace: str) -> Call[SessionRole | None]:
    """`workspaces/remove.lua`: the role that the session had."""

    def decode(reply: list[Any]) -> SessionRole | None:
        role = reply[1].decode()
        return SessionRole.read(role) if role else None

    return Call(
        "workspaces.remove",
        load_script("workspaces.remove"),
        (*session.group, workspaces),
        (*write.args(session), workspace),
        decode=decode,
        writes=True,
    )


def list_(
    *, shard: ShardKeys, now_override_ms: int | None, start: str, stop: str, limit: int
) -> Call[tuple[str, list[RawMember]]]:
    """`workspaces/list.lua`: the row to go on behind (empty at the end), and members."""

    def decode(reply: list[Any]) -> tuple[str, list[RawMember]]:
        last, *items = reply
        members = [RawMember(unescape(workspace), unescape(session), value) for workspace, session, value in items]
        return last.decode(), members

    args = (shard.record_prefix, optional(now_override_ms), start, stop, limit)
    return Call("workspaces.list", load_script("workspaces.list"), (shard.links,), args, decode=decode)


def of_session(*, session: SessionKeys, workspaces: Key, now_override_ms: int | None) -> Call[dict[str, bytes]]:
    """`workspaces/of_session.lua`: what is stored of each membership, by workspace."""

    def decode(reply: list[bytes]) -> dict[str, bytes]:
        return {unescape(name): value for name, value in zip(reply[::2], reply[1::2], strict=True)}

    return Call(
        "workspaces.of_session",
        load_script("workspaces.of_session"),
        (*session.group, workspaces),
        (session.escaped, optional(now_override_ms)),
        decode=decode,
    )
