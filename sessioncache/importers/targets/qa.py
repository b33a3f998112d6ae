"""Sessions of cognee go to contract 002."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.importers.sources.cognee import QASession
from sessioncache.importers.sources.reading import time_from_text
from sessioncache.importers.targets.checks import check_values
from sessioncache.qa.models import QAEntry
from sessioncache.sessions.models import Session
from sessioncache.stores.qa_async import AsyncQAStore
from sessioncache.stores.stored_model import given
from sessioncache.traces.models import TraceStep

__all__ = ["CONTEXT", "QATarget"]

BATCH: Final = 500

CONTEXT: Final = "session_context"
"""Name of the document that holds the session's context entries, which the contract has no place for."""

RENAMED: Final = {"qa_id": "id", "time": "created_at"}


class QATarget:
    """Writes each session's entries, trace, graph and context."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache
        self._store = AsyncQAStore(cache)

    def check(self, source: QASession) -> None:
        """Refuse entries that are none of contract 002, or too large."""
        settings = self._cache.settings
        for entry in _entries(source):
            check_values({f"entry {entry.id}": entry.model_dump(mode="json")}, settings)
        for step in _steps(source):
            check_values({f"trace step {step.trace_id}": step.model_dump(mode="json")}, settings)
        check_values(_documents(source) | {"graph": source.graph}, settings)

    def opening(self, source: QASession) -> Session:
        """An empty record of the user."""
        return Session(id=source.id, user=source.user)

    async def write(self, source: QASession) -> None:
        """Save the entries, 500 at once, then what stands beside them."""
        entries, steps = _entries(source), _steps(source)
        for start in range(0, len(entries), BATCH):
            await self._cache.qa.save(source.id, entries[start : start + BATCH])
        for start in range(0, len(steps), BATCH):
            await self._cache.traces.append(source.id, steps[start : start + BATCH])
        if source.graph is not None:
            await self._store.set_graph_context(source.session_id, source.user, source.graph)
        documents = _documents(source)
        if documents:
            await self._cache.documents.save(source.id, documents)

    async def count(self, source: QASession) -> Mapping[str, int]:
        """How many entries, steps and context entries there are, and whether there is a graph."""
        context = (await self._cache.documents.get(source.id, CONTEXT)).values.get(CONTEXT, [])
        graph = await self._store.get_graph_context(source.session_id, source.user)
        return {
            "entries": await self._cache.qa.count(source.id),
            "traces": await self._cache.traces.count(source.id),
            "context": len(context),
            "graph": 0 if graph is None else 1,
        }


def _entries(source: QASession) -> list[QAEntry]:
    return [given(QAEntry, _entry(entry), what=f"entry {entry['qa_id']}") for entry in source.entries]


def _entry(stored: Mapping[str, Any]) -> dict[str, Any]:
    """An entry in our words. An empty context is none, as both of cognee's SDKs read it."""
    entry = {RENAMED.get(name, name): value for name, value in stored.items() if name != "id"}
    entry["context"] = entry.get("context") or None
    if entry.get("created_at") is not None:
        entry["created_at"] = time_from_text(entry["created_at"], "time")
    flags = entry.get("memify_metadata")
    if isinstance(flags, dict):
        # Newer versions keep details of a pipeline among the flags.
        details = {name: value for name, value in flags.items() if not isinstance(value, bool)}
        entry["memify_metadata"] = {name: value for name, value in flags.items() if isinstance(value, bool)} or None
        if details:
            entry["memify_details"] = details
    return entry


def _steps(source: QASession) -> list[TraceStep]:
    return [given(TraceStep, step, what=f"trace step {step['trace_id']}") for step in source.traces]


def _documents(source: QASession) -> dict[str, Any]:
    return {CONTEXT: list(source.context)} if source.context else {}
