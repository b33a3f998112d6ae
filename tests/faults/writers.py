"""Agents that write while something breaks, and keep apart what was acknowledged, refused, and never answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from sessioncache import AsyncSessionCache, BackendFull, SessionCacheError
from sessioncache.errors import BackendTimeout, BackendUnavailable, NotFound, NotReplicated
from tests.faults.judge import Promises

__all__ = ["Writers", "answered", "fill"]

UNANSWERED = (BackendTimeout, BackendUnavailable, NotReplicated)
"""Nobody knows whether such a write was done."""


class Writers:
    """Tasks that append to sessions, each to one, until they are told to stop."""

    def __init__(
        self,
        cache: AsyncSessionCache,
        promises: Promises,
        *,
        sessions: Sequence[str],
        padding: int = 0,
        pause_s: float = 0.001,
    ) -> None:
        self._cache = cache
        self._promises = promises
        self._sessions = sessions
        self._padding = "x" * padding
        self._pause_s = pause_s
        self._stopping = asyncio.Event()
        self.acknowledged = 0
        self.refused = 0
        self.unknown = 0
        self.others: list[SessionCacheError] = []
        """Errors that no writer should see."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write meanwhile."""
        async with asyncio.TaskGroup() as group:
            for writer, session in enumerate(self._sessions):
                group.create_task(self._write(writer, session))
            try:
                yield
            finally:
                self._stopping.set()

    async def goes_on(self, *, by: int = 5) -> None:
        """Wait until so many more writes were acknowledged."""
        wanted = self.acknowledged + by
        async with asyncio.timeout(60):
            while self.acknowledged < wanted:  # noqa: ASYNC110 - what is waited for is a number
                await asyncio.sleep(0.005)

    async def is_refused(self) -> None:
        """Wait until a write was refused."""
        async with asyncio.timeout(60):
            while not self.refused:  # noqa: ASYNC110 - what is waited for is a list
                await asyncio.sleep(0.005)

    async def _write(self, writer: int, session: str) -> None:
        n = 0
        while not self._stopping.is_set():
            message = {"w": writer, "n": n, "x": self._padding}
            try:
                await self._cache.transcripts.append(session, message)
            except BackendFull:
                self.refused += 1
                self._promises.refused[session].add((writer, n))
            except UNANSWERED:
                self.unknown += 1
                self._promises.unknown[session].add((writer, n))
            except SessionCacheError as error:
                self.others.append(error)
                self._promises.refused[session].add((writer, n))
            else:
                self.acknowledged += 1
                self._promises.acknowledged[session].append((writer, n))
            n += 1
            await asyncio.sleep(self._pause_s)


async def fill(
    cache: AsyncSessionCache, promises: Promises, names: Sequence[str], *, messages: int = 6, due: bool = False
) -> None:
    """Sessions with messages and documents, side by side; each write is repeated until it was answered.

    Args:
        cache: where.
        promises: takes what was acknowledged.
        names: of the sessions.
        messages: how many each has.
        due: whether their deadline passes at once, so that they have to be swept.
    """

    async def make(name: str) -> None:
        batch = [{"w": -1, "n": n, "x": "some words to fill it"} for n in range(messages)]
        await answered(lambda: cache.transcripts.append(name, batch, operation_id=f"{name} messages"))
        promises.acknowledged[name] += [(-1, n) for n in range(messages)]
        await answered(lambda: cache.documents.save(name, {"state": name}, operation_id=f"{name} documents"))
        if due:
            promises.must_be_gone.add(name)
            with suppress(NotFound):
                # Where it was not answered but done, the session may have been swept since.
                await answered(lambda: cache.retention.update(name, ttl_ms=1, operation_id=f"{name} due"))

    for first in range(0, len(names), 50):
        await asyncio.gather(*(make(name) for name in names[first : first + 50]))


async def answered(write: Callable[[], Awaitable[object]]) -> None:
    """Repeat a write under its operation id until it is answered."""
    async with asyncio.timeout(60):
        while True:
            try:
                await write()
            except UNANSWERED:
                await asyncio.sleep(0.01)
            else:
                return
