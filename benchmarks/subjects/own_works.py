"""Operations that only sessioncache has: saves of a runtime's session, and lists of very many sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import chain, cycle, islice
from typing import Any, Final, Protocol

from benchmarks.conversations import Message
from benchmarks.subjects.pipe import Pipe
from benchmarks.subjects.works import WARM_UPS, Operation, Work
from sessioncache import AsyncSessionCache, Session
from sessioncache.sessions._async import AsyncSessions
from sessioncache.stores.runtime_async import AsyncRuntimePersistence
from sessioncache.stores.runtime_models import RuntimeMessage, RuntimeSession
from sessioncache.testing.recording_async import AsyncRecordingTransport
from sessioncache.wire.call import Call
from sessioncache.wire.messages import MessageEncoder
from sessioncache.wire.script import Script
from sessioncache.wire.values import ValueEncoder

__all__ = ["OWN_WORKS"]

PAGE: Final = 50
FILL_AT_ONCE: Final = 2000
TITLE: Final = "A session with a title"


class OwnStore(Protocol):
    """What these need of the subject."""

    url: str
    cache: AsyncSessionCache

    async def cache_in(self, namespace: str) -> AsyncSessionCache:
        """Another namespace."""
        ...


class Save:
    """Each task saves its runtime sessions, which have one new message each time."""

    def __init__(
        self,
        store: OwnStore,
        conversations: list[list[Message]],
        *,
        tasks: int,
        operations: int,
        old: int,
        saves: int = 5,
    ) -> None:
        """Plan the sessions.

        Args:
            store: the subject.
            conversations: where the messages come from.
            tasks: how many save at once.
            operations: saves, all tasks together.
            old: messages that a session has before.
            saves: how often one session is saved, before the next one is: they grow as they are saved.
        """
        self._store = AsyncRuntimePersistence(store.cache)
        self._cache = store.cache
        self._messages = cycle(chain.from_iterable(conversations))
        self._tasks = tasks
        self._old = old
        self._saves = saves
        self._count = max(operations // tasks // saves, 1)
        self._sessions: list[list[RuntimeSession]] = []

    async def prepare(self) -> None:
        """Save the sessions as they were before, and warm up."""
        for task in range(self._tasks):
            sessions = [self._session(f"runtime-{task}-{number}", self._old) for number in range(self._count)]
            for session in sessions:
                await self._store.save_runtime_session(session)
            self._sessions.append(sessions)
        warm = [self._session(f"warm-up-{task}", 1) for task in range(self._tasks)]
        for _ in range(WARM_UPS):
            for session in warm:
                session.messages.append(self._message())
            await asyncio.gather(*(self._store.save_runtime_session(session) for session in warm))

    def _session(self, name: str, messages: int) -> RuntimeSession:
        return RuntimeSession(id=name, title=TITLE, messages=[self._message() for _ in range(messages)])

    def _message(self) -> RuntimeMessage:
        return RuntimeMessage.model_validate(next(self._messages))

    def lanes(self) -> list[list[Operation]]:
        """One message more, and a save."""
        return [
            [partial(self._save, session, self._message()) for session in sessions for _ in range(self._saves)]
            for sessions in self._sessions
        ]

    async def _save(self, session: RuntimeSession, message: RuntimeMessage) -> None:
        session.messages.append(message)
        await self._store.save_runtime_session(session)

    async def settle(self) -> None:
        """Nothing."""

    async def check(self) -> None:
        """The store has as many messages as the object, and the same ones at the end."""
        for session in chain.from_iterable(self._sessions):
            found = await self._cache.transcripts.list(session.id, last=self._saves)
            count = self._old + self._saves
            ends = [message.get("content") for message in found.messages]
            if found.count != count or ends != [message.content for message in session.messages[-self._saves :]]:
                raise AssertionError(f"{session.id}: {found.count} messages are stored, not the {count} saved")


class Listing:
    """Each task lists the newest sessions of a namespace that is filled once and kept."""

    def __init__(
        self,
        store: OwnStore,
        conversations: list[list[Message]],  # noqa: ARG002  as every work
        *,
        tasks: int,
        operations: int,
        sessions: int,
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._each = max(operations // tasks, 1)
        self._sessions = sessions
        self._cache: AsyncSessionCache

    async def prepare(self) -> None:
        """Fill the namespace, if it is not full yet, and warm up."""
        self._cache = await self._store.cache_in(f"list-{self._sessions}")
        stored = await self._cache.sessions.count()
        if stored < self._sessions:
            await self._fill(stored)
        for _ in range(WARM_UPS):
            await asyncio.gather(*(self._list() for _ in range(self._tasks)))

    async def _fill(self, first: int) -> None:
        """Save sessions by the ordinary script, thousands under way at once; they differ by id and operation only."""
        keys = self._cache.keys
        call = await _saved(self._cache, f"session-{first}")
        if not isinstance(call.target, Script):
            raise TypeError("a save is a script")
        rest = call.args[2:]
        before: list[asyncio.Future[object]] = []
        async with Pipe.open(self._store.url) as pipe:
            await pipe.send("SCRIPT", "LOAD", call.target.text)
            head = ("EVALSHA", call.target.sha, len(call.keys))
            for start in range(first + 1, self._sessions, FILL_AT_ONCE):
                sent = []
                for number in range(start, min(start + FILL_AT_ONCE, self._sessions)):
                    session = keys.session(f"session-{number}")
                    sent.append(pipe.send(*head, *session.group, session.escaped, f"{number:016x}", *rest))
                await _answered(before)
                before = sent
            await _answered(before)

    async def _list(self) -> int:
        return len((await self._cache.sessions.list(limit=PAGE)).items)

    def lanes(self) -> list[list[Operation]]:
        """The same page again and again."""
        return [list(islice(cycle([self._list]), self._each)) for _ in range(self._tasks)]

    async def settle(self) -> None:
        """Nothing."""

    async def check(self) -> None:
        """The namespace has the sessions, and a page is full and in order."""
        page = (await self._cache.sessions.list(limit=PAGE)).items
        moments = [item.updated_at for item in page]
        if await self._cache.sessions.count() != self._sessions or len(page) != min(PAGE, self._sessions):
            raise AssertionError(f"there are not {self._sessions} sessions, or the page has {len(page)}")
        if moments != sorted(moments, reverse=True):
            raise AssertionError("the page is not in order")


async def _saved(cache: AsyncSessionCache, session_id: str) -> Call[Any]:
    """Save a session with a title; answers the call that was sent."""
    recording = AsyncRecordingTransport(cache._transport)  # noqa: SLF001  to send the same call for the other sessions
    bytes_max = cache.settings.entry_bytes_max
    encoder, values = MessageEncoder(entry_bytes_max=bytes_max), ValueEncoder(entry_bytes_max=bytes_max)
    await AsyncSessions(recording, cache.keys, encoder, values).save(Session(id=session_id, title=TITLE))
    return recording.calls[0]


async def _answered(replies: list[asyncio.Future[object]]) -> None:
    """Wait for replies, which come in their order, and raise the first error among them."""
    if replies:
        await asyncio.wait(replies[-1:])
    for reply in replies:
        reply.result()


OWN_WORKS: Final[dict[str, Callable[..., Work]]] = {"save": Save, "list": Listing}
