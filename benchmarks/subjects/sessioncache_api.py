"""sessioncache through its public API, as its README says."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from benchmarks.conversations import Message
from benchmarks.subjects.serve import serve
from sessioncache import AsyncSessionCache


class SessionCacheConversation:
    """A session's transcript."""

    def __init__(self, cache: AsyncSessionCache, name: str) -> None:
        self._transcript = cache.session(name).transcript

    async def append(self, message: Message) -> object:
        """One message, one call."""
        return await self._transcript.append(message)

    async def fill(self, messages: Sequence[Message]) -> object:
        """All in one call."""
        return await self._transcript.append(messages)

    async def load(self, last: int) -> Sequence[Message]:
        """The newest page's messages."""
        return (await self._transcript.list(last=last)).messages

    async def close(self) -> None:
        """A handle holds nothing."""


class SessionCacheStore:
    """One cache."""

    def versions(self) -> dict[str, str]:
        """The library and its driver."""
        return {name: version(name) for name in ("sessioncache", "redis", "hiredis")}

    async def open(self, url: str, tasks: int) -> None:  # noqa: ARG002  the default pool has room for 64
        """One cache with its defaults."""
        self._cache = await AsyncSessionCache.from_url(url, namespace="bench").open()

    async def conversation(self, name: str) -> SessionCacheConversation:
        """A handle."""
        return SessionCacheConversation(self._cache, name)

    async def close(self) -> None:
        """Close the cache."""
        await self._cache.aclose()


if __name__ == "__main__":
    serve(SessionCacheStore)
