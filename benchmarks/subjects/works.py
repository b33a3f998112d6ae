"""The operations that are measured. Standard library only: this runs in every subject's own environment.

The rule of this module: `prepare` does all that is not measured; what `lanes` answers is measured and nothing besides;
`check` reads back, so that no subject is fast by not doing the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import cycle, islice
from typing import Final, Protocol, TypeAlias

from benchmarks.conversations import Message, append_plan, load_plan
from benchmarks.subjects.contract import Conversation, Store

__all__ = ["WORKS", "Operation", "Work"]

Operation: TypeAlias = Callable[[], Awaitable[object]]
LOAD_MESSAGES: Final = 50
LOAD_SESSIONS: Final = 64
LOAD_SESSION_MESSAGES: Final = 60
WARM_UPS: Final = 4
"""Rounds before the clock runs: pools open connections as they are needed at once, so one round may not open all."""


class Work(Protocol):
    """One kind of operation, on one store."""

    async def prepare(self) -> None:
        """Open, connect, fill and warm up."""

    def lanes(self) -> list[list[Operation]]:
        """For each task its operations, in their order."""
        ...

    async def check(self) -> None:
        """Raise AssertionError if the store does not hold or answer what it should; close the conversations."""


class Append:
    """Each task writes its conversations, one message a call."""

    def __init__(self, store: Store, conversations: list[list[Message]], *, tasks: int, operations: int) -> None:
        self._store = store
        self._plan = append_plan(conversations, tasks=tasks, operations=operations)
        self._opened: dict[str, Conversation] = {}

    async def prepare(self) -> None:
        """Open every conversation, and write to one per task at once, which opens as many connections."""
        for share in (share for shares in self._plan for share in shares):
            self._opened[share.conversation] = await self._store.conversation(share.conversation)
        warm = [await self._store.conversation(f"warm-up-{task}") for task in range(len(self._plan))]
        for _ in range(WARM_UPS):
            await asyncio.gather(*(conversation.append({"role": "user", "content": "warm"}) for conversation in warm))
        await asyncio.gather(*(conversation.close() for conversation in warm))

    def lanes(self) -> list[list[Operation]]:
        """One append a message."""
        return [
            [
                partial(self._opened[share.conversation].append, message)
                for share in shares
                for message in share.messages
            ]
            for shares in self._plan
        ]

    async def check(self) -> None:
        """The newest messages of every conversation are those of the file."""
        for share in (share for shares in self._plan for share in shares):
            conversation = self._opened[share.conversation]
            found = await conversation.load(LOAD_MESSAGES)
            expect(found, share.messages[-LOAD_MESSAGES:], share.conversation)
            await conversation.close()


class Load:
    """Each task reads the newest 50 messages, of one session after another."""

    def __init__(self, store: Store, conversations: list[list[Message]], *, tasks: int, operations: int) -> None:
        self._store = store
        self._shares = load_plan(conversations, sessions=LOAD_SESSIONS, length=LOAD_SESSION_MESSAGES)
        self._tasks = tasks
        self._operations = operations
        self._opened: list[Conversation] = []

    async def prepare(self) -> None:
        """Fill the sessions, and read all of them at once, which opens as many connections."""
        for share in self._shares:
            conversation = await self._store.conversation(share.conversation)
            await conversation.fill(share.messages)
            self._opened.append(conversation)
        for _ in range(WARM_UPS):
            await asyncio.gather(*(conversation.load(1) for conversation in self._opened))

    def lanes(self) -> list[list[Operation]]:
        """Task t begins at session t, so that no two read the same one at once."""
        each = max(self._operations // self._tasks, 1)
        return [
            [
                partial(conversation.load, LOAD_MESSAGES)
                for conversation in islice(cycle(self._opened), task, task + each)
            ]
            for task in range(self._tasks)
        ]

    async def check(self) -> None:
        """Every session answers its newest 50 messages, oldest first."""
        for share, conversation in zip(self._shares, self._opened, strict=True):
            expect(await conversation.load(LOAD_MESSAGES), share.messages[-LOAD_MESSAGES:], share.conversation)
            await conversation.close()


WORKS: Final[dict[str, Callable[..., Work]]] = {"append": Append, "load": Load}


def expect(found: Sequence[Message], expected: Sequence[Message], name: str) -> None:
    """Compare what was read with what was written.

    Raises:
        AssertionError: they differ.
    """
    if list(found) != list(expected):
        raise AssertionError(f"{name}: read {len(found)} messages that are not the {len(expected)} written")
