"""Whether a user may do what an agent, or a worker's queue, needs.

The rule of this module: rights are asked for (ACL DRYRUN), not tried, but for one script that only reads.
"""

from __future__ import annotations

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

__all__ = ["look_at_queue_rights", "look_at_rights"]

COMMANDS: Final[dict[str, tuple[Arg, ...]]] = {
    "script|load": ("SCRIPT", "LOAD", "return 1"),
    "time": ("TIME",),
    "info": ("INFO",),
}
"""Commands without keys that every client needs. Those with keys are below."""

KEY_COMMANDS: Final[dict[str, tuple[Arg, ...]]] = {
    "hset": ("f", "v"),
    "hgetall": (),
    "hincrby": ("f", "1"),
    "hdel": ("f",),
    "xadd": ("*", "m", "v"),
    "xrange": ("-", "+"),
    "xtrim": ("MAXLEN", "1"),
    "xdel": ("1-1",),
    "zadd": ("1", "m"),
    "zrange": ("0", "1"),
    "zrem": ("m",),
    "rpush": ("v",),
    "lpop": (),
    "pexpireat": ("1",),
    "persist": (),
    "unlink": (),
}
"""Commands that the scripts call on a namespace's keys, with arguments for a dry run."""

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
        "evalsha": ("EVALSHA", "0" * 40, 1, shard.totals),
    }
    user, refused, all_told = await _refused(transport, keys, wanted)
    if refused:
        return Finding(
            "rights",
            Level.problem,
            f"user {user!r} may not run {', '.join(refused)} on the keys of this namespace",
            f"ACL SETUSER {user} ~sc:{{{keys.namespace}* {' '.join(f'+{name}' for name in refused)}",
        )
    if all_told:
        return Finding("rights", Level.ok, f"user {user!r} may run all {len(wanted)} commands that were tried")
    (tried,) = await transport.call_many(
        [stats_lua.read(shard=shard, now_override_ms=None, others=())], return_errors=True
    )
    if isinstance(tried, SessionCacheError):
        return Finding("rights", Level.problem, str(tried), "allow this user +evalsha +script|load and the keys ~sc:{*")
    return Finding("rights", Level.ok, "scripts run on the keys of this namespace (ACL DRYRUN is not allowed here)")


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
) -> tuple[str, list[str], bool]:
    """The user, what it may not do, and whether the server told of everything."""
    (user,) = await transport.call_many([questions.acl_user(config=keys.config)], return_errors=True)
    if isinstance(user, SessionCacheError) and not isinstance(user, AccessDenied):
        raise user
    if not isinstance(user, str):
        return "", [], False
    answers = await transport.call_many(
        [questions.acl_dry_run(config=keys.config, user=user, command=line) for line in wanted.values()],
        return_errors=True,
    )
    told = [answer for answer in answers if isinstance(answer, str)]
    refused = [name for name, answer in zip(wanted, answers, strict=True) if isinstance(answer, str) and answer != "OK"]
    return user, refused, len(told) == len(answers)
