"""The five stores over one cache, and something in every room of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sessioncache import (
    AsyncSessionCache,
)
from sessioncache.entities import EntityMention, Relationship
from sessioncache.freshness import SourceReference
from sessioncache.stores import (
    ActiveSession,
    AsyncAssetStore,
    AsyncContextStorage,
    AsyncQAStore,
    AsyncRuntimePersistence,
    AsyncTranscriptStore,
    ContextUpdate,
    RuntimeMessage,
    SessionCheckpoint,
    UpdateContent,
    UpdateType,
)


class Stores:
    """The five views of one cache."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self.cache = cache
        self.context = AsyncContextStorage(cache)
        self.transcript = AsyncTranscriptStore(cache)
        self.qa = AsyncQAStore(cache)
        self.asset = AsyncAssetStore(cache)
        self.runtime = AsyncRuntimePersistence(cache)


def update(text: str) -> ContextUpdate:
    """A context update with this title."""
    return ContextUpdate(
        id=uuid4(), timestamp=datetime.now(UTC), update_type=UpdateType.DECISION_MADE, content=UpdateContent(title=text)
    )


def message(text: str) -> RuntimeMessage:
    """A message of a user."""
    return RuntimeMessage(id=str(uuid4()), role="user", content=text)


async def fill(stores: Stores, session_id: str) -> None:
    """Put something into every room of a session."""
    cache = stores.cache
    await stores.context.save_session_with_updates(
        ActiveSession(id=UUID(session_id), name="n"), session_id, [update("u")]
    )
    await stores.context.save_checkpoint(SessionCheckpoint(id=uuid4(), session_id=UUID(session_id)))
    workspace = str(uuid4())
    await stores.context.save_workspace_metadata(workspace, "w", "", [session_id])
    await stores.context.register_source(session_id, SourceReference("e", "a.py", b"1", datetime.now(UTC)))
    await stores.transcript.save(session_id, [{"role": "user", "content": "hi"}])
    await stores.qa.create_qa_entry(session_id, None, "q", "a")
    await stores.qa.set_graph_context(session_id, None, "graph")
    await cache.traces.append(session_id, {"origin_function": "f", "status": "success"})
    await cache.usage.append(session_id, '{"model": "m", "input_tokens": 1}')
    await cache.entities.save(
        session_id,
        entities=[EntityMention(name="one")],
        relationships=[Relationship(from_entity="one", to_entity="two")],
    )
    async with cache.leases.hold(session_id, ttl_ms=60_000):
        pass
