"""The walk over the keys of every server: what the lists do not know, and what does not belong.

The rule of this module: it looks at names, and at types where nobody else does. What concerns a session is left to the
walk over its shard; what it finds wrong itself, it looks at again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sessioncache.audit.report import Problem
from sessioncache.audit.work import Work
from sessioncache.inspection.models import SHARD_KEYS
from sessioncache.wire.key_rules import FoundKey, judge_keys, misplaced, shard_in
from sessioncache.wire.keys import kind_of, record_of, unescape

__all__ = ["routes", "walk_keys"]

PAGE: Final = 1_000
SHARDS_ASKED: Final = 256
"""Of how many shards the servers are looked for; a cluster has fewer than these."""

RULES: Final = {"catalogue": "foreign", "type": "type", "place": "misplaced", "expiry": "expiry"}


async def routes(work: Work, shards: Collection[int]) -> list[int]:
    """A shard of each server that has some of these shards."""
    asked = list(shards)[:SHARDS_ASKED]
    found: dict[str, int] = {}
    for shard, server in zip(asked, await work.cache.inspection.servers(asked, "server"), strict=True):
        found.setdefault(server.get("run_id", ""), shard)
    return list(found.values())


async def walk_keys(work: Work, shards: Collection[int]) -> None:
    """Look at every key of these shards, and of the namespace itself."""
    keys = work.cache.keys
    whole = len(shards) == keys.shards
    only = next(iter(shards)) if len(shards) == 1 else None
    pattern = f"sc:{{{keys.namespace}[:}}]*" if only is None else f"{keys.shard(only).prefix}*"
    for route in await routes(work, shards):
        cursor = 0
        while True:
            cursor, names = await work.cache.inspection.keys(route, pattern, cursor=cursor, limit=PAGE)
            chosen = [name for name in names if shard_in(name) in shards or (whole and not _is_ours(work, name))]
            work.report.keys += len(chosen)
            await _judge_page(work, chosen)
            await work.ended(len(names) // 10)
            if cursor == 0:
                break


def _is_ours(work: Work, name: str) -> bool:
    """Whether the key's hash tag is that of a shard of the namespace."""
    shard = shard_in(name)
    return shard is not None and shard < work.cache.keys.shards


async def _judge_page(work: Work, names: Iterable[str]) -> None:
    """Sort out what is a session's; judge the others."""
    count = work.cache.keys.shards
    suspects: list[str] = []
    records: dict[int, list[str]] = {}
    for name in names:
        kind = kind_of(name)
        shard = shard_in(name)
        if kind is None or any(misplaced(name, count)):
            suspects.append(name)
        elif kind.expiry != "session":
            suspects.append(name)
            if kind.name == "lease" and shard is not None:
                work.leases.setdefault(shard, []).append(name)
        elif shard is not None:
            record = record_of(name) or name
            records.setdefault(shard, []).append(unescape(record.rpartition(":s:")[2]))
    await _judge_others(work, suspects)
    for shard, found in records.items():
        session_ids = list(dict.fromkeys(found))
        answers = await work.cache.inspection.listed(shard, session_ids)
        for session_id, is_listed in zip(session_ids, answers, strict=True):
            if is_listed is not True:
                work.remember(shard, session_id)


async def _judge_others(work: Work, names: list[str]) -> None:
    """Keys that are no session's, or not where they belong: types, expiries and places."""
    found = [
        FoundKey(seen.name, seen.type, seen.pttl_ms, seen.pttl_ms)
        for seen in (await work.cache.inspection.names(names) if names else [])
        if seen.type != "none"
    ]
    for problem in judge_keys(found, shards=work.cache.keys.shards):
        kind = kind_of(problem.key)
        if kind is not None and kind.expiry == "session" and problem.rule != "place":
            continue
        (again,) = await work.cache.inspection.names([problem.key])
        # A key may have been removed between the two looks; one that stays is what it was.
        if again.type == "none" and problem.rule != "expiry":
            continue
        # Those are judged with their shard.
        if kind is not None and kind.name in SHARD_KEYS and problem.rule != "place":
            continue
        work.report.add(Problem(RULES[problem.rule], str(problem)), shard=shard_in(problem.key))
