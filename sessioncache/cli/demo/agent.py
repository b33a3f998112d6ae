"""A process full of agents: takes turns from stdin as JSON lines, writes them to Redis, answers on stdout.

The rule of this module: an agent knows nothing of a session but what it reads from Redis when it takes a turn, save
for an old copy of the record, which it saves on purpose: that is what must not undo an edit.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter, defaultdict
from typing import Any

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import SessionCacheError
from sessioncache.sessions.models import Session
from sessioncache.telemetry import CallRecord

__all__ = ["Crew", "Watcher"]

LINE_BYTES_MAX = 64 * 1_048_576


class Watcher:
    """Hears of every call: how long appends took, and what was repeated."""

    def __init__(self) -> None:
        self.durations: dict[str, list[float]] = defaultdict(list)
        self.retries = 0

    def on_call(self, record: CallRecord) -> None:
        """One call has ended."""
        if record.error is None:
            self.durations[record.call].append(record.duration_s)

    def on_retry(self, call: str, error: str) -> None:  # noqa: ARG002 - the protocol names them; only the number is told
        """One attempt is about to be repeated."""
        self.retries += 1


class Crew:
    """The agents of one process."""

    def __init__(self, cache: AsyncSessionCache, watcher: Watcher) -> None:
        self._cache = cache
        self._watcher = watcher
        self._old: dict[str, Session] = {}
        self._counts: Counter[str] = Counter()

    async def take(self, turn: dict[str, Any]) -> dict[str, Any]:
        """Do one turn of a session; the answer to the dispatcher."""
        try:
            await self._do(turn)
        except SessionCacheError as error:
            return {"task": turn["task"], "problem": f"{turn['session']}: {error.code}: {error}"}
        return {"task": turn["task"], "problem": None}

    async def _do(self, turn: dict[str, Any]) -> None:
        session = self._cache.session(turn["session"])
        page = await session.transcript.list(last=1)
        if page.count != turn["before"]:
            text = f"an agent that took over found {page.count} messages where {turn['before']} were written"
            raise SessionCacheError(text)
        old = self._old.get(session.id)
        messages = [text.encode() for text in turn["messages"]]
        if old is None or not turn["by_save"]:
            for part in [messages] if turn["at_once"] else [[message] for message in messages]:
                await session.transcript.append(part, user=turn["user"])
            messages = []
        if old is None:
            old = self._old[session.id] = await session.get() or Session(id=session.id)
        await self._save(old, messages, turn)

    async def _save(self, old: Session, messages: list[bytes], turn: dict[str, Any]) -> None:
        """A runtime save with a title, pin and versions of long ago."""
        stale = old.model_copy(deep=True)
        stale.metadata = {"agent": turn["agent"], "turn": turn["turn"]}
        stale.status = "done" if turn["last"] else "working"
        saved = await self._cache.sessions.save(stale, messages=messages)
        self._counts[saved.outcome] += 1
        if (stale.title, stale.pinned) != (old.title, old.pinned):
            self._counts["rescued"] += 1

    def summary(self) -> dict[str, Any]:
        """What the process did, for the table at the end."""
        return {
            "appends_s": self._watcher.durations["transcripts.append"],
            "saves_s": self._watcher.durations["sessions.save"],
            "retries": self._watcher.retries,
            "counts": dict(self._counts),
        }


async def work() -> None:
    """Take turns until stdin ends, then answer with the summary."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    watcher = Watcher()
    running: set[asyncio.Task[None]] = set()
    async with AsyncSessionCache.from_url(hooks=[watcher], client_name=f"demo-{os.getpid()}") as cache:
        crew = Crew(cache, watcher)

        async def one(turn: dict[str, Any]) -> None:
            _answer(await crew.take(turn))

        _answer({"ready": os.getpid()})
        while line := await reader.readline():
            task = asyncio.create_task(one(json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        _answer({"summary": crew.summary()})


def _answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(work())
