"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from typing import Any

from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import Key
from sessioncache.wire.script import load_script

__all__ = ["acquire", "release", "renew"]


def acquire(*, lease: Key, now_override_ms: int | None, holder: str, ttl_ms: int) -> Call[tuple[int, int] | None]:
    """`leases/acquire.lua`: token and end, or None. Sent again by the same holder, it answers a newer token."""

    def decode(reply: list[Any] | None) -> tuple[int, int] | None:
        return None if reply is None else (int(reply[0]), int(reply[1]))

    args = (optional(now_override_ms), holder, ttl_ms)
    return Call("leases.acquire", load_script("leases.acquire"), (lease,), args, decode=decode, writes=True)


def renew(*, lease: Key, now_override_ms: int | None, holder: str, token: int, ttl_ms: int) -> Call[int]:
    """`leases/renew.lua`: the new end."""
    args = (optional(now_override_ms), holder, token, ttl_ms)
    return Call("leases.renew", load_script("leases.renew"), (lease,), args, decode=int, writes=True)


def release(*, lease: Key, holder: str, token: int) -> Call[bool]:
    """`leases/release.lua`: whether it was held."""
    script = load_script("leases.release")
    return Call("leases.release", script, (lease,), (holder, token), decode=bool, writes=True)
