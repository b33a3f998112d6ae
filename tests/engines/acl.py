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
    "connection": ("ping", "select", "info", "client|setname", "client|setinfo"),
    "near-cache": ("client|tracking", "client|caching"),
    "cluster": ("cluster|slots", "asking"),
    "scripts": ("evalsha", "script|load", "time"),
    "keys": ("exists", "unlink", "rename", "persist", "pexpire", "pexpireat"),
    "hashes": ("hget", "hmget", "hgetall", "hkeys", "hset", "hdel", "hincrby", "hexists", "hlen", "hscan", "hvals"),
    "lists": ("rpush", "lpop", "lpos", "lindex", "lset", "lrem", "llen", "lrange", "ltrim"),
    "sorted sets": (
        "zadd",
        "zrem",
        "zscore",
        "zcard",
        "zcount",
        "zrange",
        "zrangebyscore",
        "zrevrangebyscore",
        "zrangebylex",
        "zscan",
    ),
    "streams": ("xadd", "xrange", "xrevrange", "xread", "xlen", "xtrim", "xdel"),
    "audits": ("type", "pttl", "pexpiretime"),
    "durability": ("wait",),
}
"""By what they are for. `info` reads maxmemory_policy, which decides whether a server is fit to hold sessions."""


def rule() -> str:
    """The ACL rule, as a server's configuration has it after the word "user"."""
    keys = f"~sc:{{{NAMESPACE_PREFIX}*"
    commands = " ".join(f"+{command}" for group in COMMANDS.values() for command in group)
    return f"{USER} on >{PASSWORD} resetchannels {keys} {commands}"
