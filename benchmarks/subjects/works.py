"""The operations that are measured. Standard library only: this runs in every subject's own environment.

The rule of this module: `prepare` does all that is not measured; what `lanes` answers is measured and nothing besides;
`check` reads back, so that no subject is fast by not doing the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import cycle, islice
from typing import Any, Final, Protocol, TypeAlias

from benchmarks.conversations import Message, Share, append_plan, load_plan, short_plan, whole_plan
from benchmarks.subjects.contract import Conversation, Store

__all__ = ["WORKS", "Append", "Load", "Memory", "Operation", "Work", "expect"]

Operation: TypeAlias = Callable[[], Awaitable[object]]
LOAD_MESSAGES: Final = 50
FILL_ITEMS: Final = 250
"""Messages to a call while filling; the shortest limit of any store's batch is above it."""

WARM_UPS: Final = 4
"""Rounds before the clock runs: pools open connections as they are needed at once, so one round may not open all."""


class Work(Protocol):
    """One kind of operation, on one store."""

    async def prepare(self) -> None:
        """Open, connect, fill and warm up.

        Raises:
            Unavailable: the store cannot do this here.
        """

    def lanes(self) -> list[list[Operation]]:
        """For each task its operations, in their order."""
        ...

    async def settle(self) -> None:
        """What happens between the run and the weighing of what it left."""

    async def check(self) -> None:
        """Raise AssertionError if the store does not hold or answer what it should; close the conversations."""


class Sealing(Protocol):
    """A store that can seal idle sessions."""

    async def seal(self) -> None:
        """Seal every session, as the worker does with idle ones."""


class Append:
    """Each task writes its conversations, one message a call."""

    def __init__(
        self, store: Store, conversations: list[list[Message]], *, tasks: int, operations: int, names: str = ""
    ) -> None:
        self._store = store
        self._plan = append_plan(conversations, tasks=tasks, operations=operations)
        self._names = names
        self._opened: dict[str, Conversation] = {}
        self._natives: dict[str, list[Any]] = {}

    async def prepare(self) -> None:
        """Open every conversation, and write to one per task at once, which opens as many connections."""
        for share in self._shares():
            self._opened[share.conversation] = await self._store.conversation(self._names + share.conversation)
            self._natives[share.conversation] = [self._store.native(message) for message in share.messages]
        warm = [await self._store.conversation(f"{self._names}warm-up-{task}") for task in range(len(self._plan))]
        for _ in range(WARM_UPS):
            # A message each: some stores give it an id when it is made, and take the same one but once.
            natives = [self._store.native({"role": "user", "content": "warm"}) for _ in warm]
            await asyncio.gather(*map(_append, warm, natives))
        await asyncio.gather(*(conversation.close() for conversation in warm))

    def lanes(self) -> list[list[Operation]]:
        """One append a message."""
        return [
            [
                partial(self._opened[share.conversation].append, native)
                for share in shares
                for native in self._natives[share.conversation]
            ]
            for shares in self._plan
        ]

    async def settle(self) -> None:
        """Nothing."""

    async def check(self) -> None:
        """The newest messages of every conversation are those of the file."""
        for share in self._shares():
            conversation = self._opened[share.conversation]
            found = await conversation.load(LOAD_MESSAGES)
            expect(self._store, found, share.messages[-LOAD_MESSAGES:], share.conversation)
            await conversation.close()

    def _shares(self) -> list[Share]:
        return [share for shares in self._plan for share in shares]


class Load:
    """Each task reads the newest messages, of one session after another."""

    def __init__(
        self,
        store: Store,
        conversations: list[list[Message]],
        *,
        tasks: int,
        operations: int,
        sessions: int = 64,
        length: int = 60,
        last: int = LOAD_MESSAGES,
        sealed: bool = False,
    ) -> None:
        self._store = store
        self._shares = load_plan(conversations, sessions=sessions, length=length)
        self._tasks = tasks
        self._operations = operations
        self._last = last
        self._sealed = sealed
        self._opened: list[Conversation] = []

    async def prepare(self) -> None:
        """Fill the sessions, and read all of them at once, which opens as many connections."""
        for share in self._shares:
            conversation = await self._store.conversation(share.conversation)
            await fill(self._store, conversation, share.messages)
            self._opened.append(conversation)
        if self._sealed:
            await _seal(self._store)
        for _ in range(WARM_UPS):
            await asyncio.gather(*(conversation.load(self._last) for conversation in self._opened))

    def lanes(self) -> list[list[Operation]]:
        """Task t begins at session t, so that no two read the same one at once."""
        each = max(self._operations // self._tasks, 1)
        return [
            [partial(conversation.load, self._last) for conversation in islice(cycle(self._opened), task, task + each)]
            for task in range(self._tasks)
        ]

    async def settle(self) -> None:
        """Nothing."""

    async def check(self) -> None:
        """Every session answers its newest messages, oldest first."""
        for share, conversation in zip(self._shares, self._opened, strict=True):
            found = await conversation.load(self._last)
            expect(self._store, found, share.messages[-self._last :], share.conversation)
            await conversation.close()


class Memory:
    """Sessions are filled and left, so that what they hold of the server's memory can be weighed."""

    def __init__(
        self,
        store: Store,
        conversations: list[list[Message]],
        *,
        tasks: int,
        operations: int,
        short: int = 0,
        sealed: bool = False,
    ) -> None:
        """Choose the sessions.

        Args:
            store: the subject.
            conversations: those of the file.
            tasks: how many sessions are filled at once.
            operations: how many sessions; 0: one for each conversation of the file.
            short: messages of a session, cut short; 0: whole conversations.
            sealed: seal them in the end.
        """
        self._store = store
        count = operations or len(conversations)
        self._shares = (
            short_plan(conversations, sessions=count, length=short)
            if short
            else whole_plan(conversations, sessions=count)
        )
        self._tasks = tasks
        self._sealed = sealed

    async def prepare(self) -> None:
        """Nothing: stores that connect for each session do so as they fill it."""

    def lanes(self) -> list[list[Operation]]:
        """A session an operation."""
        filling = [partial(self._fill, share) for share in self._shares]
        return [list(filling[task :: self._tasks]) for task in range(self._tasks)]

    async def _fill(self, share: Share) -> None:
        conversation = await self._store.conversation(share.conversation)
        try:
            await fill(self._store, conversation, share.messages)
        finally:
            await conversation.close()

    async def settle(self) -> None:
        """Seal, if that is asked for."""
        if self._sealed:
            await _seal(self._store)

    async def check(self) -> None:
        """A share of the sessions answers its newest messages."""
        for share in self._shares[:: max(len(self._shares) // 100, 1)]:
            conversation = await self._store.conversation(share.conversation)
            found = await conversation.load(LOAD_MESSAGES)
            expect(self._store, found, share.messages[-LOAD_MESSAGES:], share.conversation)
            await conversation.close()


async def _append(conversation: Conversation, native: Any) -> None:  # noqa: ANN401  whatever the store takes
    await conversation.append(native)


async def fill(store: Store, conversation: Conversation, messages: Sequence[Message]) -> None:
    """Write many messages, in as few calls as any store takes them."""
    natives = [store.native(message) for message in messages]
    for start in range(0, len(natives), FILL_ITEMS):
        await conversation.fill(natives[start : start + FILL_ITEMS])


async def _seal(store: Any) -> None:  # noqa: ANN401  a Store that is Sealing, by the feature it was opened with
    sealing: Sealing = store
    await sealing.seal()


WORKS: Final[dict[str, Callable[..., Work]]] = {"append": Append, "load": Load, "memory": Memory}


def expect(store: Store, found: Sequence[Any], expected: Sequence[Message], name: str) -> None:
    """Compare what was read with what was written.

    Raises:
        AssertionError: they differ.
    """
    read = [store.plain(native) for native in found]
    written = [store.plain(store.native(message)) for message in expected]
    if read != written:
        raise AssertionError(f"{name}: read {len(read)} messages that are not the {len(written)} written")
