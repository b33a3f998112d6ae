"""Exports of post-cortex go to contract 000."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessioncache.client._async import AsyncSessionCache
from sessioncache.importers.sources.post_cortex import ExportedSession
from sessioncache.importers.targets.checks import check_values
from sessioncache.sessions.models import Session
from sessioncache.stores.context_async import AsyncContextStorage
from sessioncache.stores.context_models import ActiveSession, SessionCheckpoint
from sessioncache.stores.stored_model import dumped, given
from sessioncache.types import JSONObject
from sessioncache.workspaces.models import SessionRole

__all__ = ["ContextTarget"]

UPDATES = {"hot_context", "incremental_updates"}


class ContextTarget:
    """Writes each session with its updates, checkpoints and memberships."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache
        self._store = AsyncContextStorage(cache)

    def check(self, source: ExportedSession) -> None:
        """Refuse what is no session, update or checkpoint of contract 000, or too large."""
        settings = self._cache.settings
        if source.session:
            session = _session(source)
            check_values(session.model_dump(mode="json", exclude=UPDATES), settings)
            check_values({f"update {one.id}": dumped(one) for one in session.incremental_updates}, settings)
        check_values({f"checkpoint {one.id}": dumped(one) for one in _checkpoints(source)}, settings)

    def opening(self, source: ExportedSession) -> Session:
        """A record with the session's name."""
        return Session(id=source.id, title=source.session.get("name"))

    async def write(self, source: ExportedSession) -> None:
        """Save the session, then what belongs to it."""
        if source.session:
            await self._store.save_session(_session(source))
        for checkpoint in _checkpoints(source):
            await self._store.save_checkpoint(checkpoint)
        for member in source.memberships:
            workspace = member.workspace
            # One that is there already keeps its name.
            if await self._cache.workspaces.get(workspace["id"]) is None:
                name, about = str(workspace.get("name") or ""), str(workspace.get("description") or "")
                await self._store.save_workspace_metadata(workspace["id"], name, about)
            role = SessionRole.read(member.role)
            await self._store.add_session_to_workspace(workspace["id"], source.id, role)

    async def count(self, source: ExportedSession) -> Mapping[str, int]:
        """How many updates, checkpoints and memberships there are."""
        return {
            "updates": len(await self._store.load_session_updates(source.id)),
            "checkpoints": len(await self._cache.checkpoints.list(source.id)),
            "memberships": len(await self._cache.workspaces.of_session(source.id)),
        }


def _session(source: ExportedSession) -> ActiveSession:
    fields = {**source.session, "incremental_updates": list(source.updates), **_graph(source.session)}
    return given(ActiveSession, fields, what="the session")


def _graph(session: Mapping[str, Any]) -> JSONObject:
    """The entity graph with its edges as relationships; what else stands in it stays."""
    found = session.get("entity_graph")
    if not isinstance(found, dict):
        return {}
    graph = found.get("graph") or {}
    relationships = [{**edge, "from_entity": start, "to_entity": end} for start, end, edge in graph.get("edges") or ()]
    rest = {name: value for name, value in found.items() if name != "graph"}
    return {"entity_graph": {**rest, "relationships": relationships}}


def _checkpoints(source: ExportedSession) -> list[SessionCheckpoint]:
    return [given(SessionCheckpoint, one, what=f"checkpoint {one['id']}") for one in source.checkpoints]
