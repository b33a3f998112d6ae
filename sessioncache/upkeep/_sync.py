# Generated from sessioncache/upkeep/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.upkeep`: batches of single steps, for `sessioncache.maintenance` and nobody else.

```
worker A   acquire ─ token 7 ─── works ──── pauses (GC, SIGSTOP) ──────────────── writes with 7 ─▶ LeaseLost
worker B                              lease runs out ─ acquire ─ token 8 ─ works
```

A lease that has run out says nothing to its holder; the token does, for every script here compares it with the newest
one in the same moment in which it writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.feed import lua as feed_lua
from sessioncache.feed.models import Change
from sessioncache.retention import lua as retention_lua
from sessioncache.retention.models import RetentionPolicy
from sessioncache.sealing import lua as sealing_lua
from sessioncache.sealing._sync import Sealing
from sessioncache.sealing.chunks import body_of, needed_dictionary, pack_chunk
from sessioncache.sealing.dictionaries import known_dictionary, pack_dictionary, unpack_dictionary
from sessioncache.sealing.models import CurrentDictionary, Sealable, SealState, Swap
from sessioncache.sealing.plan import shortened
from sessioncache.transport.base import Transport
from sessioncache.types import SessionId, check_limit, check_text
from sessioncache.upkeep import lua
from sessioncache.upkeep.models import (
    LINKED_ROOMS,
    Counters,
    Evicted,
    Expired,
    ListName,
    NodeMemory,
    Reindexed,
    RoomPart,
    ShardLease,
    Trimmed,
    View,
    Walk,
    Walks,
)
from sessioncache.wire.call import Call
from sessioncache.wire.keys import ROOMS, Key, Keyspace

__all__ = ["Upkeep"]

NO_LEASE_JOB = "none"
SEALING_JOB = "compact"
"""Beside the lease of this job stands how far it has come, also where it runs without a lease."""


class Upkeep:
    """Steps of background work. Every write carries the lease's token, and is refused once a newer one exists."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys
        self._sealing = Sealing(transport, keys)

    def acquire(self, shard: int, job: str, *, holder: str, ttl_ms: int) -> ShardLease | None:
        """Take a shard's lease where it is free, has run out, or is the holder's own already. One round trip.

        Args:
            shard: 0 to the namespace's shard count less one.
            job: what is to be done; leases of different jobs do not meet.
            holder: a name that no other holder has.
            ttl_ms: when it runs out by itself, in milliseconds.

        Returns:
            The lease, with a newer token than any before, or None while somebody else holds it.
        """
        check_limit(shard, what="shard", at_most=self._keys.shards - 1)
        check_text(job, what="job", bytes_max=64)
        check_limit(ttl_ms, what="ttl_ms", at_least=1)
        call = lua.acquire(
            lease=self._keys.shard(shard).lease(job),
            now_override_ms=self._keys.now_override_ms,
            holder=holder,
            ttl_ms=ttl_ms,
        )
        held = self._transport.call(call)
        return None if held is None else ShardLease(shard, job, holder, *held)

    def renew(self, lease: ShardLease, *, ttl_ms: int) -> ShardLease:
        """Hold on to a lease under the same token. One round trip.

        Raises:
            LeaseLost: somebody else has taken it since.
        """
        call = lua.renew(
            lease=self._keys.shard(lease.shard).lease(lease.job),
            now_override_ms=self._keys.now_override_ms,
            holder=lease.holder,
            token=lease.token,
            ttl_ms=check_limit(ttl_ms, what="ttl_ms", at_least=1),
        )
        return replace(lease, until_ms=self._transport.call(call))

    def release(self, lease: ShardLease, *, seen: Mapping[str, int] | None = None) -> bool:
        """Give a lease back; False if it was not held any more. One round trip.

        Args:
            lease: what is given back.
            seen: what a run that came to the end of the shard saw there, for `ShardStats`; None: it did not come there.
        """
        keys = self._keys.shard(lease.shard)
        call = lua.release(
            shard=keys,
            lease=keys.lease(lease.job),
            holder=lease.holder,
            now_override_ms=self._keys.now_override_ms,
            token=lease.token,
            job="" if seen is None else lease.job,
            seen=[part for name, count in (seen or {}).items() for part in (name, str(count))],
        )
        return self._transport.call(call)

    def due(self, shard: int, *, limit: int) -> list[tuple[SessionId, int]]:
        """Sessions past their deadline, the longest overdue first, with for how many milliseconds."""
        call = lua.due(shard=self._keys.shard(shard), now_override_ms=self._keys.now_override_ms, limit=limit)
        return self._transport.call(call)

    def expire(
        self, shard: int, session_ids: Sequence[SessionId], *, lease: ShardLease | None = None
    ) -> list[Expired | SessionCacheError]:
        """Remove those of the sessions whose deadline has passed. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.expire(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
            )
            for session_id in session_ids
        ]
        return self._transport.call_many(calls, return_errors=True)

    def memory(self, shard: int) -> NodeMemory:
        """What the server that has the shard says about its memory."""
        return self._transport.call(lua.memory(shard=self._keys.shard(shard)))

    def evict(
        self,
        shard: int,
        chosen: Mapping[SessionId, int],
        *,
        lease: ShardLease | None = None,
        dry_run: bool = False,
    ) -> list[Evicted | SessionCacheError]:
        """Remove sessions to make room, each with the time at which it stood in the list. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.evict(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                updated_ms=updated_ms,
                dry_run=dry_run,
            )
            for session_id, updated_ms in chosen.items()
        ]
        return self._transport.call_many(calls, return_errors=True)

    def trim(
        self,
        shard: int,
        session_ids: Sequence[SessionId],
        policy: RetentionPolicy,
        *,
        lease: ShardLease | None = None,
    ) -> list[Trimmed | SessionCacheError]:
        """Remove the oldest messages beyond what retention keeps, 500 a session. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.trim(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                keep_messages=policy.keep_messages,
                keep_bytes=policy.keep_bytes,
                keep_age_ms=policy.keep_age_ms,
            )
            for session_id in session_ids
        ]
        return self._transport.call_many(calls, return_errors=True)

    def reindex(
        self, shard: int, listed: Mapping[SessionId, str | None], *, lease: ShardLease | None = None
    ) -> list[Reindexed | SessionCacheError]:
        """Make the shard's lists agree with records. One pipelined round trip.

        Args:
            shard: whose lists.
            listed: ids, each with the user under which it was found in the list by user, or None.
            lease: the worker's lease on the shard.
        """
        key, token = self._lease(shard, lease)
        calls = [
            lua.reindex(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                listed_user=user,
            )
            for session_id, user in listed.items()
        ]
        return self._transport.call_many(calls, return_errors=True)

    def by_user(self, shard: int, *, after: str, limit: int) -> list[tuple[str, str, SessionId]]:
        """Entries of the list by user, in an order in which sessions do not move: entry, user, id."""
        return self._transport.call(lua.by_user(shard=self._keys.shard(shard), after=after, limit=limit))

    def linked(self, shard: int, *, after: str, limit: int) -> list[tuple[str, SessionId]]:
        """Rows of a shard's links behind `after`, in their order, with the ids that they name."""
        return self._transport.call(lua.linked(shard=self._keys.shard(shard), after=after, limit=limit))

    def unlink(
        self, shard: int, rows: Mapping[SessionId, Sequence[str]], *, lease: ShardLease | None = None
    ) -> list[int | SessionCacheError]:
        """Remove rows of the links whose sessions do not have what they say. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.unlink(session=self._keys.session(session_id), lease=key, lease_token=token, rows=named)
            for session_id, named in rows.items()
        ]
        return self._transport.call_many(calls, return_errors=True)

    def things(self, parts: Sequence[RoomPart], *, limit: int) -> list[tuple[str, list[str]] | SessionCacheError]:
        """About `limit` entries of each of these rooms, and where each goes on. One pipelined round trip."""
        calls = [
            lua.things(
                room=self._keys.session(part.session_id).room(part.room)[-1],
                command="ZSCAN" if len(ROOMS[part.room]) > 1 else "HSCAN",
                cursor=part.cursor,
                limit=limit,
            )
            for part in parts
        ]
        return self._transport.call_many(calls, return_errors=True)

    def relink(
        self, shard: int, found: Sequence[tuple[RoomPart, Sequence[str]]], *, lease: ShardLease | None = None
    ) -> list[int | SessionCacheError]:
        """Put back what the shard's links lack of these entries. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.relink(
                session=self._keys.session(part.session_id),
                items=self._keys.session(part.session_id).room(part.room)[0],
                lease=key,
                lease_token=token,
                kind=LINKED_ROOMS[part.room],
                things=things,
            )
            for part, things in found
        ]
        return self._transport.call_many(calls, return_errors=True)

    def listed(self, shard: int, index: ListName, *, cursor: int, limit: int) -> tuple[int, list[SessionId]]:
        """About `limit` ids in one of a shard's lists, and the cursor to go on with; it begins and ends with 0."""
        keys = self._keys.shard(shard)
        key = keys.by_updated if index == "by-updated" else keys.deadlines
        return self._transport.call(lua.listed(index=key, cursor=cursor, limit=limit))

    def records(self, shard: int, *, cursor: int, limit: int) -> tuple[int, list[SessionId]]:
        """Sessions of the shard that have any key, whatever the lists say; `limit` keys of the node are looked at.

        The cursor to go on with comes first; it begins and ends with 0. The whole takes O(keys of the node).
        """
        return self._transport.call(lua.records(shard=self._keys.shard(shard), cursor=cursor, limit=limit))

    def counters(self, session_ids: Sequence[SessionId]) -> list[Counters | SessionCacheError | None]:
        """What records count, in the order of `COUNTED`; None where there is none. One pipelined round trip."""
        calls = [lua.counters(session=self._keys.session(session_id)) for session_id in session_ids]
        return self._transport.call_many(calls, return_errors=True)

    def changes(self, shard: int, *, after: int, limit: int) -> tuple[int, list[Change]]:
        """Number of a shard's newest change, and the changes after a number; limit 0: only the number."""
        call = feed_lua.read(shard=self._keys.shard(shard), after=after, limit=limit)
        read = self._transport.call(call)
        return read.newest[0], read.changes

    def policy(self, shard: int) -> RetentionPolicy:
        """The shard's copy of the namespace's retention policy."""
        return self._transport.call(retention_lua.get_policy(key=self._keys.shard(shard).policy, prefix=""))

    def save_policy(self, shard: int, policy: RetentionPolicy) -> None:
        """Replace the shard's copy of the namespace's retention policy."""
        key = self._keys.shard(shard).policy
        self._transport.call(retention_lua.save_policy(key=key, prefix="", policy=policy))

    def view(self, shard: int, session_ids: Sequence[SessionId], *, after: int, limit: int) -> View:
        """Totals, records and what was changed since change `after`. One pipelined round trip, one look at each."""
        keys = self._keys.shard(shard)
        before, *counters, later, read = self._transport.call_many(
            [
                lua.totals(shard=keys),
                *(lua.counters(session=self._keys.session(session_id)) for session_id in session_ids),
                lua.totals(shard=keys),
                feed_lua.read(shard=keys, after=after, limit=limit),
            ]
        )
        return View(before, before == later, counters, read.newest[0], read.changes)

    def settle(self, shard: int, *, settled: int, lacking: Mapping[str, int], lease: ShardLease | None = None) -> bool:
        """Add to a shard's totals what they lack; False: they were corrected since they had been so `settled` times."""
        key, token = self._lease(shard, lease)
        call = lua.settle(
            shard=self._keys.shard(shard),
            lease=key,
            lease_token=token,
            settled=settled,
            lacking=[part for name, count in lacking.items() for part in (name, str(count))],
        )
        return self._transport.call(call)

    def clock(self, shard: int) -> int:
        """The time of the shard's server, in milliseconds since 1970."""
        if self._keys.now_override_ms is not None:
            return self._keys.now_override_ms
        return self._transport.call(lua.clock(shard=self._keys.shard(shard)))

    def updated(self, shard: int, walk: Walk, *, until_ms: int, limit: int) -> list[tuple[SessionId, int]]:
        """Sessions of a shard by the time of their last write, from where a walk has come to; ids and times."""
        keys, offset = self._keys.shard(shard), 0
        while True:
            found = self._transport.call(
                lua.updated(shard=keys, since_ms=walk.at_ms, until_ms=until_ms, offset=offset, limit=limit)
            )
            ahead = [(session_id, at_ms) for session_id, at_ms in found if walk.is_ahead(session_id, at_ms)]
            if ahead or len(found) < limit:
                return ahead
            # More sessions of one and the same time than fit.
            offset += len(found)

    def walks(self, shard: int) -> Walks:
        """How far sealing has come in a shard."""
        return self._transport.call(lua.walks(lease=self._keys.shard(shard).lease(SEALING_JOB)))

    def save_walks(self, shard: int, walks: Walks) -> None:
        """Keep how far sealing has come in a shard."""
        self._transport.call(lua.save_walks(lease=self._keys.shard(shard).lease(SEALING_JOB), walks=walks))

    def seal_states(self, session_ids: Sequence[SessionId]) -> list[SealState | SessionCacheError | None]:
        """What records say about sealing; None where there is none. One pipelined round trip."""
        calls = [sealing_lua.state(session=self._keys.session(session_id)) for session_id in session_ids]
        return self._transport.call_many(calls, return_errors=True)

    def sealable(
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
        replies = self._transport.call_many(calls, return_errors=True)
        found: list[Sealable | SessionCacheError | None] = []
        for at, session_id in enumerate(session_ids):
            state, entries, chunk = replies[3 * at : 3 * at + 3]
            failed = next((part for part in (state, entries, chunk) if isinstance(part, SessionCacheError)), None)
            if failed is not None or state is None:
                found.append(failed)
                continue
            try:
                last = self._sealing.entries(self._keys.session(session_id), chunk, decode=False)
            except DecodeError as error:
                found.append(error)
                continue
            found.append(Sealable(state, entries, last))
        return found

    def seal(
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
        return self._transport.call_many(calls, return_errors=True)

    def shorten(
        self, shard: int, cutoffs: Mapping[SessionId, int], *, lease: ShardLease | None = None
    ) -> list[Trimmed | SessionCacheError]:
        """Remove messages before a time from the first chunks of sessions. Two pipelined round trips."""
        key, token = self._lease(shard, lease)
        reads: list[Call[Any]] = []
        for session_id in cutoffs:
            keys = self._keys.session(session_id)
            reads += [sealing_lua.state(session=keys), sealing_lua.first_chunk(session=keys)]
        replies = self._transport.call_many(reads, return_errors=True)
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
                entries = self._sealing.entries(keys, items, decode=False)
            except DecodeError as error:
                results[session_id] = error
                continue
            kept = shortened(entries, before_ms)
            if state is None or len(kept) == len(entries) or any(entry.damage for entry in entries):
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
        outcomes = self._transport.call_many(calls, return_errors=True)
        for session_id, outcome in zip(sent, outcomes, strict=True):
            if isinstance(outcome, SessionCacheError):
                results[session_id] = outcome
            else:
                messages, size = outcome
                results[session_id] = Trimmed(messages, size, more=False)
        return list(results.values())

    def current_dictionary(self) -> CurrentDictionary:
        """The dictionary that the namespace seals with now, if there is one."""
        found = self._transport.call(sealing_lua.current_dictionary(keys=self._keys))
        return found if found.data is None else replace(found, data=unpack_dictionary(found.data))

    def save_current_dictionary(self, name: str, data: bytes) -> None:
        """Seal with this dictionary from now on."""
        stored = pack_dictionary(data)
        self._transport.call(sealing_lua.save_current_dictionary(keys=self._keys, name=name, data=stored))

    def save_dictionary_try(self, total: int) -> None:
        """Note how many bytes of messages there were when somebody tried to make a dictionary."""
        self._transport.call(sealing_lua.save_dictionary_try(keys=self._keys, total=total))

    def save_dictionary(self, shard: int, name: str, data: bytes) -> None:
        """Put a dictionary where chunks of the shard may need it."""
        keys, stored = self._keys.shard(shard), pack_dictionary(data)
        self._transport.call(sealing_lua.save_dictionary(shard=keys, name=name, data=stored))

    def _lease(self, shard: int, lease: ShardLease | None) -> tuple[Key, int]:
        if lease is None:
            return self._keys.shard(shard).lease(NO_LEASE_JOB), 0
        return self._keys.shard(shard).lease(lease.job), lease.token
