"""The methods of `cache.inspection`: reads of what is stored, for `sessioncache.audit` and nobody else.

The rule of this module: nothing is written, no deadline slides, and a key of a type that nobody expects is a fact, not
an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sessioncache.errors import SessionCacheError
from sessioncache.inspection import lua
from sessioncache.inspection.models import NameSeen, SessionLook, ShardLook
from sessioncache.namespaces import lua as namespaces_lua
from sessioncache.namespaces import questions
from sessioncache.sealing import lua as sealing_lua
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import SessionId
from sessioncache.wire.keys import Key, Keyspace, SessionKeys
from sessioncache.wire.values import ValueEncoder

__all__ = ["AsyncInspection"]


class AsyncInspection:
    """What lies in a namespace."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self.values = values
        """What payloads are read with."""

    async def look(self, shard: int, users: Mapping[SessionId, Sequence[str]]) -> list[SessionLook | SessionCacheError]:
        """Sessions, each as it stands at one moment. One pipelined round trip.

        Args:
            shard: where to look, be it the sessions' own shard or not.
            users: ids, each with users under whom it was found listed.
        """
        calls = [
            lua.look(session=self.keys_of(shard, session_id), now_override_ms=self._keys.now_override_ms, users=named)
            for session_id, named in users.items()
        ]
        return await self._transport.call_many(calls, return_errors=True)

    async def shard(self, shard: int) -> ShardLook:
        """A shard's own keys at one moment. One round trip."""
        call = lua.shard(shard=self._keys.shard(shard), now_override_ms=self._keys.now_override_ms)
        return await self._transport.call(call)

    async def links(self, shard: int, rows: Mapping[SessionId, Sequence[str]]) -> list[list[int] | SessionCacheError]:
        """Of rows of a shard's links: 1 where one is there, 2 more where its session has what it says."""
        calls = [lua.links(session=self.keys_of(shard, session_id), rows=named) for session_id, named in rows.items()]
        return await self._transport.call_many(calls, return_errors=True)

    async def keys(self, shard: int, pattern: str, *, cursor: int, limit: int) -> tuple[int, list[str]]:
        """Some keys of the server that has a shard, and where to go on; 0 at the start and at the end."""
        return await self._transport.call(
            lua.keys(shard=self._keys.shard(shard), pattern=pattern, cursor=cursor, limit=limit)
        )

    async def names(self, names: Sequence[str]) -> list[NameSeen]:
        """Type and time to live of keys. One pipelined round trip."""
        calls: list[Any] = []
        for name in names:
            key = Key(name)
            calls += [questions.key_type(key=key), questions.key_ttl_ms(key=key)]
        answers = await self._transport.call_many(calls)
        return [NameSeen(name, kind, pttl) for name, kind, pttl in zip(names, answers[::2], answers[1::2], strict=True)]

    async def listed(self, shard: int, session_ids: Sequence[SessionId]) -> list[bool | SessionCacheError]:
        """Whether the list by last write has these sessions. One pipelined round trip."""
        index = self._keys.shard(shard).by_updated
        calls = [lua.score(index=index, member=self._keys.session(name).escaped) for name in session_ids]
        return await self._transport.call_many(calls, return_errors=True)

    async def lease(self, name: str) -> tuple[str, int]:
        """Holder and token of a shard's lease; a ValueError where the token is no number."""
        return await self._transport.call(questions.lease_seen(lease=Key(name)))

    async def config(self) -> dict[str, str]:
        """What is stored of the namespace; empty where it was never opened."""
        return await self._transport.call(questions.namespace_config(config=self._keys.config))

    async def servers(self, shards: Sequence[int], section: str) -> list[dict[str, str]]:
        """A section of INFO from the server of each of these shards; empty where it may not be asked."""
        calls = [namespaces_lua.info(config=self._keys.shard(shard).totals, section=section) for shard in shards]
        answers = await self._transport.call_many(calls, return_errors=True)
        return [{} if isinstance(answer, SessionCacheError) else answer for answer in answers]

    async def stamp(self, session: SessionKeys) -> tuple[bytes | None, ...]:
        """What every change of a session's contents changes in its record."""
        return await self._transport.call(lua.stamp(session=session))

    async def messages(self, session: SessionKeys, *, after: str, limit: int) -> list[Any]:
        """Entries of a stream behind an id, as they are stored."""
        return await self._transport.call(lua.messages(session=session, after=after, limit=limit))

    async def chunks(self, session: SessionKeys, *, first: int, last: int) -> list[bytes]:
        """Chunks, each behind its place."""
        return await self._transport.call(lua.chunks(session=session, first=first, last=last))

    async def dictionary(self, shard: int, name: str) -> bytes | None:
        """A dictionary as it is stored."""
        return await self._transport.call(sealing_lua.dictionary(shard=self._keys.shard(shard), name=name))

    async def lines(self, key: str, *, first: int, last: int) -> list[bytes]:
        """Items of a list."""
        return await self._transport.call(lua.lines(key=Key(key), first=first, last=last))

    async def fields(self, key: str, *, cursor: int, limit: int) -> tuple[int, dict[bytes, bytes]]:
        """Fields of a hash, and where to go on; 0 at the start and at the end."""
        return await self._transport.call(lua.fields(key=Key(key), cursor=cursor, limit=limit))

    async def members(self, key: str, *, cursor: int, limit: int) -> tuple[int, dict[bytes, float]]:
        """Members of a sorted set, and where to go on; 0 at the start and at the end."""
        return await self._transport.call(lua.members(key=Key(key), cursor=cursor, limit=limit))

    def keys_of(self, shard: int, session_id: SessionId) -> SessionKeys:
        """The keys that a session has, or would have, in a shard."""
        return self._keys.shard(shard).session(session_id)
