"""What a sessioncache client may do on a server that gives it no more than it needs.

The rule of this module: the one list of commands. A command that the product begins to use fails on the engine `acl`
until it is added here, and thereby in the documentation's ACL rule.
"""

from __future__ import annotations

USER = "sessioncache"
PASSWORD = "only-what-it-needs"
"""Of a throw-away server."""

NAMESPACE_PREFIX = "t"
"""Every test's namespace begins so; the user's key patterns end there."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "connection": (
        "ping",
        "select",
        "info",
        "time",
        "client|id",
        "client|setname",
        "client|setinfo",
        "client|tracking",
    ),
    "scripts": ("evalsha", "script|load", "script|exists"),
    "transactions": ("multi", "exec", "discard"),
    "keys": ("exists", "type", "del", "unlink", "pexpireat", "pexpire", "persist", "pttl", "rename", "copy"),
    "strings": ("get", "set", "incr", "incrby"),
    "hashes": ("hget", "hmget", "hgetall", "hset", "hsetnx", "hdel", "hincrby", "hexists", "hlen"),
    "lists": ("lpush", "rpush", "lrange", "ltrim", "llen", "lindex"),
    "sorted sets": (
        "zadd",
        "zrem",
        "zscore",
        "zcard",
        "zcount",
        "zrange",
        "zrangebyscore",
        "zrevrangebyscore",
        "zremrangebyscore",
    ),
    "streams": ("xadd", "xrange", "xrevrange", "xread", "xlen", "xtrim", "xdel", "xinfo|stream"),
    "sets": ("sadd", "srem", "smembers", "sismember", "scard"),
    "durability": ("wait",),
}
"""By what they are for. `info` reads maxmemory_policy, which decides whether a server is fit to hold sessions."""

CHANNELS: tuple[str, ...] = ("__redis__:invalidate",)
"""The near-cache hears here which keys have changed."""


def rule() -> str:
    """The ACL rule, as a server's configuration has it after the word "user"."""
    keys = f"~sc:{{{NAMESPACE_PREFIX}*"
    channels = " ".join(f"&{channel}" for channel in CHANNELS)
    commands = " ".join(f"+{command}" for group in COMMANDS.values() for command in group)
    return f"{USER} on >{PASSWORD} resetchannels {channels} {keys} {commands} +subscribe +unsubscribe"
