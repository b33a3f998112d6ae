"""The questions that `sessioncache doctor` asks of server, namespace and workers.

The rule of this module: it asks below retries and below the opening of the namespace, so that it sees what is there,
also where a cache would refuse to work.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from http.client import HTTPException
from itertools import islice
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from sessioncache.cli.findings import (
    Check,
    Finding,
    Level,
    judge_clock,
    judge_eviction,
    judge_memory,
    judge_persistence,
    judge_replicas,
    judge_version,
)
from sessioncache.cli.output import hide_password
from sessioncache.cli.rights import fence, look_at_queue_rights, look_at_rights
from sessioncache.cli.trial import try_session
from sessioncache.errors import AccessDenied, ConfigurationError, SessionCacheError
from sessioncache.namespaces import lua, questions
from sessioncache.namespaces._async import SCHEMA
from sessioncache.namespaces.server import ServerFacts
from sessioncache.settings import Settings
from sessioncache.stats import lua as stats_lua
from sessioncache.stats.models import ShardStats
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.connect_async import connect
from sessioncache.wire.keys import Key, Keyspace

__all__ = ["examine"]

LAG_WARNING_MS: Final = 300_000
SHARDS_ASKED: Final = 256
"""Of how many shards the servers are looked for; a cluster has fewer than these."""

JOBS: Final = ("expire", "prune", "reconcile")
HEALTH_URL: Final = "http://127.0.0.1:9464"
"""Where a worker of this machine listens, unless it was told otherwise."""

SERVER_CHECKS: Final = frozenset({Check.version, Check.eviction, Check.persistence, Check.memory, Check.replicas})
SECTIONS: Final = ("server", "memory", "persistence", "replication")


async def examine(
    settings: Settings, health_url: str | None, wanted: frozenset[Check], queue_url: str | None = None
) -> list[Finding]:
    """What was asked for, in the order in which it is worth fixing; in any case, that the server cannot be reached."""
    keys = Keyspace(settings.namespace, settings.shards)
    transport = connect(settings)
    try:
        reached, findings = await _reach(transport, keys, settings)
        if reached:
            findings += await _reached(transport, keys, settings, wanted, queue_url)
        if Check.workers in wanted:
            findings.append(await _workers(transport, keys, health_url, reached=reached))
    finally:
        await transport.aclose()
    # A check that was not asked for may have come along with one that was.
    return [finding for finding in findings if finding.check in wanted or (finding.check == "server" and not reached)]


async def _reached(
    transport: AsyncTransport, keys: Keyspace, settings: Settings, wanted: frozenset[Check], queue_url: str | None
) -> list[Finding]:
    findings: list[Finding] = []
    if wanted & SERVER_CHECKS:
        findings += await _server(transport, keys)
    if Check.rights in wanted:
        findings.append(await look_at_rights(transport, keys))
    if wanted & {Check.shards, Check.schema}:
        findings += await _namespace(transport, keys)
    if Check.clock in wanted:
        findings.append(await _clock(transport, keys))
    if Check.queue in wanted:
        findings.append(await look_at_queue_rights(settings, keys, queue_url))
    if Check.session in wanted:
        findings.append(await try_session(settings))
    return findings


async def _reach(transport: AsyncTransport, keys: Keyspace, settings: Settings) -> tuple[bool, list[Finding]]:
    started = time.perf_counter()
    url = hide_password(settings.url)
    try:
        await transport.call(questions.namespace_config(config=keys.config))
    except AccessDenied as error:
        return False, [
            Finding(
                "server",
                Level.problem,
                str(error),
                f"give user and password in the URL, or allow this user the keys {fence(keys)}",
            )
        ]
    except SessionCacheError as error:
        return False, [
            Finding(
                "server",
                Level.problem,
                f"{url} cannot be reached: {error}",
                "start it (`sessioncache up` starts one), or say where it is with --url or SESSIONCACHE_URL",
            )
        ]
    spent_ms = (time.perf_counter() - started) * 1000
    return True, [Finding("server", Level.ok, f"{url} answers (connected and asked in {spent_ms:.1f} ms)")]


async def _server(transport: AsyncTransport, keys: Keyspace) -> list[Finding]:
    """The server, or every server of a cluster that has shards of the namespace: for each check the worst."""
    shards = list(islice(keys, SHARDS_ASKED))
    answers = await transport.call_many(
        [lua.info(config=shard.totals, section="server") for shard in shards], return_errors=True
    )
    routes: dict[str, Key] = {}
    for shard, answer in zip(shards, answers, strict=True):
        name = "" if isinstance(answer, SessionCacheError) else answer.get("run_id", "")
        routes.setdefault(name, shard.totals)
    found = [await _one_server(transport, route) for route in routes.values()]
    worst = [max(same, key=lambda finding: list(Level).index(finding.level)) for same in zip(*found, strict=True)]
    if len(found) == 1:
        return worst
    return [replace(finding, text=f"{finding.text} ({len(found)} servers were asked)") for finding in worst]


async def _one_server(transport: AsyncTransport, route: Key) -> list[Finding]:
    answers = await transport.call_many(
        [lua.info(config=route, section=section) for section in SECTIONS], return_errors=True
    )
    server, memory, persistence, replication = (
        {} if isinstance(answer, SessionCacheError) else answer for answer in answers
    )
    facts = ServerFacts.of(server, memory)
    return [
        judge_version(facts),
        judge_eviction(facts),
        judge_persistence(persistence),
        judge_memory(facts),
        judge_replicas(replication),
    ]


async def _ask(transport: AsyncTransport, call: Any) -> Any:  # noqa: ANN401 - any call, any answer
    (answer,) = await transport.call_many([call], return_errors=True)
    return answer


async def _namespace(transport: AsyncTransport, keys: Keyspace) -> list[Finding]:
    stored = await transport.call(questions.namespace_config(config=keys.config))
    if "shards" not in stored:
        text = f"namespace {keys.namespace!r} is new: the first use makes it with {keys.shards} shards"
        return [Finding("shards", Level.ok, text), Finding("schema", Level.ok, f"{SCHEMA}, once it is made")]
    findings: list[Finding] = []
    if stored["shards"] == str(keys.shards):
        findings.append(Finding("shards", Level.ok, f"{keys.shards}, as the namespace was made with"))
    else:
        findings.append(
            Finding(
                "shards",
                Level.problem,
                f"the namespace was made with {stored['shards']} shards, the settings say {keys.shards}",
                f"give --shards {stored['shards']} or set SESSIONCACHE_SHARDS={stored['shards']}",
            )
        )
    schema = int(stored.get("schema", SCHEMA))
    if schema > SCHEMA:
        text = f"the namespace has schema {schema}, this release knows {SCHEMA}"
        findings.append(Finding("schema", Level.problem, text, "upgrade sessioncache here"))
    else:
        findings.append(Finding("schema", Level.ok, f"{schema}"))
    return findings


async def _clock(transport: AsyncTransport, keys: Keyspace) -> Finding:
    before = time.time()
    answer = await _ask(transport, questions.now(config=keys.config))
    after = time.time()
    if isinstance(answer, SessionCacheError):
        return Finding("clock", Level.warning, "not told: this user may not run TIME", "allow +time to this user")
    # The server looked at its clock somewhere between our two looks; what lies outside of them is a real difference.
    difference = answer - after if answer > after else min(answer - before, 0.0)
    return judge_clock(difference)


async def _workers(transport: AsyncTransport, keys: Keyspace, health_url: str | None, *, reached: bool) -> Finding:
    if health_url is not None:
        trouble = await asyncio.to_thread(_trouble_at, health_url)
        if trouble is None:
            return Finding("workers", Level.ok, f"{health_url} says that it is ready")
        return Finding("workers", Level.problem, trouble, "start the worker, or correct --health-url")
    if not reached:
        return Finding("workers", Level.warning, "not looked at: the server cannot be reached")
    return await _traces(transport, keys)


async def _traces(transport: AsyncTransport, keys: Keyspace) -> Finding:
    """What the namespace itself tells of workers: leases that were taken, sessions that wait."""
    answers = await transport.call_many(
        [stats_lua.read(shard=shard, now_override_ms=None, others=()) for shard in keys], return_errors=True
    )
    shards = [answer for answer in answers if isinstance(answer, ShardStats)]
    lag_ms = max((s.now_ms - s.oldest_due_ms for s in shards if 0 < s.oldest_due_ms <= s.now_ms), default=0)
    waiting = f"{sum(shard.overdue for shard in shards)} sessions wait to be swept"
    taken, holders = await _leases(transport, keys)
    seen = f"leases on shards were taken {taken} times" if taken else "no worker has left a trace"
    if holders:
        seen += f", now or last by {', '.join(sorted(holders)[:3])}"
    if lag_ms > LAG_WARNING_MS:
        return Finding(
            "workers",
            Level.problem,
            f"{waiting}, the oldest for {lag_ms // 1000} s; {seen}",
            "start workers: `sessioncache up`, or `python -m sessioncache_workers`",
        )
    if taken:
        return Finding("workers", Level.ok, f"{seen}; {waiting}")
    if await asyncio.to_thread(_trouble_at, HEALTH_URL) is None:
        return Finding(
            "workers",
            Level.ok,
            f"one at {HEALTH_URL} says that it is ready, but none has worked in this namespace yet; {waiting}",
            "if that lasts for minutes: does its SESSIONCACHE_NAMESPACES name this one?",
        )
    return Finding(
        "workers",
        Level.warning,
        f"{seen}; {waiting}",
        "start workers (`sessioncache up`), or give --health-url of one that runs",
    )


async def _leases(transport: AsyncTransport, keys: Keyspace) -> tuple[int, set[str]]:
    """How often leases for background work were taken, and by whom last."""
    answers = await transport.call_many(
        [questions.lease_seen(lease=shard.lease(job)) for shard in keys for job in JOBS], return_errors=True
    )
    seen = [answer for answer in answers if isinstance(answer, tuple)]
    return sum(token for _, token in seen), {holder for holder, _ in seen if holder}


def _trouble_at(health_url: str) -> str | None:
    """Why a worker is not ready; None: it is."""
    if urlsplit(health_url).scheme not in {"http", "https"}:
        raise ConfigurationError(f"--health-url {health_url!r} is no http:// or https:// address")
    target = f"{health_url.rstrip('/').removesuffix('/readyz')}/readyz"
    try:
        with urlopen(target, timeout=3):  # noqa: S310 - the scheme was checked above
            return None
    except (URLError, OSError, ValueError, HTTPException) as error:
        return f"{target}: {error}"
