"""Sessions of cognee: lists on a Redis, one key a part of a session.

The rule of this module: nothing is changed there. Keys are found with SCAN, lists are read in parts, and one that
changes in length while it is read is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import NAMESPACE_URL, uuid5

from sessioncache.importers.models import Problem, SourceSession, Unreadable
from sessioncache.importers.sources.reading import Malformed, digest_of, object_from, time_from_text
from sessioncache.types import JSONObject

__all__ = ["CogneeSource", "QASession", "Reader"]

BATCH: Final = 500
TRIES: Final = 5

LISTS: Final[Mapping[str, str]] = {
    "agent_sessions:": "entries",
    "agent_traces:": "traces",
    "cognee:trace:": "traces",
    "session_context:": "context",
}
GRAPH: Final = "graph_knowledge:"
USAGE: Final = "usage_logs:"


class Reader(Protocol):
    """What is asked of a redis-py client; answers are bytes."""

    def scan(self, cursor: int, match: str, count: int) -> Awaitable[Any]:
        """Cursor and keys."""

    def llen(self, name: bytes) -> Awaitable[Any]:
        """Length of a list."""

    def lrange(self, name: bytes, start: int, end: int) -> Awaitable[Any]:
        """A part of a list."""

    def get(self, name: bytes) -> Awaitable[Any]:
        """A string."""

    def aclose(self) -> Awaitable[None]:
        """Close the connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QASession(SourceSession):
    """One session of one user."""

    session_id: str
    """As cognee calls it; another user may have one of the same name."""
    entries: tuple[JSONObject, ...]
    traces: tuple[JSONObject, ...]
    context: tuple[JSONObject, ...]
    graph: str | None


class CogneeSource:
    """A Redis that cognee, or its Rust SDK, has written to."""

    def __init__(self, reader: Reader, name: str) -> None:
        """Read from an open client.

        Args:
            reader: a redis-py client that does not decode replies; closed with the source.
            name: what to call it, without a password.
        """
        self._reader = reader
        self._name = name
        self._found: dict[tuple[str, str], dict[str, bytes]] | None = None
        self._notes: list[str] = []

    @property
    def name(self) -> str:
        """The URL."""
        return self._name

    async def count(self) -> int | None:
        """How many sessions were found."""
        return len(await self._scan())

    async def sessions(self) -> AsyncIterator[QASession | Unreadable]:
        """Every session, by user and name."""
        for (user, session_id), keys in sorted((await self._scan()).items()):
            name = f"session {session_id!r} of user {user!r}"
            try:
                found = await self._read(user, session_id, keys)
            except ValueError as error:
                yield Unreadable(name, str(error))
                continue
            if found is not None:
                yield found

    def notes(self) -> list[str]:
        """Keys that are no part of a session."""
        return self._notes

    async def aclose(self) -> None:
        """Close the connections."""
        await self._reader.aclose()

    async def _scan(self) -> dict[tuple[str, str], dict[str, bytes]]:
        """The keys of every session, by their prefix."""
        if self._found is not None:
            return self._found
        found: dict[tuple[str, str], dict[str, bytes]] = {}
        odd = 0
        for prefix in (*LISTS, GRAPH):
            async for key in self._keys(prefix):
                # A user's id holds no colon: cognee's are UUIDs, or `default`. A session's may.
                user, colon, session_id = key.decode("utf-8", "replace").removeprefix(prefix).partition(":")
                if not colon or not user or not session_id or "\ufffd" in user + session_id:
                    odd += 1
                else:
                    found.setdefault((user, session_id), {})[prefix] = key
        logs = {key async for key in self._keys(USAGE)}
        if odd:
            self._notes.append(f"{odd} keys that begin as cognee's do do not name user and session; they are left out")
        if logs:
            self._notes.append(f"the usage logs of {len(logs)} users ({USAGE}…) belong to no session and are left out")
        self._found = found
        return found

    async def _keys(self, prefix: str) -> AsyncIterator[bytes]:
        cursor = 0
        while True:
            cursor, keys = await self._reader.scan(cursor, match=f"{prefix}*", count=BATCH)
            for key in keys:
                yield key
            if not int(cursor):
                return

    async def _read(self, user: str, session_id: str, keys: Mapping[str, bytes]) -> QASession | None:
        parts: dict[str, list[JSONObject]] = {"entries": [], "traces": [], "context": []}
        problems: list[Problem] = []
        for prefix, kind in LISTS.items():
            if prefix in keys:
                good, bad = _objects(keys[prefix].decode(), kind, await self._list(keys[prefix]))
                parts[kind] += good
                problems += bad
        graph = await self._graph(keys[GRAPH]) if GRAPH in keys else None
        key = next(iter(keys.values())).decode()
        entries, notes, twice = _with_ids(parts["entries"], key, "qa_id")
        problems += twice
        traces, more_notes, twice = _with_ids(parts["traces"], key, "trace_id")
        problems += twice
        parts |= {"entries": entries, "traces": traces}
        counts = {kind: len(found) for kind, found in parts.items()} | {"graph": 0 if graph is None else 1}
        if not any(counts.values()) and not problems:
            return None  # it expired, or was deleted, since the scan
        times = _times(entries)
        return QASession(
            name=f"session {session_id!r} of user {user!r}",
            id=session_id,
            user=user,
            session_id=session_id,
            digest=digest_of(parts, graph),
            counts=counts,
            created_at=min(times, default=None),
            updated_at=max(times, default=None),
            problems=tuple(problems),
            notes=(*notes, *more_notes),
            entries=tuple(entries),
            traces=tuple(traces),
            context=tuple(parts["context"]),
            graph=graph,
        )

    async def _list(self, key: bytes) -> list[bytes]:
        for _ in range(TRIES):
            length = await self._reader.llen(key)
            found: list[bytes] = []
            while len(found) < length:
                part = await self._reader.lrange(key, len(found), len(found) + BATCH - 1)
                if not part:
                    break
                found += part
            if len(found) == length == await self._reader.llen(key):
                return found
        raise Malformed(f"{key.decode()} changed each of the {TRIES} times it was read; stop its writers and try again")

    async def _graph(self, key: bytes) -> str | None:
        found = await self._reader.get(key)
        try:
            return None if found is None else str(found.decode())
        except UnicodeDecodeError:
            raise Malformed(f"{key.decode()} is not UTF-8") from None


def _objects(key: str, kind: str, raw: list[bytes]) -> tuple[list[JSONObject], list[Problem]]:
    good: list[JSONObject] = []
    bad: list[Problem] = []
    for position, item in enumerate(raw):
        try:
            good.append(object_from(item))
        except Malformed as error:
            bad.append(Problem(f"{key}, item {position}", str(error), kind))
    return good, bad


def _with_ids(items: list[JSONObject], key: str, field: str) -> tuple[list[JSONObject], list[str], list[Problem]]:
    """Each item with an id of its own: early versions wrote none, and a client that tried twice wrote one twice."""
    found: dict[str, JSONObject] = {}
    problems: list[Problem] = []
    doubled = 0
    for position, item in enumerate(items):
        identity = item.get(field) or str(uuid5(NAMESPACE_URL, f"{key}#{position}"))
        if not isinstance(identity, str):
            kind = "entries" if field == "qa_id" else "traces"
            problems.append(Problem(f"{key}, item {position}", f"{field} is no text: {identity!r}", kind))
        elif identity not in found:
            found[identity] = {**item, field: identity}
        elif found[identity] == item:
            doubled += 1
        else:
            found[str(uuid5(NAMESPACE_URL, f"{key}#{position}"))] = {
                **item,
                field: str(uuid5(NAMESPACE_URL, f"{key}#{position}")),
            }
    notes = [f"{key}: {doubled} items were there twice, word for word; each is taken once"] if doubled else []
    return list(found.values()), notes, problems


def _times(entries: list[JSONObject]) -> list[datetime]:
    found: list[datetime] = []
    for entry in entries:
        try:
            found.append(time_from_text(entry.get("time"), "time"))
        except Malformed:
            continue  # the store says what it does with an entry's own time
    return found
