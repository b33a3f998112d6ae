"""Archiving: sessions that are about to expire are written to files before they are removed.

The rule of this module: a session is noted as archived only when its file is whole and where it is to be; `expire`
removes none that is not noted as it is. Whoever dies in between archives it twice, which is harmless; nothing is lost.

```
deadline − 10 min        deadline                          the server's own expiry
──┬─────────────────────────┬────────────────────────────────────┬──────────
  archived, noted with      expire removes it,                    where no worker ran at all,
  its revision              if that is its revision still         it goes unarchived
```

Where `expire` finds it unarchived, the server's own expiry is put off by a week.

It begins before the deadline, a tenth of the TTL and ten minutes at most, for a write that comes later than that
removes an overdue session at once.
"""

from __future__ import annotations

import asyncio
from typing import Final, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.maintenance.archive_files import ArchiveFile, PartCounts, head_line, part_line, tail_line
from sessioncache.maintenance.batch import BATCH, Batches, RunOptions
from sessioncache.maintenance.going_round import due_sessions
from sessioncache.maintenance.report import Report
from sessioncache.types import SessionId
from sessioncache.upkeep.models import ArchiveState

__all__ = ["run"]

JOB: Final = "archive"

AHEAD_MS: Final = 600_000
"""Longest time before the deadline."""

FILE_BYTES: Final = 67_108_864
"""A file ends behind so many bytes, before they are compressed, …"""

FILE_SESSIONS: Final = 500
"""… or so many sessions. Sessions of a file that is not finished are archived again."""


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """Write a shard's sessions that are about to expire to the archive, looking at `limit` of them at most.

    Does nothing where no archive is set (`SESSIONCACHE_ARCHIVE_URL`).

    Raises:
        ConfigurationError: the archive's URL cannot be used, or fsspec is missing.
        OSError: a file cannot be written; the sessions in it stay, and are archived again.
        LeaseLost: somebody else has taken the shard over; what was noted as archived stays so.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        if not cache.settings.archive_url:
            return report
        async for chosen in due_sessions(cache, shard, batches, size=BATCH, ahead_ms=AHEAD_MS):
            report.examined += len(chosen)
            await _Archiving(cache, shard, batches).work(chosen)
            await batches.ended()
        return report


class _Archiving:
    """One batch of sessions, and the file that it is written to."""

    def __init__(self, cache: AsyncSessionCache, shard: int, batches: Batches) -> None:
        self.cache = cache
        self.shard = shard
        self.batches = batches
        self.now_ms = 0
        self.file: ArchiveFile | None = None
        self.written: dict[SessionId, ArchiveState] = {}
        """Sessions in the file that is open."""

    async def work(self, session_ids: list[SessionId]) -> None:
        """Archive those of the sessions that are not, and are due or close to it."""
        upkeep, batches = self.cache.upkeep, self.batches
        self.now_ms = await upkeep.clock(self.shard)
        mine = batches.own(session_ids, self.shard)
        try:
            for session_id, state in batches.sound(mine, await upkeep.archive_states(mine)):
                if state is None or state.is_archived or not self._is_time(state):
                    continue
                if batches.dry_run:
                    batches.report.changed += 1
                    batches.report.add("archived")
                    continue
                await self._write(session_id, state)
                if self.file and (self.file.size >= FILE_BYTES or len(self.written) >= FILE_SESSIONS):
                    await self._finish()
            await self._finish()
        finally:
            if self.file is not None:
                await asyncio.to_thread(self.file.discard)

    def _is_time(self, state: ArchiveState) -> bool:
        ahead_ms = min(AHEAD_MS, state.ttl_ms // 10)
        return 0 < state.deadline_ms <= self.now_ms + ahead_ms

    async def _write(self, session_id: SessionId, state: ArchiveState) -> None:
        """Write one session. What somebody changed meanwhile, or is damaged, gets no last line: it does not count."""
        file = self.file
        if file is None:
            url, namespace = self.cache.settings.archive_url or "", self.cache.keys.namespace
            file = self.file = await asyncio.to_thread(ArchiveFile, url, namespace, self.shard, self.now_ms)
        lines = [head_line(session_id, self.cache.keys.namespace, state.gen, state.revision, self.now_ms)]
        count, counts = 0, PartCounts()
        try:
            async for part in self.cache.upkeep.contents(session_id):
                lines.append(part_line(part))
                count += 1
                counts.take(part)
                await asyncio.to_thread(_write_lines, file, lines)
                lines = []
        except DecodeError as error:
            self.batches.report.add("torn")
            self.batches.report.note(f"{session_id!r} cannot be archived: {error}")
            return
        [now] = await self.cache.upkeep.archive_states([session_id])
        if isinstance(now, SessionCacheError) or now is None or now.moment != state.moment:
            self.batches.report.add("kept")
            return
        torn = counts.torn()
        await asyncio.to_thread(_write_lines, file, [*lines, tail_line(session_id, state.revision, count, torn)])
        if torn:
            told = ", ".join(f"{was} {kind} where {there} are" for kind, (was, there) in torn.items())
            self.batches.report.add("torn")
            self.batches.report.note(
                f"{session_id!r} is torn and was archived as it is: its record counts {told}; what is missing "
                "may be in a backup"
            )
        self.written[session_id] = state

    async def _finish(self) -> None:
        """Close the file, and note what is in it."""
        if self.file is None:
            return
        await asyncio.to_thread(self.file.close)
        self.file = None
        written, self.written = self.written, {}
        noted = await self.cache.upkeep.archived(self.shard, written, lease=self.batches.lease)
        for _session_id, is_so in self.batches.sound(list(written), noted):
            self.batches.report.changed += is_so
            self.batches.report.add("archived" if is_so else "kept")


def _write_lines(file: ArchiveFile, lines: list[bytes]) -> None:
    for line in lines:
        file.write(line)
