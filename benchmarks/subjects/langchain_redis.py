"""langchain-redis, as its documentation says: one `RedisChatMessageHistory` a session, over one client.

Runs in an environment of its own (`requirements/langchain-redis.txt`). It has no asynchronous code: its asynchronous
methods are those of the base class, which call the others in threads. A history reads whole sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_redis import RedisChatMessageHistory
from redis import Redis

from benchmarks.conversations import Message
from benchmarks.subjects.search import without_search
from benchmarks.subjects.serve import serve


class HistoryConversation:
    """A history."""

    def __init__(self, history: RedisChatMessageHistory) -> None:
        self._history = history

    async def append(self, message: BaseMessage) -> object:
        """A list of one."""
        return await self._history.aadd_messages([message])

    async def fill(self, messages: Sequence[BaseMessage]) -> object:
        """All in one call."""
        return await self._history.aadd_messages(list(messages))

    async def load(self, last: int) -> Sequence[Any]:
        """All, for there is no other way; the newest of them."""
        messages = await self._history.aget_messages()
        return list(messages[-last:])

    async def close(self) -> None:
        """The client is shared."""


class HistoryStore:
    """One client."""

    def versions(self) -> dict[str, str]:
        """The library and its driver."""
        return {name: version(name) for name in ("langchain-redis", "langchain-core", "redis", "hiredis")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  its pool has no limit
        """A history makes the index, where the server can."""
        self._client = Redis.from_url(url)
        with without_search():
            RedisChatMessageHistory(session_id="warm-up", redis_client=self._client)

    def native(self, message: Message) -> BaseMessage:
        """Its kinds of message; what has no field is a keyword argument, which is what it stores."""
        text: str = message.get("content") or ""
        rest = {name: value for name, value in message.items() if name not in {"role", "content", "tool_call_id"}}
        match message["role"]:
            case "system":
                return SystemMessage(text, additional_kwargs=rest)
            case "user":
                return HumanMessage(text, additional_kwargs=rest)
            case "tool":
                return ToolMessage(text, tool_call_id=message["tool_call_id"], additional_kwargs=rest)
            case _:
                return AIMessage(text, additional_kwargs=rest)

    def plain(self, native: BaseMessage) -> object:
        """Kind, text and the rest."""
        return native.type, native.content, native.additional_kwargs, getattr(native, "tool_call_id", None)

    async def conversation(self, name: str) -> HistoryConversation:
        """A history."""
        return HistoryConversation(RedisChatMessageHistory(session_id=name, redis_client=self._client))

    async def close(self) -> None:
        """Close the client."""
        self._client.close()


if __name__ == "__main__":
    serve(HistoryStore)
