"""Exports of post-cortex: JSON, plain or compressed, of the format versions 1.0.0, 1.1.0 and 1.2.0.

The versions differ in two things: up to 1.0.0 an edge of the entity graph was the name of a relation alone, later it is
an object with a context; from 1.2.0 on there are embeddings, which sessioncache does not keep.

The rule of this module: an edge leaves it in the newer form, whatever the version; everything else leaves it as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sessioncache.importers.models import Problem, SourceSession, Unreadable
from sessioncache.importers.sources.compressed import read_file
from sessioncache.importers.sources.reading import (
    WHY_NO_OBJECT,
    Malformed,
    digest_of,
    object_from,
    objects_in,
    streamed,
    text_in,
    time_from_s,
    time_from_text,
)
from sessioncache.types import JSONObject

__all__ = ["ExportedSession", "Membership", "PostCortexSource"]

VERSIONS: Final = ("1.0.0", "1.1.0", "1.2.0")
SUFFIXES: Final = (".json", ".json.gz", ".json.zst", ".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Membership:
    """A workspace that a session is in."""

    workspace: JSONObject
    """id, name, description, created_at and what else the export says of it, the list of sessions excepted."""
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedSession(SourceSession):
    """One session of an export, with what else the export says of it."""

    session: JSONObject
    """Empty: the export has only checkpoints of this session, which post-cortex keeps after a delete."""
    updates: tuple[JSONObject, ...]
    checkpoints: tuple[JSONObject, ...]
    memberships: tuple[Membership, ...]


class PostCortexSource:
    """One export, or a folder of them."""

    def __init__(self, path: Path) -> None:
        """Find the files.

        Raises:
            Malformed: there is none.
        """
        self._path = path
        if path.is_dir():
            self._files = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(SUFFIXES))
        else:
            self._files = [path] if path.is_file() else []
        if not self._files:
            raise Malformed(f"{path} is no export and holds none (files that end in {', '.join(SUFFIXES)})")
        self._notes: list[str] = []

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    async def count(self) -> int | None:
        """The exports would have to be read whole for this."""
        return None

    def sessions(self) -> AsyncIterator[ExportedSession | Unreadable]:
        """Every session of every file, and then those of which there are only checkpoints."""
        return streamed(self._read_all())

    def notes(self) -> list[str]:
        """What the exports hold besides."""
        return self._notes

    async def aclose(self) -> None:
        """Nothing is open."""

    def _read_all(self) -> Iterator[ExportedSession | Unreadable]:
        self._notes = []
        for file in self._files:
            try:
                export = object_from(read_file(file))
                version = text_in(export, "format_version")
                if version not in VERSIONS:
                    raise Malformed(f"has the format version {version}; known are {', '.join(VERSIONS)}")
                parts = _Parts(file.name, export)
            except ValueError as error:
                yield Unreadable(file.name, str(error))
                continue
            yield from parts.sessions()
            self._notes += parts.notes


class _Parts:
    """One export, its checkpoints and workspaces put to their sessions."""

    def __init__(self, name: str, export: Mapping[str, Any]) -> None:
        self.name = name
        self.notes: list[str] = []
        self._sessions = objects_in(export, "sessions")
        self._checkpoints: dict[str, list[JSONObject]] = {}
        self._memberships: dict[str, list[Membership]] = {}
        self._problems: dict[str, list[Problem]] = {}
        self._known = {_id_of(exported.get("session")) for exported in self._sessions}
        for position, checkpoint in enumerate(objects_in(export, "checkpoints")):
            self._take_checkpoint(position, checkpoint)
        for workspace in objects_in(export, "workspaces"):
            self._take_workspace(workspace)
        embeddings = export.get("embeddings")
        if isinstance(embeddings, list) and embeddings:
            self.notes.append(f"{name}: {len(embeddings)} embeddings were left out; sessioncache keeps no vectors")

    def sessions(self) -> Iterator[ExportedSession | Unreadable]:
        for position, exported in enumerate(self._sessions):
            name = f"{self.name}, sessions[{position}]"
            session = exported.get("session")
            try:
                if not isinstance(session, dict):
                    raise Malformed(f"session {WHY_NO_OBJECT}")
                name = f"{self.name}, session {session.get('id')}"
                yield self._session(name, session, objects_in(exported, "updates"))
            except ValueError as error:
                yield Unreadable(name, str(error))
        for session_id in sorted(set(self._checkpoints) - self._known):
            name = f"{self.name}, checkpoints of session {session_id}"
            note = f"{name}: the export does not have the session itself, so it is made with its checkpoints alone"
            yield self._made(name, session_id, {}, [], note=note)

    def _session(self, name: str, session: JSONObject, updates: list[JSONObject]) -> ExportedSession:
        session_id = str(UUID(text_in(session, "id")))
        return self._made(name, session_id, {**session, **_graph_of(session)}, _all_updates(session, updates))

    def _made(
        self, name: str, session_id: str, session: JSONObject, updates: list[JSONObject], *, note: str = ""
    ) -> ExportedSession:
        checkpoints = self._checkpoints.get(session_id, [])
        memberships = self._memberships.get(session_id, [])
        newest = max((time_from_text(one.get("created_at"), "created_at") for one in checkpoints), default=None)
        return ExportedSession(
            name=name,
            id=session_id,
            digest=digest_of(session, updates, checkpoints, [[one.workspace, one.role] for one in memberships]),
            counts={"updates": len(updates), "checkpoints": len(checkpoints), "memberships": len(memberships)},
            created_at=time_from_text(session.get("created_at"), "created_at") if session else None,
            updated_at=time_from_text(session.get("last_updated"), "last_updated") if session else newest,
            problems=tuple(self._problems.get(session_id, ())),
            notes=(note,) if note else (),
            session=session,
            updates=tuple(updates),
            checkpoints=tuple(checkpoints),
            memberships=tuple(memberships),
        )

    def _take_checkpoint(self, position: int, checkpoint: JSONObject) -> None:
        try:
            session_id = str(UUID(text_in(checkpoint, "session_id")))
        except ValueError as error:
            raise Malformed(f"checkpoints[{position}]: session_id: {error}") from error
        try:
            str(UUID(text_in(checkpoint, "id")))
            time_from_text(checkpoint.get("created_at"), "created_at")
        except ValueError as error:
            name = f"{self.name}, checkpoint {checkpoint.get('id')}"
            self._problems.setdefault(session_id, []).append(Problem(name, str(error), "checkpoints"))
        else:
            self._checkpoints.setdefault(session_id, []).append(checkpoint)

    def _take_workspace(self, workspace: JSONObject) -> None:
        name = f"{self.name}, workspace {workspace.get('id')}"
        try:
            about = {**workspace, "id": str(UUID(text_in(workspace, "id")))}
            time_from_s(about.get("created_at"), "created_at")
            members = [(str(UUID(session_id)), str(role)) for session_id, role in about.pop("sessions", None) or ()]
        except (TypeError, ValueError, AttributeError) as error:
            raise Malformed(f"{name}: {error}") from error
        if not members:
            self.notes.append(f"{name} ({about.get('name')}) has no sessions and is left out")
        gone = 0
        for session_id, role in members:
            if session_id in self._known or session_id in self._checkpoints:
                self._memberships.setdefault(session_id, []).append(Membership(about, role))
            else:
                gone += 1
        if gone:
            self.notes.append(f"{name}: {gone} of its members are not in the export and are left out")


def _id_of(session: object) -> str:
    """A session's id, in the one form that ids are compared in; empty where there is none."""
    try:
        return str(UUID(text_in(session, "id"))) if isinstance(session, dict) else ""
    except ValueError:
        return ""


def _all_updates(session: Mapping[str, Any], stored: list[JSONObject]) -> list[JSONObject]:
    """The session's updates, the oldest first: its own list, with those that were only stored beside it.

    What was stored beside it comes in the order of random ids, and can lack the newest.
    """
    found: dict[str, JSONObject] = {}
    for update in [*objects_in(session, "incremental_updates"), *stored, *objects_in(session, "hot_context")]:
        found.setdefault(text_in(update, "id"), update)
    own = {str(update.get("id")) for update in objects_in(session, "incremental_updates")}
    if set(found) == own:
        return list(found.values())
    return sorted(found.values(), key=lambda update: time_from_text(update.get("timestamp"), "timestamp"))


def _graph_of(session: Mapping[str, Any]) -> JSONObject:
    """The entity graph with its edges in the newer form."""
    entity_graph = session.get("entity_graph")
    if not isinstance(entity_graph, dict):
        return {}
    graph = entity_graph.get("graph")
    if not isinstance(graph, dict):
        return {}
    edges = graph.get("edges") or []
    try:
        newer = [
            [start, end, {"relation_type": edge, "context": ""} if isinstance(edge, str) else edge]
            for start, end, edge in edges
        ]
    except (TypeError, ValueError):
        raise Malformed("entity_graph.graph.edges is no list of [from, to, relation]") from None
    return {"entity_graph": {**entity_graph, "graph": {**graph, "edges": newer}}}
