"""The last act: sessions with a short TTL, and the worker that sweeps them.

The rule of this module: nothing here removes anything. That the sessions go, and that the feed says so, is the worker's
doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessioncache.cli.children import Worker
from sessioncache.client._async import AsyncSessionCache

__all__ = ["watch_the_sweep"]

SESSIONS = 24
TTL_MS = 500
LIMIT_S = 60.0


async def watch_the_sweep(
    cache: AsyncSessionCache, workers: list[Worker], tell: Callable[[int, int], None]
) -> tuple[int, list[str]]:
    """Make short-lived sessions and wait until the feed says that each was swept.

    Returns:
        How many were swept, and what went wrong.
    """
    ids = [f"short-lived {number}" for number in range(1, SESSIONS + 1)]
    before = await cache.stats.get()
    swept: set[str] = set()
    async with cache.feed.subscribe() as changes:
        for session_id in ids:
            session = cache.session(session_id)
            await session.transcript.append({"role": "user", "content": "I shall not be here for long"})
            await session.retain(ttl_ms=TTL_MS)
        try:
            async with asyncio.timeout(LIMIT_S):
                while len(swept) < len(ids):
                    for change in await changes.read():
                        if change.kind == "session.expired" and change.session_id in ids:
                            swept.add(change.session_id)
                    tell(len(swept), len(ids))
                    dead = [worker for worker in workers if worker.ended is not None]
                    if dead:
                        return len(swept), [f"{dead[0].name} has ended; its log ends:\n{dead[0].last_words()}"]
        except TimeoutError:
            missing = len(ids) - len(swept)
            return len(swept), [f"{missing} of {len(ids)} short-lived sessions were not swept within {LIMIT_S:g} s"]
    after = await cache.stats.get()
    problems = [
        f"{session_id} is still there after its sweep" for session_id in ids if await cache.sessions.exists(session_id)
    ]
    if (after.sessions, after.messages, after.bytes) != (before.sessions, before.messages, before.bytes):
        problems.append("the totals after the sweep are not those from before the short-lived sessions")
    return len(swept), problems
