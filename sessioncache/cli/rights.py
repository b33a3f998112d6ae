"""Whether a user may do what an agent, or a worker's queue, needs.

The rule of this module: rights are asked for (ACL DRYRUN), not tried, but for one script that only reads.
"""

from __future__ import annotations

import re
from typing import Final

from sessioncache.cli.findings import Finding, Level
from sessioncache.errors import AccessDenied, SessionCacheError
from sessioncache.namespaces import questions
from sessioncache.settings import Settings
from sessioncache.stats import lua as stats_lua
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.connect_async import connect
from sessioncache.transport.endpoint import parse_url
from sessioncache.wire.call import Arg
from sessioncache.wire.keys import Keyspace

__all__ = ["fence", "look_at_queue_rights", "look_at_rights"]

COMMANDS: Final[dict[str, tuple[Arg, ...]]] = {
    "client|setname": ("CLIENT", "SETNAME", "doctor"),
    "script|load": ("SCRIPT", "LOAD", "return 1"),
    "time": ("TIME",),
    "info": ("INFO",),
}
"""Commands without keys that every client needs. Those with keys are below."""

KEY_COMMANDS: Final[dict[str, tuple[Arg, ...]]] = {
    "exists": (),
    "unlink": (),
    "persist": (),
    "pexpire": ("1",),
    "pexpireat": ("1",),
    "hget": ("f",),
    "hmget": ("f",),
    "hgetall": (),
    "hkeys": (),
    "hset": ("f", "v"),
    "hdel": ("f",),
    "hincrby": ("f", "1"),
    "hexists": ("f",),
    "hlen": (),
    "hscan": ("0",),
    "hvals": (),
    "rpush": ("v",),
    "lpop": (),
    "lpos": ("v",),
    "lindex": ("0",),
    "lset": ("0", "v"),
    "lrem": ("0", "v"),
    "llen": (),
    "lrange": ("0", "1"),
    "ltrim": ("0", "1"),
    "zadd": ("1", "m"),
    "zrem": ("m",),
    "zscore": ("m",),
    "zcard": (),
    "zcount": ("0", "1"),
    "zrange": ("0", "1"),
    "zrangebyscore": ("0", "1"),
    "zrevrangebyscore": ("1", "0"),
    "zrangebylex": ("-", "+"),
    "zscan": ("0",),
    "xadd": ("*", "m", "v"),
    "xrange": ("-", "+"),
    "xrevrange": ("+", "-"),
    "xlen": (),
    "xtrim": ("MAXLEN", "1"),
    "xdel": ("1-1",),
}
"""Commands on a namespace's keys, with arguments for a dry run. All that scripts call: one that is missing stops a
script after some of its writes. `rename` and `xread`, which name their keys otherwise, are added below."""

KEY_DENIED: Final = re.compile("'([^']+)' key$")
"""How a dry run ends that finds the command allowed, but not on this key."""

CONFIG: Final = "config"
"""Not a command, but the look at the other key pattern of a namespace."""

QUEUE_COMMANDS: Final[dict[str, tuple[Arg, ...]]] = {
    "del": (),
    "exists": (),
    "expire": ("1",),
    "get": (),
    "incrby": ("1",),
    "pexpire": ("1",),
    "psetex": ("1", "v"),
    "set": ("v",),
    "watch": (),
    "zadd": ("1", "m"),
    "zcard": (),
    "zincrby": ("1", "m"),
    "zrange": ("0", "1"),
    "zrangebyscore": ("0", "1"),
    "zrem": ("m",),
    "zremrangebyscore": ("0", "1"),
    "zscore": ("m",),
}
"""What the workers' queue calls on its keys; a worker under the documented rule holds this list to the truth."""

QUEUE_KEYS: Final = ("arq:job:doctor", "sessioncache:queue:doctor")
CLUSTER_QUEUE_KEYS: Final = ("arq:job:{arq:abort}doctor", "{arq:abort}sessioncache:queue:doctor")


async def look_at_rights(transport: AsyncTransport, keys: Keyspace) -> Finding:
    """ACL DRYRUN of what a client needs; where that is not allowed, a script that reads is run instead."""
    shard = keys.shard(0)
    wanted: dict[str, tuple[Arg, ...]] = {
        **COMMANDS,
        **{name: (name, shard.totals, *rest) for name, rest in KEY_COMMANDS.items()},
        "rename": ("RENAME", shard.totals, shard.totals),
        "xread": ("XREAD", "STREAMS", shard.feed, "0"),
        "evalsha": ("EVALSHA", "0" * 40, 1, shard.totals),
        CONFIG: ("HMGET", keys.config, "f"),
    }
    user, refused, all_told = await _refused(transport, keys, wanted)
    if refused:
        # A command that is missing is told before a key that is out of reach.
        reached = {name: KEY_DENIED.search(answer) for name, answer in refused.items()}
        commands = [name for name, key in reached.items() if key is None and name != CONFIG]
        out_of_reach = [key[1] for key in reached.values() if key is not None]
        missing = [
            *([f"may not run {', '.join(commands)}"] if commands else []),
            *([f"may not use keys such as {out_of_reach[-1]}"] if out_of_reach else []),
        ]
        return Finding(
            "rights",
            Level.problem,
            f"user {user!r} {' and '.join(missing)}",
            " ".join([f"ACL SETUSER {user} {fence(keys)}", *(f"+{name}" for name in commands)]),
        )
    if all_told:
        return Finding("rights", Level.ok, f"user {user!r} may run all {len(wanted) - 1} commands that were tried")
    (tried,) = await transport.call_many(
        [stats_lua.read(shard=shard, now_override_ms=None, others=())], return_errors=True
    )
    if isinstance(tried, SessionCacheError):
        remedy = f"allow this user +evalsha +script|load and the keys {fence(keys)}"
        return Finding("rights", Level.problem, str(tried), remedy)
    return Finding(
        "rights",
        Level.ok,
        "a script runs on the keys of this namespace; other commands were not looked at, for ACL DRYRUN is not allowed",
        "to have each command looked at, allow +acl|whoami +acl|dryrun for this once",
    )


def fence(keys: Keyspace) -> str:
    """The patterns of this namespace's keys, and of none whose name begins alike."""
    return f"~sc:{{{keys.namespace}:* ~sc:{{{keys.namespace}}}*"


async def look_at_queue_rights(settings: Settings, keys: Keyspace, queue_url: str | None) -> Finding:
    """The same of the workers' queue, on its own server where it has one. Agents need none of this."""
    reached = settings.model_copy(update={"url": queue_url or settings.url})
    names = CLUSTER_QUEUE_KEYS if parse_url(reached).kind == "cluster" else QUEUE_KEYS
    wanted: dict[str, tuple[Arg, ...]] = {
        f"{name} {key}": (name, key, *rest) for name, rest in QUEUE_COMMANDS.items() for key in names
    } | {"multi": ("MULTI",), "exec": ("EXEC",), "unwatch": ("UNWATCH",)}
    transport = connect(reached)
    try:
        user, refused, all_told = await _refused(transport, keys, wanted)
    except SessionCacheError as error:
        return Finding("queue", Level.problem, str(error), "correct SESSIONCACHE_QUEUE_URL, or start that server")
    finally:
        await transport.aclose()
    if refused:
        commands = sorted({f"+{name.split()[0]}" for name in refused})
        patterns = " ".join(f"~{name.removesuffix('job:doctor').removesuffix('doctor')}*" for name in QUEUE_KEYS)
        return Finding(
            "queue",
            Level.problem,
            f"user {user!r} may not run {', '.join(refused)}, as workers do",
            f"ACL SETUSER {user} {patterns} ~{{arq:abort}}* {' '.join(commands)}",
        )
    if all_told:
        return Finding("queue", Level.ok, f"user {user!r} may run all {len(wanted)} commands of the workers' queue")
    return Finding(
        "queue",
        Level.warning,
        "not told: this user may not ask for its rights",
        "allow +acl|whoami +acl|dryrun to this user",
    )


async def _refused(
    transport: AsyncTransport, keys: Keyspace, wanted: dict[str, tuple[Arg, ...]]
) -> tuple[str, dict[str, str], bool]:
    """The user, what it may not do and how the server says so, and whether the server told of everything."""
    (user,) = await transport.call_many([questions.acl_user(config=keys.config)], return_errors=True)
    if isinstance(user, SessionCacheError) and not isinstance(user, AccessDenied):
        raise user
    if not isinstance(user, str):
        return "", {}, False
    answers = await transport.call_many(
        [questions.acl_dry_run(config=keys.config, user=user, command=line) for line in wanted.values()],
        return_errors=True,
    )
    told = [answer for answer in answers if isinstance(answer, str)]
    refused = {
        name: answer for name, answer in zip(wanted, answers, strict=True) if isinstance(answer, str) and answer != "OK"
    }
    return user, refused, len(told) == len(answers)
