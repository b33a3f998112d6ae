"""Retention: transcripts lose their oldest messages beyond what the namespace, or the session itself, keeps.

The rule of this module: every session is asked, for any may have a retention of its own; what is cut where is decided
in the script, which parts no tool call from its result.
"""

from __future__ import annotations

from typing import Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import Batches, RunOptions
from sessioncache.maintenance.report import Report
from sessioncache.retention import RetentionPolicy
from sessioncache.types import SessionId
from sessioncache.upkeep.models import Trimmed

__all__ = ["run"]

JOB = "prune"


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """Trim the transcripts of a shard's sessions, at most `limit` of them. A run that stopped is gone on with.

    Raises:
        LeaseLost: somebody else has taken the shard over; what was trimmed stays trimmed.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        policy = await cache.retention.get()
        begun = after = await batches.resumed()
        while batches.room:
            entries = await cache.upkeep.by_user(shard, after=after, limit=batches.room)
            if entries:
                report.examined += len(entries)
                await _Trimming(cache, shard, batches, policy).work([session_id for _, _, session_id in entries])
                after = entries[-1][0]
            if not entries or not await cache.upkeep.by_user(shard, after=after, limit=1):
                if begun or report.examined > len(entries):
                    await batches.reached("")
                return report
            await batches.reached(after)
        report.done = False
        return report


class _Trimming:
    """One batch of sessions."""

    def __init__(self, cache: AsyncSessionCache, shard: int, batches: Batches, policy: RetentionPolicy) -> None:
        self.cache = cache
        self.shard = shard
        self.batches = batches
        self.policy = policy
        self.trimmed: dict[SessionId, tuple[int, int]] = {}
        """Messages and bytes, by session."""

    async def work(self, session_ids: list[SessionId]) -> None:
        """Trim these sessions until none has more to trim; one call takes at most 500 messages off a session."""
        batches = self.batches
        remaining = list(dict.fromkeys(batches.own(session_ids, self.shard)))
        skip: dict[SessionId, tuple[int, int, int, int, str]] = {}
        while remaining:
            results = await self.cache.upkeep.trim(
                self.shard, remaining, self.policy, lease=batches.lease, dry_run=batches.dry_run, skip=skip
            )
            again: list[SessionId] = []
            partly_old: dict[SessionId, Trimmed] = {}
            for session_id, trimmed in batches.sound(remaining, results):
                self._take(session_id, trimmed)
                skip[session_id] = trimmed.skip
                if trimmed.more:
                    again.append(session_id)
                elif trimmed.cutoff_ms:
                    partly_old[session_id] = trimmed
            await self._shorten(partly_old)
            remaining = again
            if remaining:
                await batches.ended()
        self._report()
        await batches.ended()

    async def _shorten(self, partly_old: dict[SessionId, Trimmed]) -> None:
        """Make first chunks anew that hold messages which are too old, and others."""
        if not partly_old:
            return
        results = await self.cache.upkeep.shorten(
            self.shard,
            {session_id: trimmed.cutoff_ms for session_id, trimmed in partly_old.items()},
            lease=self.batches.lease,
            dry_run=self.batches.dry_run,
            first={session_id: trimmed.skip[0] for session_id, trimmed in partly_old.items()},
        )
        for session_id, trimmed in self.batches.sound(list(partly_old), results):
            messages, size = self.trimmed.get(session_id, (0, 0))
            self.trimmed[session_id] = (messages + trimmed.messages, size + trimmed.bytes)

    def _take(self, session_id: SessionId, trimmed: Trimmed) -> None:
        messages, size = self.trimmed.get(session_id, (0, 0))
        if not self.batches.dry_run:
            self.trimmed[session_id] = (messages + trimmed.messages, size + trimmed.bytes)
        elif trimmed.messages > messages:
            # A dry run says what would be gone by then.
            self.trimmed[session_id] = (trimmed.messages, trimmed.bytes)

    def _report(self) -> None:
        report = self.batches.report
        for messages, size in self.trimmed.values():
            report.changed += bool(messages)
            report.add("trimmed", int(bool(messages)))
            report.add("messages", messages)
            report.freed(size)
