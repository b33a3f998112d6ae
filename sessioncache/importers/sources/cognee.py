"""Sessions of cognee: lists on a Redis, one key a part of a session.

The rule of this module: nothing is changed there. Keys are found with SCAN, lists are read in parts, and one that
changes in length while it is read is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from sessioncache.importers.models import Problem, SourceSession, Unreadable
from sessioncache.importers.sources.reading import Malformed, digest_of, object_from, time_from_text
from sessioncache.stores.user_sessions import session_id_for
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import JSONObject
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["CogneeSource", "QASession"]

BATCH: Final = 500
TRIES: Final = 5

LISTS: Final[Mapping[str, str]] = {
    "agent_sessions:": "entries",
    "agent_traces:": "traces",
    "cognee:trace:": "traces",
    "session_context:": "context",
}
GRAPH: Final = "graph_knowledge:"
SCORES: Final = range(1, 6)

ANY: Final = Key("")
"""Where a command without keys goes: there is one server."""
USAGE: Final = "usage_logs:"


@dataclass(frozen=True, slots=True, kw_only=True)
class QASession(SourceSession):
    """One session of one user."""

    session_id: str
    """As cognee calls it; another user may have one of the same name. `id` tells the two apart."""
    entries: tuple[JSONObject, ...]
    traces: tuple[JSONObject, ...]
    context: tuple[JSONObject, ...]
    graph: str | None


class CogneeSource:
    """A Redis that cognee, or its Rust SDK, has written to."""

    def __init__(self, transport: AsyncTransport, name: str) -> None:
        """Read over a transport to one server.

        Args:
            transport: closed with the source.
            name: what to call it, without a password.
        """
        self._transport = transport
        self._name = name
        self._found: dict[tuple[str, str], dict[str, Key]] | None = None
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
        await self._transport.aclose()

    async def _scan(self) -> dict[tuple[str, str], dict[str, Key]]:
        """The keys of every session, by their prefix."""
        if self._found is not None:
            return self._found
        found: dict[tuple[str, str], dict[str, Key]] = {}
        odd: set[bytes] = set()
        for prefix in (*LISTS, GRAPH):
            async for raw in self._keys(prefix):
                # A user's id holds no colon: cognee's are UUIDs, or `default`. A session's may.
                user, colon, session_id = raw.decode("utf-8", "replace").removeprefix(prefix).partition(":")
                try:
                    if not colon:
                        raise Malformed("no colon")
                    session_id_for(session_id, user)
                    key = Key(raw.decode())
                except ValueError:
                    odd.add(raw)
                else:
                    found.setdefault((user, session_id), {})[prefix] = key
        logs = {key async for key in self._keys(USAGE)}
        if odd:
            self._notes.append(f"{len(odd)} keys begin as cognee's do, but name no user and session; they are left out")
        if logs:
            self._notes.append(f"the usage logs of {len(logs)} users ({USAGE}…) belong to no session and are left out")
        self._found = found
        return found

    async def _keys(self, prefix: str) -> AsyncIterator[bytes]:
        cursor = b"0"
        while True:
            cursor, keys = await self._transport.call(
                Call("cognee.scan", "SCAN", (), (cursor, "MATCH", f"{prefix}*", "COUNT", BATCH), _as_is, routed_by=ANY)
            )
            for key in keys:
                yield key
            if int(cursor) == 0:
                return

    async def _read(self, user: str, session_id: str, keys: Mapping[str, Key]) -> QASession | None:
        parts: dict[str, list[JSONObject]] = {"entries": [], "traces": [], "context": []}
        problems: list[Problem] = []
        for prefix, kind in LISTS.items():
            if prefix in keys:
                good, bad = _objects(keys[prefix], kind, await self._list(keys[prefix]))
                parts[kind] += good
                problems += bad
        graph = await self._graph(keys[GRAPH]) if GRAPH in keys else None
        key = next(iter(keys.values()))
        parts["entries"], bad = _usable(parts["entries"], key)
        problems += bad
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
            id=session_id_for(session_id, user),
            origin=self._name,
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

    async def _list(self, key: Key) -> list[bytes]:
        if await self._type(key) not in ("list", "none"):
            raise Malformed(f"{key} is no list")
        for _ in range(TRIES):
            length = await self._length(key)
            found: list[bytes] = []
            while len(found) < length:
                part: list[bytes] = await self._transport.call(
                    Call("cognee.list", "LRANGE", (key,), (len(found), len(found) + BATCH - 1), _as_is)
                )
                if not part:
                    break
                found += part
            if len(found) == length == await self._length(key):
                return found
        raise Malformed(f"{key} changed each of the {TRIES} times it was read; stop its writers and try again")

    async def _length(self, key: Key) -> int:
        return await self._transport.call(Call("cognee.length", "LLEN", (key,), (), int))

    async def _type(self, key: Key) -> str:
        return await self._transport.call(Call("cognee.type", "TYPE", (key,), (), lambda reply: str(reply.decode())))

    async def _graph(self, key: Key) -> str | None:
        if await self._type(key) not in ("string", "none"):
            raise Malformed(f"{key} is no string")
        found: bytes | None = await self._transport.call(Call("cognee.get", "GET", (key,), (), _as_is))
        try:
            return None if found is None else found.decode()
        except UnicodeDecodeError:
            raise Malformed(f"{key} is not UTF-8") from None


def _as_is(reply: Any) -> Any:  # noqa: ANN401 - what the server answers
    return reply


def _objects(key: str, kind: str, raw: list[bytes]) -> tuple[list[JSONObject], list[Problem]]:
    good: list[JSONObject] = []
    bad: list[Problem] = []
    for position, item in enumerate(raw):
        try:
            good.append(object_from(item))
        except Malformed as error:
            bad.append(Problem(f"{key}, item {position}", str(error), kind))
    return good, bad


def _usable(entries: list[JSONObject], key: str) -> tuple[list[JSONObject], list[Problem]]:
    """Entries with question and answer, a time that can be read and a score in range."""
    good: list[JSONObject] = []
    bad: list[Problem] = []
    for position, entry in enumerate(entries):
        try:
            for field in ("question", "answer"):
                if not isinstance(entry.get(field), str):
                    raise Malformed(f"{field} is no text: {entry.get(field)!r}")
            if entry.get("time") is not None:
                time_from_text(entry["time"], "time")
            score = entry.get("feedback_score")
            if score is not None and (score not in SCORES or isinstance(score, bool | float)):
                raise Malformed(f"feedback_score is not 1 to 5: {score!r}")
        except Malformed as error:
            bad.append(Problem(f"{key}, entry {entry.get('qa_id') or position}", str(error), "entries"))
        else:
            good.append(entry)
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
    return [time_from_text(entry["time"], "time") for entry in entries if entry.get("time") is not None]
