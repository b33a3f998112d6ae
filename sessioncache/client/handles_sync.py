# Generated from sessioncache/client/handles_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The handle of one session: every noun with the id filled in."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from sessioncache.types import SessionId

if TYPE_CHECKING:
    from sessioncache.checkpoints._sync import Checkpoints
    from sessioncache.client._sync import SessionCache
    from sessioncache.context._sync import Context
    from sessioncache.documents._sync import Documents
    from sessioncache.entities._sync import Entities
    from sessioncache.qa._sync import QA
    from sessioncache.traces._sync import Traces
    from sessioncache.transcripts._sync import Transcripts
    from sessioncache.usage._sync import Usage

__all__ = ["SessionHandle", "TranscriptHandle"]


class SessionHandle:
    """One session: the methods of `cache.sessions` with the id filled in, and of the nouns that belong to sessions."""

    def __init__(self, cache: SessionCache, session_id: SessionId) -> None:
        self.id = session_id
        self._cache = cache
        self.get = partial(cache.sessions.get, session_id)
        self.exists = partial(cache.sessions.exists, session_id)
        self.update = partial(cache.sessions.update, session_id)
        self.delete = partial(cache.sessions.delete, session_id)
        self.subscribe = partial(cache.feed.subscribe, session_id)
        self.retain = partial(cache.retention.update, session_id)
        self.hold = partial(cache.leases.hold, session_id)
        self.transcript = TranscriptHandle(cache.transcripts, session_id)

    @cached_property
    def context(self) -> ContextHandle:
        """`cache.context` of this session."""
        return ContextHandle(self._cache.context, self.id)

    @cached_property
    def checkpoints(self) -> CheckpointHandle:
        """`cache.checkpoints` of this session."""
        return CheckpointHandle(self._cache.checkpoints, self.id)

    @cached_property
    def qa(self) -> QAHandle:
        """`cache.qa` of this session."""
        return QAHandle(self._cache.qa, self.id)

    @cached_property
    def traces(self) -> TraceHandle:
        """`cache.traces` of this session."""
        return TraceHandle(self._cache.traces, self.id)

    @cached_property
    def usage(self) -> UsageHandle:
        """`cache.usage` of this session."""
        return UsageHandle(self._cache.usage, self.id)

    @cached_property
    def entities(self) -> EntityHandle:
        """`cache.entities` of this session."""
        return EntityHandle(self._cache.entities, self.id)

    @cached_property
    def documents(self) -> DocumentHandle:
        """`cache.documents` of this session."""
        return DocumentHandle(self._cache.documents, self.id)

    def __repr__(self) -> str:
        """Shows the id."""
        return f"{type(self).__name__}({self.id!r})"


class TranscriptHandle:
    """One transcript: the methods of `cache.transcripts` with the id filled in."""

    def __init__(self, transcripts: Transcripts, session_id: SessionId) -> None:
        self.append = partial(transcripts.append, session_id)
        self.list = partial(transcripts.list, session_id)
        self.each = partial(transcripts.each, session_id)
        self.count = partial(transcripts.count, session_id)
        self.save = partial(transcripts.save, session_id)
        self.pop = partial(transcripts.pop, session_id)
        self.delete = partial(transcripts.delete, session_id)


class ContextHandle:
    """What one session knows: the methods of `cache.context` with the id filled in."""

    def __init__(self, context: Context, session_id: SessionId) -> None:
        self.save = partial(context.save, session_id)
        self.list = partial(context.list, session_id)
        self.each = partial(context.each, session_id)
        self.get = partial(context.get, session_id)
        self.count = partial(context.count, session_id)
        self.delete = partial(context.delete, session_id)
        self.get_state = partial(context.get_state, session_id)
        self.save_state = partial(context.save_state, session_id)


class CheckpointHandle:
    """The checkpoints of one session: the methods of `cache.checkpoints` with the id filled in."""

    def __init__(self, checkpoints: Checkpoints, session_id: SessionId) -> None:
        self.save = partial(checkpoints.save, session_id)
        self.list = partial(checkpoints.list, session_id)
        self.get = partial(checkpoints.get, session_id)
        self.delete = partial(checkpoints.delete, session_id)


class QAHandle:
    """The questions and answers of one session: the methods of `cache.qa` with the id filled in."""

    def __init__(self, qa: QA, session_id: SessionId) -> None:
        self.append = partial(qa.append, session_id)
        self.save = partial(qa.save, session_id)
        self.list = partial(qa.list, session_id)
        self.last = partial(qa.last, session_id)
        self.each = partial(qa.each, session_id)
        self.get = partial(qa.get, session_id)
        self.count = partial(qa.count, session_id)
        self.update = partial(qa.update, session_id)
        self.delete = partial(qa.delete, session_id)
        self.get_graph_context = partial(qa.get_graph_context, session_id)
        self.set_graph_context = partial(qa.set_graph_context, session_id)


class TraceHandle:
    """The trace of one session: the methods of `cache.traces` with the id filled in."""

    def __init__(self, traces: Traces, session_id: SessionId) -> None:
        self.append = partial(traces.append, session_id)
        self.list = partial(traces.list, session_id)
        self.each = partial(traces.each, session_id)
        self.count = partial(traces.count, session_id)


class UsageHandle:
    """The token usage of one session: the methods of `cache.usage` with the id filled in."""

    def __init__(self, usage: Usage, session_id: SessionId) -> None:
        self.append = partial(usage.append, session_id)
        self.list = partial(usage.list, session_id)
        self.each = partial(usage.each, session_id)
        self.count = partial(usage.count, session_id)
        self.totals = partial(usage.totals, session_id)
        self.over_time = partial(usage.over_time, session_id)
        self.rounds = partial(usage.rounds, session_id)
        self.compactions = partial(usage.compactions, session_id)


class EntityHandle:
    """The entities of one session: the methods of `cache.entities` with the id filled in."""

    def __init__(self, entities: Entities, session_id: SessionId) -> None:
        self.save = partial(entities.save, session_id)
        self.get = partial(entities.get, session_id)
        self.list = partial(entities.list, session_id)
        self.each = partial(entities.each, session_id)
        self.count = partial(entities.count, session_id)
        self.delete = partial(entities.delete, session_id)
        self.clear = partial(entities.clear, session_id)
        self.relationships = partial(entities.relationships, session_id)
        self.find_related = partial(entities.find_related, session_id)
        self.find_path = partial(entities.find_path, session_id)


class DocumentHandle:
    """The documents of one session: the methods of `cache.documents` with the id filled in."""

    def __init__(self, documents: Documents, session_id: SessionId) -> None:
        self.get = partial(documents.get, session_id)
        self.save = partial(documents.save, session_id)
