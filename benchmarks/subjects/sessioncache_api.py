"""sessioncache through its public API, as its README says."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from time import time
from typing import Any

from benchmarks.conversations import Message
from benchmarks.subjects.contract import NEAR_CACHE, SEALED, JSONStore, Unavailable
from benchmarks.subjects.own_works import OWN_WORKS
from benchmarks.subjects.serve import serve
from benchmarks.subjects.works import WORKS
from sessioncache import AsyncSessionCache, Settings

NAMESPACE = "bench"
COMPACT = "sessioncache.maintenance.compact"
COMPACT_LIMIT = 100_000
COMPACT_RUNS_MAX = 100
IDLE_MS = 7_200_000
NOT_THERE = "not available in this version"


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


class SessionCacheStore(JSONStore):
    """One cache."""

    def __init__(self) -> None:
        self._caches: list[AsyncSessionCache] = []

    def versions(self) -> dict[str, str]:
        """The library, its driver, the quicker parser if it is there, and how calls travel."""
        found = {name: version(name) for name in ("sessioncache", "redis", "hiredis")}
        found["msgspec"] = version("msgspec") if find_spec("msgspec") else "not installed"
        transport = getattr(self.cache.settings, "transport", None)
        return found | ({"transport": str(transport)} if transport else {})

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:  # noqa: ARG002  64 fit the default
        """One cache with its defaults."""
        options: dict[str, Any] = {}
        if SEALED in features and find_spec(COMPACT) is None:
            raise Unavailable(f"{NOT_THERE} (job compact)")
        if NEAR_CACHE in features:
            if "near_cache_bytes" not in Settings.model_fields:
                raise Unavailable(f"{NOT_THERE} (setting near_cache_bytes)")
            options["near_cache_bytes"] = 256 * 1024 * 1024
        self.url = url
        self.cache = await self.cache_in(NAMESPACE, **options)

    async def cache_in(self, namespace: str, **options: Any) -> AsyncSessionCache:
        """A cache of that namespace, closed with the store."""
        cache = await AsyncSessionCache.from_url(self.url, namespace=namespace, **options).open()
        self._caches.append(cache)
        return cache

    async def seal(self) -> None:
        """What the worker does two hours later, when all sessions are idle: the job's clock is set forward.

        Raises:
            AssertionError: nothing was sealed.
        """
        later = await self.cache_in(NAMESPACE)
        later.keys.now_override_ms = int(time() * 1000) + IDLE_MS
        run = importlib.import_module(COMPACT).run
        changed = 0
        for shard in range(later.settings.shards):
            for _ in range(COMPACT_RUNS_MAX):
                report = await run(later, shard, limit=COMPACT_LIMIT)
                changed += report.changed
                if report.done:
                    break
        if not changed:
            raise AssertionError("the job compact changed nothing")

    async def conversation(self, name: str) -> SessionCacheConversation:
        """A handle."""
        return SessionCacheConversation(self.cache, name)

    async def close(self) -> None:
        """Close the caches."""
        for cache in self._caches:
            await cache.aclose()


if __name__ == "__main__":
    serve(SessionCacheStore, WORKS | OWN_WORKS)
