"""The part of `cache.upkeep` that seals: reads what is to be compressed, and swaps it for chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.sealing import lua as sealing_lua
from sessioncache.sealing._async import AsyncSealing
from sessioncache.sealing.chunks import body_of, needed_dictionary, pack_chunk
from sessioncache.sealing.dictionaries import known_dictionary, pack_dictionary, unpack_dictionary
from sessioncache.sealing.models import CurrentDictionary, Sealable, SealState, Swap
from sessioncache.sealing.plan import shortened
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import SessionId
from sessioncache.upkeep.models import ShardLease, Trimmed
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key, Keyspace

__all__ = ["AsyncSealingSteps"]

NO_LEASE_JOB = "none"


class AsyncSealingSteps:
    """Steps of sealing. Every write carries the lease's token."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys
        self._sealing = AsyncSealing(transport, keys)

    async def seal_states(self, session_ids: Sequence[SessionId]) -> list[SealState | SessionCacheError | None]:
        """What records say about sealing; None where there is none. One pipelined round trip."""
        calls = [sealing_lua.state(session=self._keys.session(session_id)) for session_id in session_ids]
        return await self._transport.call_many(calls, return_errors=True)

    async def sealable(
        self, session_ids: Sequence[SessionId], *, limits: Sequence[int]
    ) -> list[Sealable | SessionCacheError | None]:
        """The oldest messages of sessions that are not sealed, and those of the last chunk. One pipelined round trip.

        Another one, now and then, for a dictionary that this process has not met.
        """
        calls: list[Call[Any]] = []
        for session_id, limit in zip(session_ids, limits, strict=True):
            keys = self._keys.session(session_id)
            # The state first: what is rewritten after it is refused later.
            calls += [
                sealing_lua.state(session=keys),
                sealing_lua.oldest(session=keys, limit=limit),
                sealing_lua.last_chunk(session=keys),
            ]
        replies = await self._transport.call_many(calls, return_errors=True)
        found: list[Sealable | SessionCacheError | None] = []
        for at, session_id in enumerate(session_ids):
            state, entries, chunk = replies[3 * at : 3 * at + 3]
            failed = next((part for part in (state, entries, chunk) if isinstance(part, SessionCacheError)), None)
            if failed is not None or state is None:
                found.append(failed)
                continue
            try:
                last = await self._sealing.entries(self._keys.session(session_id), chunk)
            except DecodeError as error:
                found.append(error)
                continue
            found.append(Sealable(state, entries, last))
        return found

    async def seal(
        self, shard: int, swaps: Mapping[SessionId, tuple[Swap, int | None]], *, lease: ShardLease | None = None
    ) -> list[str | SessionCacheError]:
        """Swap messages for chunks, unless they were changed since they were read. One pipelined round trip.

        Args:
            shard: whose sessions.
            swaps: by session; with the time, in milliseconds, for which nobody may have written to one that is sealed
                whole, or None.
            lease: the worker's lease on the shard.

        Returns:
            For each session `sealed`, `changed`, or `dictionary` where the shard lacks the one that is needed.
        """
        key, token = self._lease(shard, lease)
        calls = [
            sealing_lua.seal(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                idle_ms=idle_ms,
                swap=swap,
                chunks=swap.items,
            )
            for session_id, (swap, idle_ms) in swaps.items()
        ]
        return await self._transport.call_many(calls, return_errors=True)

    async def shorten(
        self,
        shard: int,
        cutoffs: Mapping[SessionId, int],
        *,
        lease: ShardLease | None = None,
        dry_run: bool = False,
        first: Mapping[SessionId, int] | None = None,
    ) -> list[Trimmed | SessionCacheError]:
        """Remove messages before a time from the first chunks of sessions. Two pipelined round trips.

        Args:
            shard: whose sessions.
            cutoffs: by session, in milliseconds since 1970.
            lease: the worker's lease on the shard.
            dry_run: whether nothing is removed, and the answer says what would be.
            first: of a dry run, which chunk would be the first by then.
        """
        key, token = self._lease(shard, lease)
        reads: list[Call[Any]] = []
        for session_id in cutoffs:
            keys = self._keys.session(session_id)
            reads += [
                sealing_lua.state(session=keys),
                sealing_lua.first_chunk(session=keys, at=(first or {}).get(session_id, 0)),
            ]
        replies = await self._transport.call_many(reads, return_errors=True)
        calls: list[Call[tuple[int, int]]] = []
        results: dict[SessionId, Trimmed | SessionCacheError] = {}
        sent: list[SessionId] = []
        for (session_id, before_ms), state, items in zip(cutoffs.items(), replies[::2], replies[1::2], strict=True):
            results[session_id] = Trimmed(0, 0, more=False)
            if isinstance(state, SessionCacheError) or isinstance(items, SessionCacheError):
                results[session_id] = state if isinstance(state, SessionCacheError) else items
                continue
            keys = self._keys.session(session_id)
            try:
                entries = await self._sealing.entries(keys, items)
            except DecodeError as error:
                results[session_id] = error
                continue
            kept = shortened(entries, before_ms)
            if state is None or len(kept) == len(entries) or any(entry.damage for entry in entries):
                continue
            if dry_run:
                gone = entries[: len(entries) - len(kept)]
                size = sum(len(entry.payload) for entry in gone)
                results[session_id] = Trimmed(len(gone), size, more=False)
                continue
            name = needed_dictionary(items[1])
            place, body = body_of(kept)
            chunk = pack_chunk(body, None if name is None else known_dictionary(name), name or "")
            sent.append(session_id)
            calls.append(
                sealing_lua.shorten(
                    session=keys,
                    lease=key,
                    now_override_ms=self._keys.now_override_ms,
                    lease_token=token,
                    gen=state.gen,
                    rewritten=state.rewritten,
                    known_place=items[0],
                    place=str(place).encode(),
                    chunk=chunk,
                )
            )
        outcomes = await self._transport.call_many(calls, return_errors=True)
        for session_id, outcome in zip(sent, outcomes, strict=True):
            if isinstance(outcome, SessionCacheError):
                results[session_id] = outcome
            else:
                messages, size = outcome
                results[session_id] = Trimmed(messages, size, more=False)
        return list(results.values())

    async def current_dictionary(self) -> CurrentDictionary:
        """The dictionary that the namespace seals with now, if there is one."""
        found = await self._transport.call(sealing_lua.current_dictionary(keys=self._keys))
        return found if found.data is None else replace(found, data=unpack_dictionary(found.data))

    async def current_dictionary_name(self) -> str:
        """The hash of the dictionary that the namespace seals with now; empty: none."""
        return (await self._transport.call(sealing_lua.current_dictionary(keys=self._keys))).name

    async def save_current_dictionary(self, name: str, data: bytes) -> None:
        """Seal with this dictionary from now on."""
        stored = pack_dictionary(data)
        await self._transport.call(sealing_lua.save_current_dictionary(keys=self._keys, name=name, data=stored))

    async def save_dictionary_try(self, total: int) -> None:
        """Note how many bytes of messages there were when somebody tried to make a dictionary."""
        await self._transport.call(sealing_lua.save_dictionary_try(keys=self._keys, total=total))

    async def save_dictionary(self, shard: int, name: str, data: bytes) -> None:
        """Put a dictionary where chunks of the shard may need it."""
        keys, stored = self._keys.shard(shard), pack_dictionary(data)
        await self._transport.call(sealing_lua.save_dictionary(shard=keys, name=name, data=stored))

    def _lease(self, shard: int, lease: ShardLease | None) -> tuple[Key, int]:
        if lease is None:
            return self._keys.shard(shard).lease(NO_LEASE_JOB), 0
        return self._keys.shard(shard).lease(lease.job), lease.token
