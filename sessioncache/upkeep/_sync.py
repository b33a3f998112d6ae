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

from sessioncache.errors import SessionCacheError
from sessioncache.feed import lua as feed_lua
from sessioncache.feed.models import Change
from sessioncache.namespaces import questions
from sessioncache.retention import lua as retention_lua
from sessioncache.retention.models import RetentionPolicy
from sessioncache.types import SessionId, check_limit, check_text
from sessioncache.upkeep import lua
from sessioncache.upkeep.collecting_sync import CollectingSteps
from sessioncache.upkeep.models import (
    COUNTED,
    LINKED_ROOMS,
    NO_SKIP,
    Counters,
    Evicted,
    Expired,
    ListName,
    NodeMemory,
    Reindexed,
    RoomPart,
    ShardLease,
    Totals,
    Trimmed,
    View,
    Walk,
    Walks,
)
from sessioncache.wire.call import Call
from sessioncache.wire.keys import ROOMS, SHARD_LEASE_TTL_MS_MAX, TALLY_MS

__all__ = ["Upkeep"]

SEALING_JOB = "compact"
"""Beside the lease of this job stands how far it has come, also where it runs without a lease."""


class Upkeep(CollectingSteps):
    """Steps of background work. Every write carries the lease's token, and is refused once a newer one exists."""

    def acquire(self, shard: int, job: str, *, holder: str, ttl_ms: int) -> ShardLease | None:
        """Take a shard's lease where it is free, has run out, or is the holder's own already. One round trip.

        One that ends later than any can, for the server's clock was ahead when it was taken, is free, too.

        Args:
            shard: 0 to the namespace's shard count less one.
            job: what is to be done; leases of different jobs do not meet.
            holder: a name that no other holder has.
            ttl_ms: when it runs out by itself, in milliseconds; ten minutes at most.

        Returns:
            The lease, with a newer token than any before, or None while somebody else holds it.
        """
        check_limit(shard, what="shard", at_most=self._keys.shards - 1)
        check_text(job, what="job", bytes_max=64)
        check_limit(ttl_ms, what="ttl_ms", at_least=1, at_most=SHARD_LEASE_TTL_MS_MAX)
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
            ttl_ms=check_limit(ttl_ms, what="ttl_ms", at_least=1, at_most=SHARD_LEASE_TTL_MS_MAX),
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

    def due(self, shard: int, *, limit: int, ahead_ms: int = 0) -> list[tuple[SessionId, int]]:
        """Sessions past their deadline, or close to it, the longest overdue first, with for how many milliseconds."""
        call = lua.due(
            shard=self._keys.shard(shard),
            now_override_ms=self._keys.now_override_ms,
            ahead_ms=ahead_ms,
            since_ms=None,
            offset=0,
            limit=limit,
        )
        now_ms, found = self._transport.call(call)
        return [(session_id, now_ms - deadline_ms) for session_id, deadline_ms in found]

    def due_behind(self, shard: int, walk: Walk, *, limit: int, ahead_ms: int = 0) -> list[tuple[SessionId, int]]:
        """The same from where a walk through the deadlines has come to; ids and deadlines."""
        keys, offset = self._keys.shard(shard), 0
        while True:
            call = lua.due(
                shard=keys,
                now_override_ms=self._keys.now_override_ms,
                ahead_ms=ahead_ms,
                since_ms=walk.at_ms if walk.member else None,
                offset=offset,
                limit=limit,
            )
            _now_ms, found = self._transport.call(call)
            ahead = [pair for pair in found if not walk.member or walk.is_ahead(*pair)]
            if ahead or len(found) < limit:
                return ahead
            # More sessions of one and the same deadline than fit.
            offset += len(found)

    def expire(
        self,
        shard: int,
        session_ids: Sequence[SessionId],
        *,
        lease: ShardLease | None = None,
        archived: bool = False,
        dry_run: bool = False,
    ) -> list[Expired | SessionCacheError]:
        """Remove those of the sessions whose deadline has passed. One pipelined round trip.

        Args:
            shard: whose sessions.
            session_ids: which.
            lease: the worker's lease on the shard.
            archived: whether only those go that were archived as they are.
            dry_run: whether nothing is removed, and the answer says what would be.
        """
        key, token = self._lease(shard, lease)
        calls = [
            lua.expire(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                archived=archived,
                dry_run=dry_run,
            )
            for session_id in session_ids
        ]
        return self._transport.call_many(calls, return_errors=True)

    def memory(self, shard: int) -> NodeMemory:
        """What the server that has the shard says about its memory."""
        return self._transport.call(lua.memory(shard=self._keys.shard(shard)))

    def footprints(self, session_ids: Sequence[SessionId]) -> list[int]:
        """How much memory sessions take, all their keys counted; their messages alone where that may not be asked."""
        calls: list[Call[Any]] = []
        for session_id in session_ids:
            keys = self._keys.session(session_id)
            rooms = [key for room in ROOMS for key in keys.room(room)]
            own = [keys.record, keys.transcript, keys.sealed, keys.operations, *rooms]
            calls += [questions.key_memory(key=key) for key in own] + [lua.counters(session=keys)]
        replies = self._transport.call_many(calls, return_errors=True)
        size = len(calls) // max(len(session_ids), 1)
        return [_footprint(replies[at : at + size]) for at in range(0, len(replies), size)]

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
        dry_run: bool = False,
        skip: Mapping[SessionId, tuple[int, int, int, int, str]] | None = None,
    ) -> list[Trimmed | SessionCacheError]:
        """Remove the oldest messages beyond what retention keeps, 500 a session. One pipelined round trip.

        Args:
            shard: whose sessions.
            session_ids: which.
            policy: of the namespace.
            lease: the worker's lease on the shard.
            dry_run: whether nothing is removed, and the answer says what would be, with what is skipped.
            skip: what the call before has looked at, by session.
        """
        key, token = self._lease(shard, lease)
        skipped = [(session_id, (skip or {}).get(session_id, NO_SKIP)) for session_id in session_ids]
        calls = [
            lua.trim(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                keep_messages=policy.keep_messages,
                keep_bytes=policy.keep_bytes,
                keep_age_ms=policy.keep_age_ms,
                dry_run=dry_run,
                skip_chunks=chunks,
                skip_after=after,
                skip_messages=messages,
                skip_bytes=size,
                seen=seen,
            )
            for session_id, (chunks, after, messages, size, seen) in skipped
        ]
        return self._transport.call_many(calls, return_errors=True)

    def reindex(
        self,
        shard: int,
        listed: Mapping[SessionId, str | None],
        *,
        lease: ShardLease | None = None,
        dry_run: bool = False,
    ) -> list[Reindexed | SessionCacheError]:
        """Make the shard's lists agree with records. One pipelined round trip.

        Args:
            shard: whose lists.
            listed: ids, each with the user under which it was found in the list by user, or None.
            lease: the worker's lease on the shard.
            dry_run: whether nothing is repaired, and the answer says what would be.
        """
        key, token = self._lease(shard, lease)
        calls = [
            lua.reindex(
                session=self._keys.session(session_id),
                lease=key,
                now_override_ms=self._keys.now_override_ms,
                lease_token=token,
                listed_user=user,
                dry_run=dry_run,
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
        self,
        shard: int,
        rows: Mapping[SessionId, Sequence[str]],
        *,
        lease: ShardLease | None = None,
        dry_run: bool = False,
    ) -> list[int | SessionCacheError]:
        """Remove rows of the links whose sessions do not have what they say. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.unlink(
                session=self._keys.session(session_id), lease=key, lease_token=token, dry_run=dry_run, rows=named
            )
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
        self,
        shard: int,
        found: Sequence[tuple[RoomPart, Sequence[str]]],
        *,
        lease: ShardLease | None = None,
        dry_run: bool = False,
    ) -> list[int | SessionCacheError]:
        """Put back what the shard's links lack of these entries. One pipelined round trip."""
        key, token = self._lease(shard, lease)
        calls = [
            lua.relink(
                session=self._keys.session(part.session_id),
                items=self._keys.session(part.session_id).room(part.room)[0],
                lease=key,
                lease_token=token,
                dry_run=dry_run,
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

    def view(self, shard: int, *, after: int, limit: int) -> View:
        """Totals, and the records of what was changed since change `after`, at one moment. One round trip.

        Args:
            shard: whose totals.
            after: number of the change.
            limit: most changes to look at, 500 at most.

        Raises:
            DecodeError: an entry of the feed names no session.
        """
        names = (*Totals.FIELDS, *lua.COUNTER_FIELDS)
        return self._transport.call(lua.view(shard=self._keys.shard(shard), after=after, limit=limit, names=names))

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

    def save_walks(self, shard: int, walks: Walks, *, lease: ShardLease | None = None) -> None:
        """Keep how far sealing has come in a shard."""
        self.note(shard, SEALING_JOB, dict(zip(Walks.FIELDS, walks.values(), strict=True)), lease=lease)

    def noted(self, shard: int, job: str, names: Sequence[str]) -> tuple[str, ...]:
        """What a job keeps beside its lease on a shard; empty where it keeps nothing."""
        return self._transport.call(lua.noted(lease=self._keys.shard(shard).lease(job), names=names))

    def note(self, shard: int, job: str, noted: Mapping[str, int | str], *, lease: ShardLease | None = None) -> None:
        """Keep something beside a job's lease on a shard; an empty text removes it.

        Raises:
            LeaseLost: somebody else has taken the lease since.
        """
        given: list[int | str] = [part for pair in noted.items() for part in pair]
        token = 0 if lease is None else lease.token
        self._transport.call(lua.note(lease=self._keys.shard(shard).lease(job), lease_token=token, given=given))

    def tallied(self, shard: int, *, start: int, limit: int) -> list[bytes]:
        """What was kept of a count of the shard, part by part."""
        return self._transport.call(lua.tally_parts(shard=self._keys.shard(shard), start=start, limit=limit))

    def tally(self, shard: int, part: bytes, *, length: int, lease: ShardLease | None = None) -> bool:
        """Keep a part of what was counted, for a day. One round trip.

        Args:
            shard: whose sessions.
            part: what is kept; empty: what was kept before is forgotten.
            length: how many parts were kept before; -1: they give way, however many there are.
            lease: the worker's lease on the shard, for the job that counts.

        Returns:
            False where it was not kept, for others were.

        Raises:
            LeaseLost: somebody else has taken the lease since.
        """
        key, token = self._lease(shard, lease)
        call = lua.tally(
            shard=self._keys.shard(shard), lease=key, lease_token=token, length=length, expires_ms=TALLY_MS, part=part
        )
        return self._transport.call(call)


def _footprint(replies: Sequence[Any]) -> int:
    *sizes, counters = replies
    if any(isinstance(size, SessionCacheError) for size in sizes):
        return (
            0 if counters is None or isinstance(counters, SessionCacheError) else int(counters[COUNTED.index("bytes")])
        )
    return sum(size or 0 for size in sizes)
