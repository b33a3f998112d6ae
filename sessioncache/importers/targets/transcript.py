"""Conversations of the Brainwires framework go to contract 001."""

from __future__ import annotations

from collections.abc import Mapping

from sessioncache.client._async import AsyncSessionCache
from sessioncache.importers.sources.brainwires import Conversation
from sessioncache.importers.targets.checks import check_messages
from sessioncache.sessions.models import Session
from sessioncache.stores.stored_model import dumped, given
from sessioncache.stores.transcript_async import AsyncTranscriptStore
from sessioncache.stores.transcript_models import TranscriptMessage

__all__ = ["TranscriptTarget"]


class TranscriptTarget:
    """Writes each row as one transcript."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache
        self._store = AsyncTranscriptStore(cache)

    def check(self, source: Conversation) -> None:
        """Refuse messages that are none of contract 001, or too large."""
        messages = [
            dumped(given(TranscriptMessage, message, what=f"message {position}"))
            for position, message in enumerate(source.messages)
        ]
        check_messages(messages, self._cache.settings)

    def opening(self, source: Conversation) -> Session:
        """An empty record."""
        return Session(id=source.id)

    async def write(self, source: Conversation) -> None:
        """Save the transcript in one swap."""
        await self._store.save(source.id, source.messages)

    async def count(self, source: Conversation) -> Mapping[str, int]:
        """How many messages the transcript has that is loaded."""
        return {"messages": len(await self._store.load(source.id) or ())}
