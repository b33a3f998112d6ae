"""Typed stubs of this folder's Lua files, and the questions that are asked of a server before it is used. No logic."""

from __future__ import annotations

from typing import Any

from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from sessioncache.wire.script import load_script

__all__ = ["info", "open_"]


def open_(*, config: Key, shards: int, schema: int) -> Call[dict[str, str]]:
    """`namespaces/open.lua`."""

    def decode(reply: list[Any]) -> dict[str, str]:
        names = (part.decode() for part in reply[::2])
        return dict(zip(names, (part.decode() for part in reply[1::2]), strict=True))

    return Call(
        "namespaces.open", load_script("namespaces.open"), (config,), (shards, schema), decode=decode, writes=True
    )


def info(*, config: Key, section: str) -> Call[dict[str, str]]:
    """INFO of one section, from the server that has a key: that of the namespace's configuration, say."""

    def decode(reply: bytes) -> dict[str, str]:
        lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if ":" in line)
        return {name: value for name, _, value in lines}

    return Call("server.info", "INFO", (), (section,), decode=decode, routed_by=config)
