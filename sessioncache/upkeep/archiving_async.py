"""The part of `cache.upkeep` that archives: reads whole sessions as they lie there, and puts them back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, TypeAlias

from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.sealing.models import RawEntry
from sessioncache.types import Base, SessionId
from sessioncache.upkeep import commands, lua
from sessioncache.upkeep.models import ArchiveState, ShardLease, StoredPart
from sessioncache.upkeep.sealing_async import AsyncSealingSteps
from sessioncache.wire.call import Arg, Write
from sessioncache.wire.keys import CATALOGUE, ROOMS, Key, SessionKeys

__all__ = ["AsyncArchivingSteps"]

Kind: TypeAlias = Literal["hash", "zset", "list"]

PART = 200
"""Messages or entries that are read, or put back, at once."""

CHUNKS = 4
"""Chunks of sealed messages, likewise."""

TYPES = {kind.pattern.partition("<id>:")[2]: kind.type for kind in CATALOGUE}


class AsyncArchivingSteps(AsyncSealingSteps):
    """Steps of archiving, and of bringing back what was archived."""

    async def archive_states(self, session_ids: Sequence[SessionId]) -> list[ArchiveState | SessionCacheError | None]:
        """What records say about archiving; None where there is none. One pipelined round trip."""
        calls = [commands.archive_state(session=self._keys.session(session_id)) for session_id in session_ids]
        return await self._transport.call_many(calls, return_errors=True)

    async def archived(
        self, shard: int, states: Mapping[SessionId, ArchiveState], *, lease: ShardLease | None = None
    ) -> list[bool | SessionCacheError]:
        """Note that sessions were archived as these states say; False for those that were changed since."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.archived(
                record=self._keys.session(session_id).record,
                lease=key,
                lease_token=token,
                gen=state.gen,
                revision=state.revision,
            )
            for session_id, state in states.items()
        ]
        return await self._transport.call_many(calls, return_errors=True)

    async def contents(self, session_id: SessionId) -> AsyncIterator[StoredPart]:
        """All that lies in a session's keys, its operation ids left out; sealed messages as if they were not.

        Somebody may write meanwhile: whoever needs it of one moment compares the archive state before and after.

        Raises:
            DecodeError: messages are sealed, and their chunk is damaged.
        """
        keys = self._keys.session(session_id)
        fields = await self._transport.call(commands.record_fields(session=keys))
        yield StoredPart("record", "", "", tuple(fields))
        named = dict(zip(fields[::2], fields[1::2], strict=True))
        start = 0
        if b"sealed" in named:
            async for entries in self._sealed(keys):
                yield _messages(entries)
                start = entries[-1].seq
        while page := await self._transport.call(commands.messages_part(session=keys, start=start + 1, limit=PART)):
            yield _messages(page)
            start = page[-1].seq
        for room, suffixes in ROOMS.items():
            # A count that is damaged says nothing: what there is of the room is read.
            if named.get(f"n:{room}".encode(), b"0") != b"0":
                for suffix, key in zip(suffixes, keys.room(room), strict=True):
                    async for kind, values in self._room(suffix, key):
                        yield StoredPart(kind, room, suffix, tuple(values))

    async def _sealed(self, keys: SessionKeys) -> AsyncIterator[list[RawEntry]]:
        at = 0
        while items := await self._transport.call(commands.list_part(key=keys.sealed, start=at, limit=2 * CHUNKS)):
            entries = await self._sealing.entries(keys, items)
            damaged = next((entry for entry in entries if entry.damage is not None), None)
            if damaged is not None:
                raise DecodeError(f"message {damaged.seq} is sealed and cannot be read: {damaged.damage}")
            yield entries
            at += len(items)

    async def _room(self, suffix: str, key: Key) -> AsyncIterator[tuple[Kind, list[bytes]]]:
        kind, at, cursor = TYPES[suffix], 0, "0"
        while True:
            values: list[bytes] = []
            if kind == "hash":
                cursor, values = await self._transport.call(commands.hash_part(key=key, cursor=cursor, limit=PART))
                if values:
                    yield "hash", values
                if cursor == "0":
                    return
                continue
            if kind == "zset":
                values = await self._transport.call(commands.zset_part(key=key, start=at, limit=PART))
            else:
                values = await self._transport.call(commands.list_part(key=key, start=at, limit=PART))
            if not values:
                return
            yield "zset" if kind == "zset" else "list", values
            at += PART

    async def restore(self, session_id: SessionId, part: StoredPart, *, base: Base, operation_id: str) -> None:
        """Put a part back into a session that an import has made. One round trip for every 200 entries.

        Raises:
            SessionGone: the session was deleted meanwhile.
        """
        keys = self._keys.session(session_id)
        width = {"messages": 4, "list": 1, "record": len(part.values) or 1}.get(part.part, 2)
        items, order = keys.room("qa")
        [traces] = keys.room("traces")
        if part.suffix:
            items = order = traces = _key_of(keys, part)
        for at in range(0, len(part.values), width * PART):
            rest: list[Arg] = list(part.values[at : at + width * PART])
            call = lua.restore(
                session=keys,
                items=items,
                order=order,
                traces=traces,
                write=Write.of(self._keys, "upkeep.restore", base, f"{operation_id}-{at}"),
                part=part.part,
                room=part.room if part.suffix == part.room else "",
                rest=rest,
            )
            await self._transport.call(call)


def _messages(entries: Sequence[RawEntry]) -> StoredPart:
    values: list[bytes] = []
    for entry in entries:
        values += [b"%d" % entry.seq, b"%d" % entry.ms, entry.mark.encode(), entry.payload]
    return StoredPart("messages", "", "", tuple(values))


def _key_of(keys: SessionKeys, part: StoredPart) -> Key:
    for room, suffixes in ROOMS.items():
        if room == part.room and part.suffix in suffixes:
            return keys.room(room)[suffixes.index(part.suffix)]
    raise DecodeError(f"there is no room {part.room!r} with a key {part.suffix!r}; upgrade sessioncache")
