"""openai-agents, as its documentation says: one `RedisSession.from_url(session_id, url=…)` a conversation.

Runs in an environment of its own (`requirements/openai-agents.txt`). Each session has a connection of its own, which is
opened, and greeted with PING, before the clock runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from agents.extensions.memory import RedisSession

from benchmarks.conversations import Message
from benchmarks.subjects.contract import JSONStore
from benchmarks.subjects.serve import serve


class AgentsConversation:
    """A RedisSession."""

    def __init__(self, session: RedisSession) -> None:
        self._session = session

    async def append(self, message: Message) -> object:
        """A list of one, as the framework's runner saves an item."""
        return await self._session.add_items([message])

    async def fill(self, messages: Sequence[Message]) -> object:
        """All in one call."""
        return await self._session.add_items(list(messages))

    async def load(self, last: int) -> Sequence[Message]:
        """The newest items."""
        items: list[Message] = await self._session.get_items(last)
        return items

    async def close(self) -> None:
        """Close the session's own client."""
        await self._session.close()


class AgentsStore(JSONStore):
    """Nothing is shared between sessions but the server."""

    def versions(self) -> dict[str, str]:
        """The framework and its driver."""
        return {name: version(name) for name in ("openai-agents", "redis", "hiredis")}

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  a connection a session
        """Sessions connect themselves."""
        self._url = url

    async def conversation(self, name: str) -> AgentsConversation:
        """A session, connected."""
        session = RedisSession.from_url(name, url=self._url)
        if not await session.ping():
            raise ConnectionError(f"the RedisSession {name} cannot reach the server")
        return AgentsConversation(session)

    async def close(self) -> None:
        """Sessions were closed one by one."""


if __name__ == "__main__":
    serve(AgentsStore)
