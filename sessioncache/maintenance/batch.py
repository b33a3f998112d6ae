"""The loop that every job shares: bounded batches, the lease renewed between them, an end at the limit.

The rule of this module: a job holds a shard for one batch at a time. Between two batches it may be stopped, and it
holds on to its lease; the fencing token in every script refuses whoever has lost it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from time import perf_counter
from typing import Final, NotRequired, TypeAlias, TypedDict, TypeVar
from weakref import WeakKeyDictionary

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import BackendError, ConfigurationError, LeaseError, ScriptFailure, SessionCacheError
from sessioncache.maintenance.pace import BATCH, Pace, next_pace
from sessioncache.maintenance.report import Report
from sessioncache.types import SessionId, check_limit
from sessioncache.upkeep import ShardLease
from sessioncache.wire.replies import whole_number

__all__ = ["BATCH", "LEASE_TTL_MS", "Batches", "Progress", "RunOptions", "chunks", "number_of", "pace_of"]

log = logging.getLogger("sessioncache.maintenance")

LEASE_TTL_MS: Final = 30_000
"""How long a lease is held without being renewed."""

LOG_EVERY_S: Final = 1.0
"""A line of a run's log tells of all batches since the one before it, but for a log of everything."""

Progress: TypeAlias = Callable[[Report], None]
"""Called after every batch with the report so far; it must be quick."""

T = TypeVar("T")


class RunOptions(TypedDict):
    """How one run of a job on a shard goes: what every job's `run` takes by name."""

    limit: int
    """Most sessions to examine; at least 1."""
    lease: NotRequired[ShardLease | None]
    """On the shard; None, as without it: nobody else is kept out, and nobody's work is refused."""
    lease_ttl_ms: NotRequired[int]
    """How long the lease is held without being renewed; `LEASE_TTL_MS` without it."""
    progress: NotRequired[Progress | None]
    """Called after every batch."""
    dry_run: NotRequired[bool]
    """Whether nothing is changed, and the report says what would be; False without it."""


class _Pacing:
    """What the runs of one process on one cache know of the server together."""

    def __init__(self) -> None:
        self.paces: dict[str, Pace] = {}
        """By job: what was learnt by one run, the next one begins with."""
        self.together = 0
        """Runs that are going on."""


_PACING: WeakKeyDictionary[AsyncSessionCache, _Pacing] = WeakKeyDictionary()


def pace_of(cache: AsyncSessionCache, job: str) -> Pace:
    """How a job goes about its batches in this process now."""
    return _pacing(cache).paces.get(job, Pace())


def _pacing(cache: AsyncSessionCache) -> _Pacing:
    return _PACING.setdefault(cache, _Pacing())


def chunks(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def number_of(noted: str) -> int:
    """A number that a job has noted; 0 where it has noted none, or that is damaged: so the job begins anew."""
    return whole_number(noted.encode()) or 0


class Batches:
    """One run of a job: its report, its limit and its lease."""

    def __init__(
        self,
        cache: AsyncSessionCache,
        report: Report,
        *,
        limit: int,
        lease: ShardLease | None = None,
        lease_ttl_ms: int = LEASE_TTL_MS,
        progress: Progress | None = None,
        paced: bool = True,
        dry_run: bool = False,
    ) -> None:
        """Describe a run, as `RunOptions` says; `paced` is False for what cannot make way for others."""
        self.report = report
        self.report.dry_run = dry_run
        self.dry_run = dry_run
        self.lease = lease
        self._cache = cache
        self._limit = check_limit(limit, what="limit", at_least=1)
        self._lease_ttl_ms = lease_ttl_ms
        self._progress = progress
        self._paced = paced
        self._seen = report.examined
        self._told = report.examined, report.changed
        self._told_at = -LOG_EVERY_S
        self._began = self._renewed = perf_counter()

    @contextmanager
    def timed(self) -> Iterator[Report]:
        """Note in the report how long the run took, also where it fails."""
        started = self._began = self._renewed = perf_counter()
        pacing = _pacing(self._cache)
        pacing.together += self._paced
        try:
            yield self.report
        finally:
            pacing.together -= self._paced
            self._log(is_last=True)
            self.report.duration_s = perf_counter() - started

    @property
    def room(self) -> int:
        """How many sessions the next batch may examine; 0: the limit is reached."""
        batch = pace_of(self._cache, self.report.job).batch if self._paced else BATCH
        return max(0, min(batch, self._limit - self.report.examined))

    async def ended(self) -> None:
        """After each batch: tell the progress and the log, make way for others, and hold on to the lease in time.

        Raises:
            LeaseLost: somebody else has taken the shard over.
        """
        report = self.report
        report.batches += 1
        sessions = report.examined - self._seen
        self._seen = report.examined
        self._log()
        if self._progress is not None:
            self._progress(report)
        if self._paced:
            await self._make_way(sessions)
        # Batches are many, and short.
        if perf_counter() - self._renewed > self._lease_ttl_ms / 10_000:
            await self.hold()
        self._began = perf_counter()

    def _log(self, *, is_last: bool = False) -> None:
        """Say what was done since the last line: of every batch to who wants to know all, else of a second."""
        report = self.report
        examined, changed = report.examined - self._told[0], report.changed - self._told[1]
        now, of_all = perf_counter(), log.isEnabledFor(logging.DEBUG) and not is_last
        if not of_all and not (changed and (is_last or now - self._told_at >= LOG_EVERY_S)):
            return
        self._told, self._told_at = (report.examined, report.changed), now
        fields = {"job": report.job, "namespace": self._cache.keys.namespace, "shard": report.shard}
        fields |= {"batch": report.batches, "examined": examined, "changed": changed}
        log.log(
            logging.INFO if changed else logging.DEBUG,
            "batch",
            extra={"fields": fields | ({"dry_run": True} if self.dry_run else {})},
        )

    async def hold(self) -> None:
        """Hold on to the lease: before what is done without a look at it, and after what took long.

        Raises:
            LeaseLost: somebody else has taken the shard over.
        """
        if self.lease is not None:
            self.lease = await self._cache.upkeep.renew(self.lease, ttl_ms=self._lease_ttl_ms)
            self._renewed = perf_counter()

    async def _make_way(self, sessions: int) -> None:
        pacing, job = _pacing(self._cache), self.report.job
        took_s = perf_counter() - self._began
        pace = next_pace(
            pacing.paces.get(job, Pace()), sessions=sessions, took_s=took_s, together=max(pacing.together, 1)
        )
        pacing.paces[job] = pace
        if pace.pause_s:
            await asyncio.sleep(pace.pause_s)

    async def resumed(self) -> str:
        """Where the run before stopped at its limit, or died; empty: a run begins at the front."""
        shard = self.report.shard
        if shard is None:
            return ""
        [cursor] = await self._cache.upkeep.noted(shard, self.report.job, ["cursor"])
        return cursor

    async def reached(self, cursor: str) -> None:
        """Keep where a run that is stopped now goes on; empty: at the front.

        Raises:
            LeaseLost: somebody else has taken the shard over.
        """
        if self.report.shard is not None and not self.dry_run:
            await self._cache.upkeep.note(self.report.shard, self.report.job, {"cursor": cursor}, lease=self.lease)

    def own(self, session_ids: Iterable[SessionId], shard: int) -> list[SessionId]:
        """Those of the ids that belong to the shard. Others were put in its lists by something else, and stay there."""
        mine: list[SessionId] = []
        for session_id in session_ids:
            if self._cache.keys.shard_of(session_id) == shard:
                mine.append(session_id)
            else:
                self.report.add("misplaced")
                self.report.note(f"{session_id!r} is listed in shard {shard}, where it does not belong")
        return mine

    def sound(
        self, session_ids: Sequence[SessionId], results: Sequence[T | SessionCacheError]
    ) -> Iterator[tuple[SessionId, T]]:
        """The results that are no errors. A session that cannot be read is noted and does not stop the others.

        Raises:
            LeaseLost: somebody else has taken the shard over.
            BackendError: the server is away, full or refuses.
        """
        for session_id, result in zip(session_ids, results, strict=True):
            if not isinstance(result, SessionCacheError):
                yield session_id, result
                continue
            stops_all = isinstance(result, BackendError | LeaseError | ConfigurationError)
            if stops_all and not isinstance(result, ScriptFailure):
                raise result
            self.report.add("torn")
            self.report.note(f"{session_id!r} is damaged: {result}")
