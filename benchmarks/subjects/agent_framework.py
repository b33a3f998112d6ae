"""agent-framework-redis, as its documentation says: one `RedisHistoryProvider` for all sessions.

Runs in an environment of its own (`requirements/agent-framework-redis.txt`). A provider reads whole sessions, when it
saves as well: it compares what is new with what is there. So a load of the newest 50 reads all 60.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from agent_framework import Message as FrameworkMessage
from agent_framework.redis import RedisHistoryProvider

from benchmarks.conversations import Message
from benchmarks.subjects.serve import serve


class ProviderConversation:
    """A session id."""

    def __init__(self, provider: RedisHistoryProvider, name: str) -> None:
        self._provider = provider
        self._name = name

    async def append(self, message: FrameworkMessage) -> object:
        """A list of one."""
        return await self._provider.save_messages(self._name, [message])

    async def fill(self, messages: Sequence[FrameworkMessage]) -> object:
        """All in one call."""
        return await self._provider.save_messages(self._name, list(messages))

    async def load(self, last: int) -> Sequence[Any]:
        """All, for there is no other way; the newest of them."""
        messages = await self._provider.get_messages(self._name)
        return list(messages[-last:])

    async def close(self) -> None:
        """The provider is shared."""


class ProviderStore:
    """One provider with a client of its own."""

    def versions(self) -> dict[str, str]:
        """The framework and its driver."""
        return {name: version(name) for name in ("agent-framework-redis", "agent-framework-core", "redis", "hiredis")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  its pool has no limit
        """Connections open as they are needed."""
        self._provider = RedisHistoryProvider(redis_url=url, application_id="bench")

    def native(self, message: Message) -> FrameworkMessage:
        """Its message with an id, as its agents have it; what is no text is a property."""
        rest = {name: value for name, value in message.items() if name not in {"role", "content"}}
        return FrameworkMessage(
            role=message["role"],
            contents=[message.get("content") or ""],
            message_id=str(uuid.uuid4()),
            additional_properties=rest,
        )

    def plain(self, native: FrameworkMessage) -> object:
        """Role, text and properties."""
        return str(native.role), native.text, native.additional_properties

    async def conversation(self, name: str) -> ProviderConversation:
        """A session id."""
        return ProviderConversation(self._provider, name)

    async def close(self) -> None:
        """Close its client."""
        await self._provider.aclose()


if __name__ == "__main__":
    serve(ProviderStore)
