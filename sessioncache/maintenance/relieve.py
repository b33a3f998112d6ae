"""Relief: where a server's memory is above the high mark, whole sessions go, the oldest first, down to the low one.

The rule of this module: it is for the emergency, so it works on a server that refuses every write: it writes nothing
before it has freed something. It looks at the server anew after each batch, and takes no more than is needed.

```
 memory of one server                      its shards, of all namespaces given, by the time of their last write
 ├──────────────────┬───────┬──────┤       a/3   ●●● ● ●   ●
 0                low     high   maxmemory a/17  ● ●   ●●●  ●       overdue sessions first, then from the left;
                    ◀── removes ──┘        b/9     ●●  ●     ●      pinned and leased ones stay
```

What was written to since it was chosen stays. Nothing else decides by itself that a live session goes.
"""

from __future__ import annotations

import asyncio
import heapq
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, TypeAlias, TypedDict, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import BackendError, BackendUnavailable, InvalidArgument
from sessioncache.maintenance.batch import LEASE_TTL_MS, Batches, Progress
from sessioncache.maintenance.report import Report
from sessioncache.types import SessionId
from sessioncache.upkeep import ShardLease
from sessioncache.upkeep.models import NodeMemory, Walk

__all__ = ["HIGH", "LIMIT", "LOW", "Places", "ReliefOptions", "run", "run_all"]

JOB: Final = "relieve"

HIGH: Final = 0.85
"""Share of maxmemory above which sessions are removed."""

LOW: Final = 0.75
"""Share of maxmemory down to which they are."""

LIMIT: Final = 10_000
"""Most sessions that one call looks at."""

BATCH_MAX: Final = 200
"""Most sessions between two looks at the memory. The first batch is one session, and none has more than twice as many
as the one before it, for nobody knows what a session gives back."""

PAGE: Final = 32
"""How many of the oldest sessions of a shard are read at once."""

SETTLE_TRIES: Final = 50
SETTLE_S: Final = 0.02
"""Large values are freed in the background: so often, and so long, is waited for it after a batch."""

REMOVED: Final = ("evicted", "expired", "vanished")
FOREVER_MS: Final = 9_007_199_254_740_991


Places: TypeAlias = dict[tuple[str, int], Walk]
"""By namespace and shard: behind which session to go on. It is kept by who calls, for a full server notes nothing."""


class ReliefOptions(TypedDict, total=False):
    """What `run` hands on to `run_all`, which says what each means."""

    high: float
    low: float
    limit: int
    bytes_max: int | None
    lease_ttl_ms: int
    holder: str | None
    places: Places | None
    progress: Progress | None
    dry_run: bool


@dataclass(slots=True)
class _Source:
    """One shard of one namespace, and its sessions from the oldest write on."""

    cache: AsyncSessionCache
    shard: int
    lease: ShardLease | None
    walk: Walk = field(default_factory=Walk)
    """Behind what was read."""
    place: Walk = field(default_factory=Walk)
    """Behind what was chosen."""
    ahead: list[tuple[SessionId, int]] = field(default_factory=list)
    exhausted: bool = False

    async def fill(self) -> None:
        """Read on, where nothing is left of what was read."""
        if not self.ahead and not self.exhausted:
            found = await self.cache.upkeep.updated(self.shard, self.walk, until_ms=FOREVER_MS, limit=PAGE)
            self.exhausted = not found
            self.walk = self.walk.after(found)
            self.ahead = found[::-1]

    def take(self) -> tuple[SessionId, int]:
        """The oldest of those that were read."""
        taken = self.ahead.pop()
        self.place = self.place.after([taken])
        return taken

    @property
    def name(self) -> tuple[str, int]:
        """The namespace and the shard."""
        return self.cache.keys.namespace, self.shard

    def begin(self, places: Places) -> None:
        """Begin where the run before has ended."""
        self.walk = self.place = places.get(self.name, self.place)


@dataclass(slots=True)
class _Node:
    """One server that holds shards of ours."""

    memory: NodeMemory
    shards: list[tuple[AsyncSessionCache, int]]

    async def look(self) -> NodeMemory:
        """Its memory now, after what was removed has been freed."""
        cache, shard = self.shards[0]
        now = await cache.upkeep.memory(shard)
        for _ in range(SETTLE_TRIES):
            if not now.pending:
                break
            await asyncio.sleep(SETTLE_S)
            now = await cache.upkeep.memory(shard)
        return now


async def run(cache: AsyncSessionCache, **options: Unpack[ReliefOptions]) -> Report:
    """Remove the oldest sessions of one namespace where a server's memory is above the high mark. See `run_all`."""
    return await run_all([cache], **options)


async def run_all(
    caches: Sequence[AsyncSessionCache],
    *,
    high: float = HIGH,
    low: float = LOW,
    limit: int = LIMIT,
    bytes_max: int | None = None,
    lease_ttl_ms: int = LEASE_TTL_MS,
    holder: str | None = None,
    places: Places | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Report:
    """Where a server's memory is above the high mark, remove the oldest sessions of these namespaces, down to the low.

    Costs one round trip a server where there is nothing to do; a cluster is asked once for each shard. It takes the
    shards' leases itself, and leaves shards whose lease somebody else has to them.

    Args:
        caches: of one server, cluster or Sentinel group; sessions of all of them stand in one line.
        high: share of the limit above which sessions are removed.
        low: share of the limit down to which they are; less than `high`.
        limit: most sessions to look at.
        bytes_max: the limit of each server, in bytes; None: its maxmemory, and nothing is done where it has none.
        lease_ttl_ms: how long shards stay claimed by a process that dies meanwhile.
        holder: a name that no other holder of leases has; None: a random one.
        places: one and the same for each run, so that the next one goes on where the limit has ended this one: sessions
            that stay, being pinned or leased, are not looked at again and again; None: it begins at the oldest.
        progress: called after every batch.
        dry_run: whether nothing is removed. What sessions would give back is taken from the server's MEMORY USAGE, or
            where that is forbidden from the bytes of their messages.

    Returns:
        What was done. `done` is False where a server is still above the low mark: the limit was reached, somebody else
        is at it, or nothing is left that may be removed.

    Raises:
        LeaseLost: somebody else has taken a shard over; what was removed stays removed.
        BackendError: a server is away; calling it again goes on.
    """
    if not 0 < low < high <= 1:
        raise InvalidArgument(f"low and high must be shares with 0 < low < high <= 1, not {low} and {high}")
    batches = Batches(caches[0], Report(JOB, None), limit=limit, progress=progress, dry_run=dry_run, paced=False)
    with batches.timed() as report:
        for node in await _nodes(caches):
            maximum = bytes_max or node.memory.limit
            if node.memory.used <= high * maximum or not maximum:
                _note([_Source(cache, shard, None) for cache, shard in node.shards], places, is_cut_off=False)
                continue
            if dry_run:
                sources = [_Source(cache, shard, None) for cache, shard in node.shards]
            else:
                sources = await _claim(node, holder or secrets.token_hex(8), lease_ttl_ms)
            for source in sources:
                source.begin(places or {})
            try:
                await _Relief(node, sources, batches, int(low * maximum), lease_ttl_ms).work()
                _note(sources, places, is_cut_off=not report.done and not batches.room)
            finally:
                await _give_back(sources)
        return report


async def _nodes(caches: Sequence[AsyncSessionCache]) -> list[_Node]:
    """The servers of these namespaces, each with the shards that it holds."""
    nodes: dict[str, _Node] = {}
    for cache in caches:
        for keys in cache.keys:
            memory = await cache.upkeep.memory(keys.index)
            here = range(keys.index, keys.index + 1) if memory.is_cluster else range(cache.keys.shards)
            node = nodes.setdefault(memory.node, _Node(memory, []))
            node.shards += [(cache, shard) for shard in here]
            if not memory.is_cluster:
                break
    return list(nodes.values())


async def _claim(node: _Node, holder: str, ttl_ms: int) -> list[_Source]:
    """The shards of a server that nobody else is emptying."""
    sources: list[_Source] = []
    for cache, shard in node.shards:
        lease = await cache.upkeep.acquire(shard, JOB, holder=holder, ttl_ms=ttl_ms)
        if lease is not None:
            sources.append(_Source(cache, shard, lease))
    return sources


def _note(sources: Sequence[_Source], places: Places | None, *, is_cut_off: bool) -> None:
    """Where the next run goes on; at the oldest again where nothing has cut this one off."""
    if places is None:
        return
    for source in sources:
        if is_cut_off:
            places[source.name] = source.place
        else:
            places.pop(source.name, None)


async def _give_back(sources: Sequence[_Source]) -> None:
    for source in sources:
        if source.lease is not None:
            with suppress(BackendError):
                # It runs out by itself.
                await source.cache.upkeep.release(source.lease)


class _Relief:
    """One server on its way down to the low mark."""

    def __init__(
        self, node: _Node, sources: Sequence[_Source], batches: Batches, low_bytes: int, lease_ttl_ms: int
    ) -> None:
        self.node = node
        self.sources = sources
        self.batches = batches
        self.report = batches.report
        self.low_bytes = low_bytes
        self.lease_ttl_ms = lease_ttl_ms
        self.renewed = perf_counter()
        self.measured = 0
        """What would be given back by sessions that a dry run found."""
        self.swept: set[SessionId] = set()
        """Those among them that are overdue."""
        self.used = node.memory.used

    async def work(self) -> None:
        """Remove what is overdue, then what is oldest."""
        began, self.report.done = self.used, False
        if await self._sweep() or await self._evict():
            self.report.done = True
        self.report.add("memory_bytes", max(began - self.used, 0))

    async def _sweep(self) -> bool:
        """Overdue sessions first: nobody misses them. Whether that was enough."""
        for source in self.sources:
            while self.batches.room:
                due = await source.cache.upkeep.due(source.shard, limit=min(BATCH_MAX, self.batches.room))
                mine = self.batches.own([session_id for session_id, _late_ms in due], source.shard)
                self.report.examined += len(due)
                removed = 0
                await self._measure(source, mine)
                self.swept.update(mine if self.batches.dry_run else ())
                results = await source.cache.upkeep.expire(
                    source.shard, mine, lease=source.lease, dry_run=self.batches.dry_run
                )
                for _session_id, swept in self.batches.sound(mine, results):
                    removed += swept.outcome != "kept"
                    self._count(swept.outcome, swept.messages, swept.bytes)
                if due and await self._is_enough():
                    return True
                if len(due) < BATCH_MAX or not removed or self.batches.dry_run:
                    break
        return False

    async def _evict(self) -> bool:
        """The oldest sessions of all shards, until the low mark is reached; whether it was."""
        size = 1
        while self.batches.room:
            chosen = await self._oldest(min(size, self.batches.room))
            if not chosen:
                self.report.note("nothing is left that may be removed: what remains is pinned, leased or not ours")
                return False
            before, removed = self.used, 0
            for source, sessions in chosen:
                for session_id in self.swept & sessions.keys():
                    del sessions[session_id]
                mine = {session_id: sessions[session_id] for session_id in self.batches.own(sessions, source.shard)}
                self.report.examined += len(sessions)
                results = await source.cache.upkeep.evict(
                    source.shard, mine, lease=source.lease, dry_run=self.batches.dry_run
                )
                told = list(self.batches.sound(list(mine), results))
                await self._measure(source, [name for name, evicted in told if evicted.outcome in REMOVED])
                for _session_id, evicted in told:
                    removed += evicted.outcome in REMOVED
                    self._count(evicted.outcome, evicted.messages, evicted.bytes)
            if await self._is_enough():
                return True
            size = min(2 * size, BATCH_MAX)
            if before > self.used and removed:
                each = (before - self.used) / removed
                size = max(1, min(size, round((self.used - self.low_bytes) / each)))
        return False

    async def _oldest(self, count: int) -> list[tuple[_Source, dict[SessionId, int]]]:
        """The next sessions of all shards in the order of their last writes, by shard."""
        line: list[tuple[int, int]] = []
        chosen: dict[int, dict[SessionId, int]] = {}
        for at, source in enumerate(self.sources):
            await source.fill()
            line += [(source.ahead[-1][1], at)] if source.ahead else []
        heapq.heapify(line)
        while line and count:
            _at_ms, at = heapq.heappop(line)
            source = self.sources[at]
            session_id, at_ms = source.take()
            chosen.setdefault(at, {})[session_id] = at_ms
            count -= 1
            await source.fill()
            if source.ahead:
                heapq.heappush(line, (source.ahead[-1][1], at))
        return [(self.sources[at], sessions) for at, sessions in chosen.items()]

    async def _is_enough(self) -> bool:
        """After each batch: look at the memory, and hold on to the leases."""
        if perf_counter() - self.renewed > self.lease_ttl_ms / 10_000:
            for source in self.sources:
                source.lease = source.lease and await source.cache.upkeep.renew(source.lease, ttl_ms=self.lease_ttl_ms)
            self.renewed = perf_counter()
        await self.batches.ended()
        if self.batches.dry_run:
            self.used -= self.measured
            self.measured = 0
            return self.used <= self.low_bytes
        found = await self.node.look()
        if found.node != self.node.memory.node:
            raise BackendUnavailable("the server was replaced meanwhile; what was removed stays removed")
        self.used = found.used
        return self.used <= self.low_bytes

    async def _measure(self, source: _Source, session_ids: Sequence[SessionId]) -> None:
        """In a dry run: what the memory would be without these."""
        if self.batches.dry_run and session_ids:
            self.measured += sum(await source.cache.upkeep.footprints(session_ids))

    def _count(self, outcome: str, messages: int, size: int) -> None:
        self.report.add(outcome)
        if outcome in REMOVED:
            self.report.changed += 1
            self.report.add("messages", messages)
            self.report.freed(size)
