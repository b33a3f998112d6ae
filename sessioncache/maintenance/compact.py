"""Sealing: messages that are seldom needed are compressed, many to a chunk, and read as if they were not.

The rule of this module: it proposes, the script decides. Messages that were rewritten after they were read stay as they
are, and the next run looks at them again.

```
by-updated    oldest write ……………………………… an hour ago ………………………………………… now
idle walk     ├── sealed whole ──▶│ goes on here     │
busy walk                                            ├── heads beyond the newest 256 ──▶│ goes on here
```

Any write moves its session to the right of both, so each is looked at once for each time that it was written to. Once a
day both begin anew, for sessions that were put further left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.maintenance.batch import Batches, RunOptions
from sessioncache.maintenance.dictionary import ensure
from sessioncache.maintenance.report import Report
from sessioncache.retention import RetentionPolicy
from sessioncache.sealing.dictionaries import remember_dictionary
from sessioncache.sealing.models import Sealable, SealState, Swap
from sessioncache.sealing.plan import CHUNK_MESSAGES, READ_BYTES, plan_swap, read_limit
from sessioncache.types import SessionId
from sessioncache.upkeep.models import Walk, Walks

if TYPE_CHECKING:
    import zstandard

__all__ = ["run"]

JOB = "compact"

IDLE_MS_MIN: Final = 600_000
"""A session that is sealed whole forgets the ids of its last operations: never earlier than this."""

WALK_MS: Final = 86_400_000
TOGETHER_MAX: Final = 100
"""Most sessions whose messages are held at once."""

CHANGED_TRIES: Final = 3

Dictionary: TypeAlias = "tuple[str, zstandard.ZstdCompressionDict] | None"


class _Sealer:
    """One run over one shard."""

    def __init__(self, cache: AsyncSessionCache, shard: int, batches: Batches, policy: RetentionPolicy) -> None:
        self.cache = cache
        self.shard = shard
        self.batches = batches
        self.keep = policy.seal_keep
        self.idle_ms = max(policy.seal_idle_ms, IDLE_MS_MIN) if policy.seal_idle_ms else 0
        self.now_ms = 0
        self.dictionary: Dictionary = None
        self.stored = False
        """Whether the shard is known to have the dictionary."""

    def keeps(self, state: SealState) -> int | None:
        """How many messages of a session stay as they are; None: it is left alone."""
        if not state.tail:
            return None
        if self.idle_ms and self.now_ms - state.written_ms >= self.idle_ms:
            return 0
        return self.keep if self.keep and state.tail >= self.keep + CHUNK_MESSAGES else None

    async def work(self, session_ids: Sequence[SessionId]) -> None:
        """Seal what there is to seal of these sessions."""
        batches = self.batches
        changed: dict[SessionId, int] = {}
        done: set[SessionId] = set()
        remaining = batches.own(session_ids, self.shard)
        batches.report.examined += len(session_ids)
        while remaining:
            due: list[tuple[SessionId, SealState]] = []
            for session_id, state in batches.sound(remaining, await self.cache.upkeep.seal_states(remaining)):
                if state is not None and self.keeps(state) is not None:
                    due.append((session_id, state))
            remaining = []
            if batches.dry_run:
                self.estimate(due)
                await batches.ended()
                break
            while due:
                together, due = _together(due)
                for session_id, outcome in await self.seal(together):
                    changed[session_id] = changed.get(session_id, 0) + (outcome != "sealed")
                    if outcome == "sealed" and session_id not in done:
                        done.add(session_id)
                        batches.report.changed += 1
                        batches.report.add("sealed")
                    if changed[session_id] < CHANGED_TRIES:
                        remaining.append(session_id)
                await batches.ended()

    def estimate(self, due: Sequence[tuple[SessionId, SealState]]) -> None:
        """What a run would seal of these sessions; of heads, as many messages as fill chunks."""
        for _session_id, state in due:
            keep = self.keeps(state) or 0
            count = state.tail - keep
            self.batches.report.add("sealed_messages", count - count % CHUNK_MESSAGES if keep else count)
            self.batches.report.changed += 1
            self.batches.report.add("sealed")

    async def seal(self, together: Sequence[tuple[SessionId, SealState]]) -> list[tuple[SessionId, str]]:
        """Seal once what was read of each of these sessions; what came of it, for those where anything was tried."""
        ids = [session_id for session_id, _state in together]
        limits = [read_limit(state) for _session_id, state in together]
        swaps: dict[SessionId, tuple[Swap, int | None]] = {}
        found = list(self.batches.sound(ids, await self.cache.upkeep.sealable(ids, limits=limits)))
        for session_id, swap in await asyncio.to_thread(self.plans, found):
            whole = self.keeps(swap.state) == 0 and swap.count == swap.state.tail
            swaps[session_id] = (swap, self.idle_ms if whole else None)
        outcomes = await self.cache.upkeep.seal(self.shard, swaps, lease=self.batches.lease)
        if any(outcome == "dictionary" for outcome in outcomes) and self.dictionary is not None:
            name, data = self.dictionary
            await self.cache.upkeep.save_dictionary(self.shard, name, data.as_bytes())
            outcomes = await self.cache.upkeep.seal(self.shard, swaps, lease=self.batches.lease)
        told = list(self.batches.sound(list(swaps), outcomes))
        for session_id, outcome in told:
            if outcome == "sealed":
                swap = swaps[session_id][0]
                self.batches.report.add("sealed_messages", swap.count)
                self.batches.report.bytes_in += swap.size
                self.batches.report.bytes_out += sum(map(len, swap.items[1::2]))
                self.batches.report.bytes += swap.saved
        return told

    def plans(self, found: Sequence[tuple[SessionId, Sealable | None]]) -> list[tuple[SessionId, Swap]]:
        """What to swap for chunks. Compresses, so it runs beside the event loop."""
        plans: list[tuple[SessionId, Swap]] = []
        for session_id, read in found:
            keep = None if read is None else self.keeps(read.state)
            if read is None or keep is None or not read.entries:
                continue
            is_small = len(read.last) < CHUNK_MESSAGES // 2 and all(entry.damage is None for entry in read.last)
            last = read.last if is_small else []
            swap = plan_swap(read.state, read.entries, last, keep=keep, dictionary=self.dictionary)
            if swap is not None:
                plans.append((session_id, swap))
        return plans


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """Seal a shard's idle sessions whole and the heads of long transcripts, looking at `limit` sessions at most.

    Raises:
        LeaseLost: somebody else has taken the shard over; what was sealed stays sealed.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        sealer = _Sealer(cache, shard, batches, await cache.retention.get())
        if not sealer.idle_ms and not sealer.keep:
            return report
        sealer.now_ms = await cache.upkeep.clock(shard)
        sealer.dictionary = await _dictionary(cache, batches)
        walks = await cache.upkeep.walks(shard)
        if sealer.now_ms - walks.began_ms >= WALK_MS:
            walks = Walks(began_ms=sealer.now_ms)

        async def reached(found: Walks) -> None:
            nonlocal walks
            walks = found
            if not batches.dry_run:
                await cache.upkeep.save_walks(shard, walks, lease=batches.lease)

        if sealer.idle_ms:
            until_ms = sealer.now_ms - sealer.idle_ms
            async for walk in _walk(sealer, walks.idle, until_ms):
                await reached(replace(walks, idle=walk))
        if sealer.keep:
            # What nobody has written to for long was met by the walk before.
            begin_ms = sealer.now_ms - sealer.idle_ms + 1 if sealer.idle_ms else 0
            busy = walks.busy if walks.busy.at_ms >= begin_ms else Walk(begin_ms)
            async for walk in _walk(sealer, busy, sealer.now_ms):
                await reached(replace(walks, busy=walk))
        return report


async def _walk(sealer: _Sealer, walk: Walk, until_ms: int) -> AsyncIterator[Walk]:
    """Look at sessions in the order of their last writes, up to a time; how far that came, after each batch."""
    batches, upkeep = sealer.batches, sealer.cache.upkeep
    yield walk
    while batches.room:
        found = await upkeep.updated(sealer.shard, walk, until_ms=until_ms, limit=batches.room)
        if not found:
            return
        walk = walk.after(found)
        await sealer.work([session_id for session_id, _at_ms in found])
        yield walk
    batches.report.done &= not await upkeep.updated(sealer.shard, walk, until_ms=until_ms, limit=1)


async def _dictionary(cache: AsyncSessionCache, batches: Batches) -> Dictionary:
    """What to compress with. A namespace that has nothing is given a dictionary, once that pays."""
    try:
        if batches.dry_run:
            found = await cache.upkeep.current_dictionary()
            current = None if found.data is None else (found.name, found.data)
        else:
            current = await ensure(cache, batches.ended)
            await batches.ended()
        return None if current is None else (current[0], remember_dictionary(*current))
    except ValueError as error:
        batches.report.note(str(error))
        return None


def _together(
    due: list[tuple[SessionId, SealState]],
) -> tuple[list[tuple[SessionId, SealState]], list[tuple[SessionId, SealState]]]:
    """Sessions whose messages are read together, about 4 MB of them, and the rest."""
    size = count = 0
    for _session_id, state in due:
        if count and (size >= READ_BYTES or count >= TOGETHER_MAX):
            break
        size += min(state.bytes, READ_BYTES)
        count += 1
    return due[:count], due[count:]
