"""Writers that append numbered messages for as long as something goes on, and the proof that all is there once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from sessioncache import AsyncSessionCache, BackendError


class Ledger:
    """Who wrote what, and what was acknowledged."""

    def __init__(self, cache: AsyncSessionCache, *, sessions: list[str], writers: int) -> None:
        self._cache = cache
        self._sessions = sessions
        self._writers = writers
        self.acknowledged: Counter[tuple[str, int, int]] = Counter()
        """Session, writer and number of every append that was answered."""
        self.unknown: set[tuple[str, int, int]] = set()
        """Appends that ended in an error of the backend, so that nobody knows."""

    async def during(self, event: Callable[[], Awaitable[object]], *, at_least: int = 20) -> None:
        """Write before, during and after an event, `at_least` appends on either side."""
        over = asyncio.Event()
        writers = [asyncio.create_task(self._write(writer, over)) for writer in range(self._writers)]
        try:
            await self._reach(at_least)
            await event()
            await self._reach(sum(self.acknowledged.values()) + at_least)
        finally:
            over.set()
            await asyncio.gather(*writers)

    async def check(self, *, may_be_lost: bool = False) -> None:
        """Everything acknowledged is there, nothing is there twice, and every writer's messages are in its order."""
        for session in self._sessions:
            found: list[tuple[str, int, int]] = []
            sequence: list[int] = []
            async for entry in self._cache.transcripts.each(session):
                found.append((session, entry.message["writer"], entry.message["n"]))
                sequence.append(entry.seq)
            written = {item for item in self.acknowledged if item[0] == session}
            assert len(found) == len(set(found)), "something is there twice"
            assert sequence == sorted(set(sequence))
            assert may_be_lost or written <= set(found), f"{len(written - set(found))} are lost"
            assert set(found) <= written | self.unknown, "something is there that nobody wrote"
            for writer in range(self._writers):
                numbers = [n for _, who, n in found if who == writer]
                assert numbers == sorted(numbers)

    async def _write(self, writer: int, over: asyncio.Event) -> None:
        number = 0
        session = self._sessions[writer % len(self._sessions)]
        while not over.is_set():
            item = (session, writer, number)
            try:
                await self._cache.transcripts.append(session, {"writer": writer, "n": number})
            except BackendError:
                self.unknown.add(item)
            else:
                self.acknowledged[item] += 1
            number += 1

    async def _reach(self, count: int) -> None:
        while sum(self.acknowledged.values()) < count:  # noqa: ASYNC110 - it counts what several tasks do
            await asyncio.sleep(0.001)
