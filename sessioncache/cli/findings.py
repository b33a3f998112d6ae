"""What an examination finds, and the judgements that need no server.

The rule of this module: facts in, findings out; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sessioncache.errors import ConfigurationError
from sessioncache.namespaces.server import ServerFacts, advice_on_eviction, refuse_old_server

__all__ = [
    "Check",
    "Finding",
    "Level",
    "judge_clock",
    "judge_eviction",
    "judge_memory",
    "judge_persistence",
    "judge_replicas",
    "judge_version",
]

CLOCK_WARNING_S: Final = 2.0
CLOCK_PROBLEM_S: Final = 60.0
MEMORY_WARNING: Final = 0.8
MEMORY_PROBLEM: Final = 0.95


class Check(StrEnum):
    """What is looked at, in the order in which it is worth fixing."""

    server = "server"
    version = "version"
    eviction = "eviction"
    persistence = "persistence"
    memory = "memory"
    replicas = "replicas"
    rights = "rights"
    shards = "shards"
    schema = "schema"
    clock = "clock"
    queue = "queue"
    session = "session"
    workers = "workers"


class Level(StrEnum):
    """How bad it is."""

    ok = "ok"
    warning = "warning"
    problem = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    check: str
    level: Level
    text: str
    remedy: str | None = None


def judge_version(facts: ServerFacts) -> Finding:
    """Is the server new enough?"""
    if facts.version is None:
        return Finding("version", Level.warning, "not told: this user may not run INFO", "allow +info to this user")
    try:
        refuse_old_server(facts)
    except ConfigurationError as error:
        return Finding("version", Level.problem, str(error), "upgrade to Redis 7.0 or newer, or Valkey 7.2 or newer")
    return Finding("version", Level.ok, f"{facts.product} {facts.version}")


def judge_eviction(facts: ServerFacts) -> Finding:
    """Does the server keep what it was given?"""
    if facts.eviction_policy is None:
        return Finding("eviction", Level.warning, "not told: this user may not run INFO", "allow +info to this user")
    advice = advice_on_eviction(facts)
    if advice is None:
        return Finding("eviction", Level.ok, f"maxmemory-policy is {facts.eviction_policy}")
    return Finding(
        "eviction", Level.problem, advice, "CONFIG SET maxmemory-policy noeviction, and in its configuration"
    )


def judge_memory(facts: ServerFacts) -> Finding:
    """Is there room left?"""
    if facts.memory_used is None:
        return Finding("memory", Level.warning, "not told: this user may not run INFO", "allow +info to this user")
    used = f"{facts.memory_used / 1_048_576:.1f} MiB used"
    if not facts.memory_max:
        return Finding(
            "memory",
            Level.ok,
            f"{used}, no limit set (maxmemory 0)",
            "a limit makes the server refuse writes instead of being killed by the system; set maxmemory in production",
        )
    share = facts.memory_used / facts.memory_max
    text = f"{used} of {facts.memory_max / 1_048_576:.1f} MiB ({share:.0%})"
    level = Level.problem if share > MEMORY_PROBLEM else Level.warning if share > MEMORY_WARNING else Level.ok
    remedy = None if level is Level.ok else "raise maxmemory, shorten the retention, or add servers"
    return Finding("memory", level, text, remedy)


def judge_persistence(info: Mapping[str, str]) -> Finding:
    """Does it survive a restart?"""
    if not info:
        return Finding("persistence", Level.warning, "not told: this user may not run INFO", "allow +info to this user")
    if info.get("aof_enabled") == "1":
        if info.get("aof_last_write_status", "ok") != "ok":
            return Finding(
                "persistence",
                Level.problem,
                "the append-only file cannot be written",
                "look at the server's log; usually the disk is full",
            )
        return Finding("persistence", Level.ok, "append-only file is on")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        return Finding("persistence", Level.problem, "the last snapshot failed", "look at the server's log")
    return Finding(
        "persistence",
        Level.warning,
        "no append-only file: a crash loses what was written since the last snapshot, if there are any",
        "CONFIG SET appendonly yes, and in its configuration",
    )


def judge_replicas(info: Mapping[str, str]) -> Finding:
    """Does another server have the data?"""
    if not info:
        return Finding("replicas", Level.warning, "not told: this user may not run INFO", "allow +info to this user")
    if info.get("role") not in {None, "master"}:
        return Finding(
            "replicas", Level.problem, "this server is a replica and takes no writes", "give the URL of the primary"
        )
    count = int(info.get("connected_slaves", "0"))
    if count == 0:
        return Finding(
            "replicas", Level.ok, "none", "with a replica and Sentinel or a cluster, the store survives a lost machine"
        )
    return Finding("replicas", Level.ok, f'{count} connected; durability="replicated" waits for them')


def judge_clock(difference_s: float) -> Finding:
    """Do server and this machine agree on the time?"""
    text = (
        f"the server's clock is {abs(difference_s):.3f} s {'ahead of' if difference_s > 0 else 'behind'} this machine's"
    )
    if abs(difference_s) > CLOCK_WARNING_S:
        level = Level.problem if abs(difference_s) > CLOCK_PROBLEM_S else Level.warning
        return Finding("clock", level, text, "let NTP set both clocks; deadlines follow the server's")
    return Finding("clock", Level.ok, text)
