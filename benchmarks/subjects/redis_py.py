"""Bare redis-py: one XADD a message, one XREVRANGE a load, JSON by the standard library, and no promises at all.

No index, deadline, totals, feed, operation ids or retries: the floor of what an append over this driver costs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from importlib.metadata import version

from redis.asyncio import Redis

from benchmarks.conversations import Message
from benchmarks.subjects.contract import JSONStore
from benchmarks.subjects.serve import serve

HOLD_S = 0.2


class StreamConversation:
    """A stream."""

    def __init__(self, client: Redis, name: str) -> None:
        self._client = client
        self._key = f"bench:{name}"

    async def append(self, message: Message) -> object:
        """XADD."""
        return await self._client.xadd(self._key, {"m": json.dumps(message, separators=(",", ":"))})

    async def fill(self, messages: Sequence[Message]) -> object:
        """One XADD after another."""
        return [await self.append(message) for message in messages]

    async def load(self, last: int) -> Sequence[Message]:
        """XREVRANGE, turned round."""
        entries = await self._client.xrevrange(self._key, count=last)
        return [json.loads(fields[b"m"]) for _, fields in reversed(entries)]

    async def close(self) -> None:
        """The client is shared."""


class StreamStore(JSONStore):
    """One client with its default pool."""

    def versions(self) -> dict[str, str]:
        """The driver and its parser."""
        return {name: version(name) for name in ("redis", "hiredis")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  it has none
        """A connection a task: each is held by a command that waits, so that the next one has to be opened."""
        self._client = Redis.from_url(url)
        await asyncio.gather(*(self._client.blpop(["bench:nothing"], timeout=HOLD_S) for _ in range(tasks)))

    async def conversation(self, name: str) -> StreamConversation:
        """A key."""
        return StreamConversation(self._client, name)

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


if __name__ == "__main__":
    serve(StreamStore)
