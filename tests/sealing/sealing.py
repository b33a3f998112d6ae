"""Sealing a transcript as a worker does, in small chunks."""

from __future__ import annotations

from sessioncache import AsyncSessionCache
from sessioncache.sealing.models import Sealable
from sessioncache.sealing.plan import plan_swap

CHUNK = 4


async def seal(
    cache: AsyncSessionCache, session_id: str, *, keep: int = 0, chunk: int = CHUNK, read: int = 501
) -> list[str]:
    """Seal a transcript but for the newest messages, once or until there is nothing to do; what came of each swap."""
    outcomes: list[str] = []
    while True:
        (found,) = await cache.upkeep.sealable([session_id], limits=[read])
        if not isinstance(found, Sealable) or not found.entries:
            return outcomes
        last = found.last if len(found.last) < chunk // 2 else []
        swap = plan_swap(found.state, found.entries, last, keep=keep, dictionary=None, chunk_messages=chunk)
        if swap is None:
            return outcomes
        idle_ms = 0 if swap.count == found.state.tail else None
        (outcome,) = await cache.upkeep.seal(cache.keys.shard_of(session_id), {session_id: (swap, idle_ms)})
        assert isinstance(outcome, str), outcome
        outcomes.append(outcome)
