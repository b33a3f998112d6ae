"""Very many sessions, half of them overdue, as quickly as the server takes them.

The rule of this module: every session is written by the product's own script, as `transcripts.append` sends it; only
the clock that the script is told lies back, as tests do it. Nothing is copied, so lists, totals and feeds are true.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.subjects.pipe import Pipe
from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.transcripts import lua
from sessioncache.types import NO_BASE
from sessioncache.wire.call import Call, Write
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.script import Script

__all__ = ["fill"]

AT_ONCE: Final = 1000
"""Sessions that are sent together; two such lots are under way, whatever the number of sessions."""

USERS: Final = 1000
HOUR_MS: Final = 3_600_000
IDLE_MS: Final = 2 * HOUR_MS
"""How long the sessions that are not due have been idle: longer than what sealing waits for."""


async def fill(cache: AsyncSessionCache, url: str, sessions: int, *, due: bool = True) -> float:
    """Write the sessions, one short message each; every second one is overdue if `due`. Answers the seconds it took."""
    policy = await cache.retention.get()
    started = time.perf_counter()
    async with Pipe.open(url) as pipe:
        before: list[asyncio.Future[object]] = []
        loaded = False
        lot: list[asyncio.Future[object]] = []
        for call in _calls(cache.keys, policy, sessions, due=due):
            if not isinstance(call.target, Script):
                raise TypeError("an append is a script")
            if not loaded:
                await pipe.send("SCRIPT", "LOAD", call.target.text)
                loaded = True
            lot.append(pipe.send("EVALSHA", call.target.sha, len(call.keys), *call.keys, *call.args))
            if len(lot) == AT_ONCE:
                await _answered(before)
                before, lot = lot, []
        await _answered(before)
        await _answered(lot)
    return time.perf_counter() - started


def _calls(keys: Keyspace, policy: RetentionPolicy, sessions: int, *, due: bool) -> Iterator[Call[Any]]:
    now_ms = int(time.time() * 1000)
    for number in range(sessions):
        back_ms = policy.ttl_ms if due and number % 2 else IDLE_MS
        # The overdue ones became so within the last hour, the others fell idle within an hour.
        written_ms = now_ms - back_ms - 1000 - number * (HOUR_MS - 1000) // sessions
        content = f"What is the status of order {number * 7919 % 1_000_003}?"
        payload = json.dumps({"role": "user", "content": content}, separators=(",", ":")).encode()
        yield lua.append(
            session=keys.session(f"session-{number:07d}"),
            write=Write(f"{number:016x}", NO_BASE, written_ms),
            user=f"user-{number % USERS:03d}",
            marks="m",
            payloads=[payload],
        )


async def _answered(replies: list[asyncio.Future[object]]) -> None:
    """Wait for replies, which come in their order, and raise the first error among them."""
    if replies:
        await asyncio.wait(replies[-1:])
    for reply in replies:
        reply.result()
