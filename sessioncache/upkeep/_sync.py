# Generated from sessioncache/upkeep/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.upkeep`: batches of single steps, for `sessioncache.maintenance` and nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessioncache.errors import SessionCacheError
from sessioncache.leases.models import Lease
from sessioncache.retention.models import RetentionPolicy
from sessioncache.transport.base import Transport
from sessioncache.types import SessionId
from sessioncache.upkeep import lua
from sessioncache.upkeep.models import Expired, Reindexed, Settled, Trimmed
from sessioncache.wire.keys import Key, Keyspace

__all__ = ["Upkeep"]

NO_LEASE_JOB = "none"


class Upkeep:
    """Steps of background work. Every write carries the lease's token, and is refused once a newer one exists."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def due(self, shard: int, *, limit: int) -> list[tuple[SessionId, int]]:
        """Sessions past their deadline, the longest overdue first, with for how many milliseconds."""
        call = lua.due(shard=self._keys.shard(shard), now_override_ms=self._keys.now_override_ms, limit=limit)
        return self._transport.call(call)

    def expire(
        self, shard: int, session_ids: Sequence[SessionId], *, lease: Lease | None = None
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

    def trim(
        self,
        shard: int,
        session_ids: Sequence[SessionId],
        policy: RetentionPolicy,
        *,
        lease: Lease | None = None,
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
        self, shard: int, listed: Mapping[SessionId, str | None], *, lease: Lease | None = None
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

    def counters(self, session_ids: Sequence[SessionId]) -> list[tuple[int, int] | None]:
        """Messages and bytes of records; None where there is none. One pipelined round trip."""
        return self._transport.call_many(
            [lua.counters(session=self._keys.session(session_id)) for session_id in session_ids]
        )

    def settle(
        self, shard: int, *, feed_seq: int, sessions: int, messages: int, size: int, lease: Lease | None = None
    ) -> Settled:
        """Set a shard's totals to what was counted, unless something has changed since change `feed_seq`."""
        key, token = self._lease(shard, lease)
        call = lua.settle(
            shard=self._keys.shard(shard),
            lease=key,
            lease_token=token,
            feed_seq=feed_seq,
            sessions=sessions,
            messages=messages,
            size=size,
        )
        return self._transport.call(call)

    def _lease(self, shard: int, lease: Lease | None) -> tuple[Key, int]:
        if lease is None:
            return self._keys.shard(shard).lease(NO_LEASE_JOB), 0
        return self._keys.shard(shard).lease(lease.job), lease.token
