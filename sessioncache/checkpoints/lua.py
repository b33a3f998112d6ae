"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import ShardKeys, unescape
from sessioncache.wire.script import load_script

__all__ = ["find", "list_all"]


def find(
    *, shard: ShardKeys, now_override_ms: int | None, checkpoints: Sequence[str]
) -> Call[list[tuple[str, str, bytes]]]:
    """`checkpoints/find.lua`: checkpoint id, session id and payload of each."""

    def decode(reply: list[list[bytes]]) -> list[tuple[str, str, bytes]]:
        return [(checkpoint.decode(), unescape(member), payload) for checkpoint, member, payload in reply]

    args = (shard.record_prefix, optional(now_override_ms), *checkpoints)
    return Call("checkpoints.find", load_script("checkpoints.find"), (shard.links,), args, decode=decode)


def list_all(*, shard: ShardKeys, after: str, limit: int) -> Call[tuple[bool, list[bytes]]]:
    """`checkpoints/list_all.lua`: whether the shard has no more behind these, and the ids as UTF-8."""

    def decode(reply: list[Any]) -> tuple[bool, list[bytes]]:
        done, *found = reply
        return done == 1, found

    script = load_script("checkpoints.list_all")
    return Call("checkpoints.list_all", script, (shard.links,), (after, limit), decode=decode)
