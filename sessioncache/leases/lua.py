"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from typing import Any

from sessioncache.wire.call import Call, optional
from sessioncache.wire.keys import LEASE_TTL_MS_MAX, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["acquire", "release", "renew"]


def acquire(*, session: SessionKeys, now_override_ms: int | None, holder: str, ttl_ms: int) -> Call[tuple[int, int]]:
    """`leases/acquire.lua`: token and end; token 0: somebody else holds it until then.

    Sent again by the same holder, it answers a newer token.
    """

    def decode(reply: list[Any]) -> tuple[int, int]:
        return int(reply[0]), int(reply[1])

    keys = (session.record, session.tombstone, session.lease)
    args = (optional(now_override_ms), holder, ttl_ms, LEASE_TTL_MS_MAX)
    return Call("leases.acquire", load_script("leases.acquire"), keys, args, decode=decode, writes=True)


def renew(*, session: SessionKeys, now_override_ms: int | None, holder: str, token: int, ttl_ms: int) -> Call[int]:
    """`leases/renew.lua`: the new end."""
    args = (optional(now_override_ms), holder, token, ttl_ms)
    return Call("leases.renew", load_script("leases.renew"), (session.lease,), args, decode=int, writes=True)


def release(*, session: SessionKeys, holder: str, token: int) -> Call[bool]:
    """`leases/release.lua`: whether it was held."""
    script = load_script("leases.release")
    return Call("leases.release", script, (session.lease,), (holder, token), decode=bool, writes=True)
