"""Typed stubs of this folder's Lua files, and the plain commands of the policy: no logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.errors import DecodeError
from sessioncache.retention.models import RetentionPolicy, SessionRetention, SessionRetentionUpdated
from sessioncache.types import datetime_from_ms
from sessioncache.wire.call import Arg, Call, Write, optional
from sessioncache.wire.keys import Key, SessionKeys
from sessioncache.wire.script import load_script

__all__ = ["OWN_FIELDS", "get_own", "get_policy", "save_policy", "update"]

OWN_FIELDS = {
    "ttl_ms": "retain:ttl_ms",
    "keep_messages": "retain:messages",
    "keep_bytes": "retain:bytes",
    "keep_age_ms": "retain:age_ms",
}
"""Where a session's record holds what it says for itself."""


def get_policy(*, key: Key, prefix: str) -> Call[RetentionPolicy]:
    """HMGET of the policy's fields, from a shard's policy, or, with a prefix, from the namespace's configuration."""
    names = tuple(RetentionPolicy.model_fields)

    def decode(reply: list[Any]) -> RetentionPolicy:
        try:
            stored = {name: int(value) for name, value in zip(names, reply, strict=True) if value is not None}
            return RetentionPolicy.model_validate(stored)
        except ValueError as error:
            raise DecodeError(f"the retention policy in {key} is damaged, save one anew: {error}") from error

    return Call("retention.get", "HMGET", (key,), tuple(prefix + name for name in names), decode=decode)


def save_policy(*, key: Key, prefix: str, policy: RetentionPolicy) -> Call[int]:
    """HSET of the policy's fields; sending it again changes nothing."""
    pairs: list[Arg] = []
    for name, value in policy.model_dump().items():
        pairs += [prefix + name, int(value)]
    return Call("retention.save", "HSET", (key,), tuple(pairs), decode=int, writes=True)


def get_own(*, session: SessionKeys, now_override_ms: int | None) -> Call[SessionRetention]:
    """`retention/get_own.lua`."""

    def decode(reply: list[Any] | None) -> SessionRetention:
        values = [None] * len(OWN_FIELDS) if reply is None else reply
        return SessionRetention(*(None if value is None else int(value) for value in values))

    args = (session.escaped, optional(now_override_ms))
    return Call("retention.get_own", load_script("retention.get_own"), session.group, args, decode=decode)


def update(
    *, session: SessionKeys, write: Write, sets: Sequence[Arg], clears: Sequence[str]
) -> Call[SessionRetentionUpdated]:
    """`retention/update.lua`."""

    def decode(reply: list[Any]) -> SessionRetentionUpdated:
        repeated, _gen, revision, deadline_ms = reply
        deadline_at = datetime_from_ms(int(deadline_ms)) if int(deadline_ms) > 0 else None
        return SessionRetentionUpdated(int(revision), deadline_at, repeated == b"1")

    args = (*write.args(session), len(sets) // 2, *sets, *clears)
    return Call("retention.update", load_script("retention.update"), session.group, args, decode=decode, writes=True)
