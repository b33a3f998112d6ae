"""Retention: transcripts lose their oldest messages beyond what the namespace, or the session itself, keeps.

The rule of this module: every session is asked, for any may have a retention of its own; what is cut where is decided
in the script, which parts no tool call from its result.
"""

from __future__ import annotations

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import LEASE_TTL_MS, Batches, Progress
from sessioncache.maintenance.report import Report
from sessioncache.retention import RetentionPolicy
from sessioncache.types import SessionId
from sessioncache.upkeep import ShardLease

__all__ = ["run"]

JOB = "prune"


async def run(
    cache: AsyncSessionCache,
    shard: int,
    *,
    limit: int,
    lease: ShardLease | None = None,
    lease_ttl_ms: int = LEASE_TTL_MS,
    progress: Progress | None = None,
) -> Report:
    """Trim the transcripts of a shard's sessions, at most `limit` of them.

    Raises:
        LeaseLost: somebody else has taken the shard over; what was trimmed stays trimmed.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), limit=limit, lease=lease, lease_ttl_ms=lease_ttl_ms, progress=progress)
    with batches.timed() as report:
        policy = await cache.retention.get()
        after = ""
        while batches.room:
            entries = await cache.upkeep.by_user(shard, after=after, limit=batches.room)
            if not entries:
                return report
            after = entries[-1][0]
            report.examined += len(entries)
            await _trim(cache, shard, batches, policy, [session_id for _entry, _user, session_id in entries])
        report.done = not await cache.upkeep.by_user(shard, after=after, limit=1)
        return report


async def _trim(
    cache: AsyncSessionCache, shard: int, batches: Batches, policy: RetentionPolicy, session_ids: list[SessionId]
) -> None:
    """Trim these sessions until none has more to trim; one call takes at most 500 messages off a session."""
    remaining = batches.own(session_ids, shard)
    trimmed_ids: set[SessionId] = set()
    while True:
        results = await cache.upkeep.trim(shard, remaining, policy, lease=batches.lease)
        again: list[SessionId] = []
        cutoffs: dict[SessionId, int] = {}
        for session_id, trimmed in batches.sound(remaining, results):
            batches.report.add("messages", trimmed.messages)
            batches.report.add("bytes", trimmed.bytes)
            if trimmed.messages:
                trimmed_ids.add(session_id)
            if trimmed.more:
                again.append(session_id)
            elif trimmed.cutoff_ms:
                cutoffs[session_id] = trimmed.cutoff_ms
        if cutoffs:
            shortened = await cache.upkeep.shorten(shard, cutoffs, lease=batches.lease)
            for session_id, trimmed in batches.sound(list(cutoffs), shortened):
                batches.report.add("messages", trimmed.messages)
                batches.report.add("bytes", trimmed.bytes)
                if trimmed.messages:
                    trimmed_ids.add(session_id)
        await batches.ended()
        if not again:
            break
        remaining = again
    batches.report.changed += len(trimmed_ids)
    batches.report.add("trimmed", len(trimmed_ids))
