# Generated from sessioncache/leases/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.leases`.

```
agent A   acquire ─ token 7 ─── writes ──── pauses (GC, SIGSTOP) ──────────────── writes with 7 ─▶ LeaseLost
agent B                               lease runs out ─ acquire ─ token 8 ─ works
                                                          └── from here on 7 is refused, B need not have written
```

A lease that has run out says nothing to its holder; the token does, for every write that carries one (`lease.base`) is
held against the newest in the same moment. Writes without a base are not looked at: leases bind those who use them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import monotonic

from sessioncache.errors import BackendError, LeaseNotAcquired
from sessioncache.leases import lua
from sessioncache.leases.models import SessionLease
from sessioncache.transport.base import Transport
from sessioncache.transport.colour_sync import sleep_ms
from sessioncache.types import SessionId, check_limit, check_session_id, check_text
from sessioncache.wire.call import new_operation_id
from sessioncache.wire.keys import LEASE_TTL_MS_MAX, Keyspace

__all__ = ["Leases"]

PAUSE_MS = 10
PAUSE_MS_MAX = 500
"""First and longest pause between two looks at a lease that somebody else holds."""


class Leases:
    """Leases on sessions: who may write, and a fencing token for what he writes."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def acquire(
        self, session_id: SessionId, *, ttl_ms: int, holder: str | None = None, wait_ms: int = 0
    ) -> SessionLease:
        """Take a session's lease where it is free, has run out, or is the holder's own already.

        Unknown session: the lease is given, and no session is created. One round trip; while somebody else holds it
        and `wait_ms` is not over, one more after each pause, and the pauses grow. Does not slide the expiry.

        Args:
            session_id: the lease outlives the session's expiry, but not its deletion.
            ttl_ms: when it runs out by itself, in milliseconds; a day at most.
            holder: a name that no other holder has; None: a random one.
            wait_ms: how long to wait for it.

        Raises:
            LeaseNotAcquired: somebody else holds it.
            InvalidArgument: a bad id, holder or time.
        """
        keys = self._keys.session(check_session_id(session_id))
        check_limit(ttl_ms, what="ttl_ms", at_least=1, at_most=LEASE_TTL_MS_MAX)
        check_limit(wait_ms, what="wait_ms")
        name = new_operation_id() if holder is None else check_text(holder, what="holder", bytes_max=512)
        call = lua.acquire(session=keys, now_override_ms=self._keys.now_override_ms, holder=name, ttl_ms=ttl_ms)
        ends_at = monotonic() + wait_ms / 1000
        pause_ms = PAUSE_MS
        while True:
            token, until_ms = self._transport.call(call)
            if token:
                return SessionLease(session_id, name, token, until_ms)
            left_ms = (ends_at - monotonic()) * 1000
            if left_ms <= 0:
                raise LeaseNotAcquired(f"somebody else holds the lease on session {session_id!r}")
            # Whoever waits for one lease does not ask in step with the others.
            sleep_ms(min(left_ms, pause_ms * random.uniform(0.5, 1.0)))  # noqa: S311 - no secret
            pause_ms = min(pause_ms * 2, PAUSE_MS_MAX)

    def renew(self, lease: SessionLease, *, ttl_ms: int) -> SessionLease:
        """Hold on to a lease under the same token, for so long from now. One round trip.

        Raises:
            LeaseLost: somebody else has taken it since, or it was given back, or the session was deleted.
        """
        call = lua.renew(
            session=self._keys.session(lease.session_id),
            now_override_ms=self._keys.now_override_ms,
            holder=lease.holder,
            token=lease.token,
            ttl_ms=check_limit(ttl_ms, what="ttl_ms", at_least=1, at_most=LEASE_TTL_MS_MAX),
        )
        return replace(lease, until_ms=self._transport.call(call))

    def release(self, lease: SessionLease) -> bool:
        """Give a lease back; False if it was not held any more. One round trip.

        Writes that carry its token go through until somebody else has a newer one.
        """
        keys = self._keys.session(lease.session_id)
        return self._transport.call(lua.release(session=keys, holder=lease.holder, token=lease.token))

    @contextmanager
    def hold(
        self, session_id: SessionId, *, ttl_ms: int, holder: str | None = None, wait_ms: int = 0
    ) -> Iterator[SessionLease]:
        """Take a lease for a block of code, and give it back behind it, however the block ends.

        The lease is not renewed by itself. Where it cannot be given back, for the server is away, it runs out.

        Raises:
            LeaseNotAcquired: somebody else holds it.
        """
        lease = self.acquire(session_id, ttl_ms=ttl_ms, holder=holder, wait_ms=wait_ms)
        try:
            yield lease
        finally:
            with suppress(BackendError):
                self.release(lease)
