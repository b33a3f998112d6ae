"""The methods of `cache.leases`.

```
worker A   acquire ─ token 7 ─── works ──── pauses (GC, SIGSTOP) ──────────────── writes with 7 ─▶ LeaseLost
worker B                              lease runs out ─ acquire ─ token 8 ─ works
```

A lease that has run out says nothing to its holder; the token does, for every script of `upkeep` compares it with the
newest one in the same moment in which it writes.
"""

from __future__ import annotations

from dataclasses import replace

from sessioncache.leases import lua
from sessioncache.leases.models import Lease
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import check_limit, check_text
from sessioncache.wire.keys import Keyspace

__all__ = ["AsyncLeases"]


class AsyncLeases:
    """Leases on shards, for background work."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    async def acquire(self, shard: int, job: str, *, holder: str, ttl_ms: int) -> Lease | None:
        """Take the lease where it is free, has run out, or is the holder's own already. One round trip.

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
        held = await self._transport.call(call)
        return None if held is None else Lease(shard, job, holder, *held)

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease:
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
        return replace(lease, until_ms=await self._transport.call(call))

    async def release(self, lease: Lease) -> bool:
        """Give a lease back; False if it was not held any more. One round trip."""
        key = self._keys.shard(lease.shard).lease(lease.job)
        return await self._transport.call(lua.release(lease=key, holder=lease.holder, token=lease.token))
