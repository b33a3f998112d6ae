"""Typed stubs of this folder's Lua files, and the questions that are asked of a server before it is used. No logic."""

from __future__ import annotations

from typing import Any

from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from sessioncache.wire.script import load_script

__all__ = ["info", "open_", "stored"]


def open_(*, config: Key, shards: int, schema: int, claim: bool) -> Call[tuple[int, int]]:
    """`namespaces/open.lua`."""

    def decode(reply: list[Any]) -> tuple[int, int]:
        return int(reply[0]), int(reply[1] or 0)

    args = (shards, schema, int(claim))
    return Call("namespaces.open", load_script("namespaces.open"), (config,), args, decode=decode, writes=True)


def stored(*, config: Key) -> Call[tuple[int, int] | None]:
    """HMGET of a namespace's shard count and schema; None where there is no such namespace."""

    def decode(reply: list[bytes | None]) -> tuple[int, int] | None:
        shards, schema = reply
        return None if shards is None else (int(shards), int(schema or 0))

    return Call("namespaces.stored", "HMGET", (config,), ("shards", "schema"), decode=decode)


def info(*, config: Key, section: str) -> Call[dict[str, str]]:
    """INFO of one section, from the server that has a key: that of the namespace's configuration, say."""

    def decode(reply: bytes) -> dict[str, str]:
        lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if ":" in line)
        return {name: value for name, _, value in lines}

    return Call("server.info", "INFO", (), (section,), decode=decode, routed_by=config)
