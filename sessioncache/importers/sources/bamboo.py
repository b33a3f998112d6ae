"""Sessions of Bamboo: a folder a session, below `sessions/`, with a sidecar and a log of token usage.

The rule of this module: what Bamboo tolerates is tolerated here too (a damaged index or sidecar, a torn last line of
the log) and named in a note.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessioncache.importers.models import Problem, SourceSession, Unreadable
from sessioncache.importers.sources.reading import (
    Malformed,
    digest_of,
    object_from,
    objects_in,
    streamed,
    text_in,
    time_from_text,
)
from sessioncache.types import JSONObject, check_session_id

__all__ = ["BambooSource", "RuntimeFolder"]

SESSION: Final = "session.json"
SIDECAR: Final = "runtime.json"
USAGE: Final = "token-usage.jsonl"
INDEX: Final = "sessions.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFolder(SourceSession):
    """One session's folder."""

    session: JSONObject
    """All fields, the sidecar's over those of `session.json`; the messages are among them."""
    usage: tuple[str, ...]
    """Lines of the token usage log, as they are."""


class BambooSource:
    """The folder that holds `sessions/`, or that folder itself."""

    def __init__(self, path: Path) -> None:
        """Look for sessions' folders.

        Raises:
            Malformed: there is no such folder.
        """
        self._root = path / "sessions" if (path / "sessions").is_dir() else path
        if not self._root.is_dir():
            raise Malformed(f"{path} is no folder")
        self._path = path
        # Parents before their children, whose records name them.
        self._folders = sorted(
            (file.parent for file in self._root.rglob(SESSION)), key=lambda folder: (len(folder.parts), folder)
        )

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self._path)

    async def count(self) -> int | None:
        """How many folders there are."""
        return len(self._folders)

    def sessions(self) -> AsyncIterator[RuntimeFolder | Unreadable]:
        """Every folder, parents before children."""
        return streamed(self._read_all())

    def notes(self) -> list[str]:
        """What the index and the attachments say."""
        files = sum(1 for folder in self._folders for file in (folder / "attachments").rglob("*") if file.is_file())
        told = [f"{files} attachments are files beside the sessions and stay where they are"] if files else []
        return [*self._index_notes(), *told]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _index_notes(self) -> list[str]:
        index = self._root.parent / INDEX
        if not index.is_file():
            return []
        try:
            listed = object_from(index.read_bytes()).get("sessions")
        except (ValueError, OSError) as error:
            return [f"{INDEX} {error}; the folders were read without it"]
        gone = sorted(set(listed if isinstance(listed, dict) else ()) - {folder.name for folder in self._folders})
        if not gone:
            return []
        named = ", ".join(gone[:5]) + (" …" if len(gone) > len(gone[:5]) else "")
        return [f"{INDEX} lists {len(gone)} sessions that have no {SESSION} any more: {named}"]

    def _read_all(self) -> Iterator[RuntimeFolder | Unreadable]:
        for folder in self._folders:
            name = str(folder.relative_to(self._root.parent))
            try:
                yield self._read(folder, name)
            except (ValueError, OSError) as error:
                yield Unreadable(name, str(error))

    def _read(self, folder: Path, name: str) -> RuntimeFolder:
        session = object_from((folder / SESSION).read_bytes())
        session_id = check_session_id(text_in(session, "id"))
        if session_id != folder.name:
            raise Malformed(f"holds the session {session_id!r}, but its folder is {folder.name!r}")
        messages = objects_in(session, "messages")
        sidecar, sidecar_notes = _sidecar(folder, name, session_id)
        if sidecar is not None:
            session = {**sidecar, "messages": messages}
        usage, problems, usage_notes = _usage(folder, name)
        return RuntimeFolder(
            name=name,
            id=session_id,
            digest=digest_of(session, usage),
            counts={"messages": len(messages), "usage": len(usage)},
            created_at=time_from_text(session.get("created_at"), "created_at"),
            updated_at=time_from_text(session.get("updated_at"), "updated_at"),
            problems=tuple(problems),
            notes=(*sidecar_notes, *usage_notes),
            skipped={"usage": 1} if usage_notes else {},
            session=session,
            usage=tuple(usage),
        )


def _sidecar(folder: Path, name: str, session_id: str) -> tuple[JSONObject | None, list[str]]:
    """The sidecar, if it can be used: it is written before `session.json`, and so is never older."""
    try:
        found = object_from((folder / SIDECAR).read_bytes())
    except FileNotFoundError:
        return None, []
    except (ValueError, OSError) as error:
        return None, [f"{name}/{SIDECAR} {error}; {SESSION} is taken alone"]
    if found.get("id") != session_id:
        return None, [f"{name}/{SIDECAR} belongs to session {found.get('id')!r}; {SESSION} is taken alone"]
    return found, []


def _usage(folder: Path, name: str) -> tuple[list[str], list[Problem], list[str]]:
    """The lines of the usage log, those that cannot be used, and a note on a torn end."""
    try:
        lines = (folder / USAGE).read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], [], []
    good: list[str] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            object_from(line)
        except Malformed as error:
            if number == len(lines):
                notes.append(f"{name}/{USAGE}, line {number}: the end of the file is torn off in it; it is left out")
            else:
                problems.append(Problem(f"{name}/{USAGE}, line {number}", str(error), "usage"))
        else:
            good.append(line.decode().strip())
    return good, problems, notes
