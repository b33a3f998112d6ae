"""Sessions of Bamboo go to contract 004."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.importers.sources.bamboo import RuntimeFolder
from sessioncache.importers.targets.checks import check_messages, check_values
from sessioncache.sessions.models import Session
from sessioncache.stores.runtime_async import AsyncRuntimePersistence
from sessioncache.stores.runtime_models import RuntimeSession
from sessioncache.stores.stored_model import dumped, given

__all__ = ["RuntimeTarget"]

BATCH: Final = 500

SERVER_TIMES: Final = ("created_at", "updated_at")
"""The store's session has those of the server; the import's marker keeps the source's."""


class RuntimeTarget:
    """Writes each folder as one runtime session."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache
        self._store = AsyncRuntimePersistence(cache)

    def check(self, source: RuntimeFolder) -> None:
        """Refuse what is no runtime session, or has parts that are too large."""
        session = _session(source)
        check_messages([dumped(message) for message in session.messages], self._cache.settings)
        check_values({"runtime": session.to_document(), "metadata": session.metadata}, self._cache.settings)

    def opening(self, source: RuntimeFolder) -> Session:
        """The whole record: a save that meets a stored one leaves title, pin and host fields as they are stored."""
        return _session(source).to_record()

    async def write(self, source: RuntimeFolder) -> None:
        """Save the session, then its usage log."""
        await self._store.save_runtime_session(_session(source))
        for start in range(0, len(source.usage), BATCH):
            await self._cache.usage.append(source.id, source.usage[start : start + BATCH], create=False)

    async def count(self, source: RuntimeFolder) -> Mapping[str, int]:
        """How many messages the session has that is loaded, and how many lines there are."""
        loaded = await self._store.load(source.id)
        return {
            "messages": 0 if loaded is None else len(loaded.messages),
            "usage": await self._cache.usage.count(source.id),
        }


def _session(source: RuntimeFolder) -> RuntimeSession:
    fields = {name: value for name, value in source.session.items() if name not in SERVER_TIMES}
    return given(RuntimeSession, fields, what="session")
