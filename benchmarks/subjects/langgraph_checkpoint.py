"""langgraph-checkpoint-redis, as its documentation says: one `AsyncRedisSaver` for all threads.

Runs in an environment of its own (`requirements/langgraph-checkpoint-redis.txt`). Its unit is a checkpoint, which
holds all messages of a thread: to add one is to put a new checkpoint with all of them, as a graph does after each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.redis.aio import AsyncRedisSaver

from benchmarks.conversations import Message
from benchmarks.subjects.contract import JSONStore
from benchmarks.subjects.search import without_search
from benchmarks.subjects.serve import serve

CONNECTIONS_MAX = 1024
"""A load asks for several keys at once, so 64 tasks need more than the hundred that redis-py 8 opens unasked."""


class ThreadConversation:
    """A thread."""

    def __init__(self, saver: AsyncRedisSaver, name: str) -> None:
        self._saver = saver
        self._config: dict[str, Any] = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
        self._latest = self._config
        self._messages: list[Message] = []

    async def append(self, message: Message) -> object:
        """A checkpoint with one message more."""
        return await self.fill([message])

    async def fill(self, messages: Sequence[Message]) -> object:
        """One checkpoint."""
        self._messages.extend(messages)
        versions = {"messages": len(self._messages)}
        checkpoint = empty_checkpoint() | {
            "channel_values": {"messages": list(self._messages)},
            "channel_versions": versions,
        }
        metadata = {"source": "loop", "step": len(self._messages)}
        self._latest = await self._saver.aput(self._latest, checkpoint, metadata, versions)
        return self._latest

    async def load(self, last: int) -> Sequence[Any]:
        """The latest checkpoint's newest messages."""
        found = await self._saver.aget(self._config)
        return list(found["channel_values"]["messages"][-last:]) if found else []

    async def close(self) -> None:
        """The saver is shared."""


class ThreadStore(JSONStore):
    """One saver."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    def versions(self) -> dict[str, str]:
        """The library and its driver."""
        names = ("langgraph-checkpoint-redis", "langgraph-checkpoint", "redis", "hiredis")
        return {name: version(name) for name in names}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  its pool has no limit
        """Make its indexes, where the server can."""
        with without_search():
            saver = AsyncRedisSaver.from_conn_string(url, connection_args={"max_connections": CONNECTIONS_MAX})
            self._saver = await self._stack.enter_async_context(saver)
            await self._saver.asetup()

    async def conversation(self, name: str) -> ThreadConversation:
        """A thread."""
        return ThreadConversation(self._saver, name)

    async def close(self) -> None:
        """Close the saver, if it was opened."""
        await self._stack.aclose()


if __name__ == "__main__":
    serve(ThreadStore)
