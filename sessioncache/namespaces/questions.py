"""Plain commands that ask a server about itself and about single keys. No logic.

The rule of this module: they change nothing, and each goes to the server that has the key it is routed by. Who is
missing a right, or runs a server without the command, gets the error in the answer's place (`return_errors`).
"""

from __future__ import annotations

from sessioncache.wire.call import Arg, Call
from sessioncache.wire.keys import Key
from sessioncache.wire.replies import flat

__all__ = [
    "acl_dry_run",
    "acl_user",
    "key_memory",
    "key_ttl_ms",
    "key_type",
    "lease_seen",
    "namespace_config",
    "now",
]


def acl_user(*, config: Key) -> Call[str]:
    """ACL WHOAMI: the user of this connection."""
    return Call("server.acl_user", "ACL", (), ("WHOAMI",), decode=lambda reply: str(reply.decode()), routed_by=config)


def acl_dry_run(*, config: Key, user: str, command: tuple[Arg, ...]) -> Call[str]:
    """ACL DRYRUN: `OK`, or why the user may not run the command."""
    return Call(
        "server.acl_dry_run",
        "ACL",
        (),
        ("DRYRUN", user, *command),
        decode=lambda reply: str(reply.decode()),
        routed_by=config,
    )


def now(*, config: Key) -> Call[float]:
    """TIME: the server's clock, in seconds since 1970."""
    return Call(
        "server.time", "TIME", (), (), decode=lambda reply: int(reply[0]) + int(reply[1]) / 1e6, routed_by=config
    )


def namespace_config(*, config: Key) -> Call[dict[str, str]]:
    """What is stored about a namespace: shards, schema and retention policy; empty where it was never opened."""

    def decode(reply: list[bytes]) -> dict[str, str]:
        told = [part.decode("utf-8", "replace") for part in flat(reply)]
        return dict(zip(told[::2], told[1::2], strict=True))

    return Call("namespaces.get", "HGETALL", (config,), (), decode=decode)


def lease_seen(*, lease: Key) -> Call[tuple[str, int]]:
    """Who has or last had a lease, and how often it was taken; empty and 0 where it never was."""

    def decode(reply: list[bytes | None]) -> tuple[str, int]:
        holder, token = reply
        return (holder or b"").decode("utf-8", "replace"), int(token or 0)

    return Call("upkeep.lease_seen", "HMGET", (lease,), ("holder", "token"), decode=decode)


def key_type(*, key: Key) -> Call[str]:
    """TYPE: `none` where there is no such key."""
    return Call("server.key_type", "TYPE", (key,), (), decode=lambda reply: str(reply.decode()))


def key_ttl_ms(*, key: Key) -> Call[int]:
    """PTTL: -1 where it does not expire, -2 where there is no such key."""
    return Call("server.key_ttl", "PTTL", (key,), (), decode=int)


def key_memory(*, key: Key) -> Call[int | None]:
    """MEMORY USAGE of a key in bytes, measured over all of it; None where there is no such key."""
    return Call(
        "server.key_memory",
        "MEMORY",
        (),
        ("USAGE", key, "SAMPLES", 0),
        decode=lambda reply: None if reply is None else int(reply),
        routed_by=key,
    )
