# Generated from sessioncache/retention/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.retention`."""

from __future__ import annotations

from sessioncache.errors import InvalidArgument
from sessioncache.retention import lua
from sessioncache.retention.models import RetentionPolicy, SessionRetention, SessionRetentionUpdated
from sessioncache.transport.base import Transport
from sessioncache.types import NO_BASE, UNSET, Base, SessionId, Unset, check_limit, check_session_id
from sessioncache.wire.call import Arg, Write
from sessioncache.wire.keys import Keyspace

__all__ = ["Retention"]

CONFIG_PREFIX = "policy:"


class Retention:
    """The namespace's retention policy, and single sessions' own."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def get(self) -> RetentionPolicy:
        """The namespace's policy; the defaults where none was saved. One round trip."""
        return self._transport.call(lua.get_policy(key=self._keys.config, prefix=CONFIG_PREFIX))

    def save(self, policy: RetentionPolicy) -> None:
        """Set the namespace's policy, for all processes at once.

        The configuration first, then every shard, in two round trips. A process that dies in between leaves some shards
        with the old policy until the worker's reconcile, or the next save, copies the configuration to them. A session
        gets a new TTL at its next write.
        """
        if not isinstance(policy, RetentionPolicy):
            raise InvalidArgument(f"policy must be a RetentionPolicy, not {type(policy).__name__}")
        self._transport.call(lua.save_policy(key=self._keys.config, prefix=CONFIG_PREFIX, policy=policy))
        self.copy_to_shards(policy)

    def copy_to_shards(self, policy: RetentionPolicy) -> None:
        """Write a policy where the scripts read it. For maintenance; users call `save`."""
        self._transport.call_many([lua.save_policy(key=shard.policy, prefix="", policy=policy) for shard in self._keys])

    def get_own(self, session_id: SessionId) -> SessionRetention:
        """What a session says for itself; all None for one that says nothing, or is unknown. One round trip."""
        keys = self._keys.session(check_session_id(session_id))
        return self._transport.call(lua.get_own(session=keys, now_override_ms=self._keys.now_override_ms))

    def update(
        self,
        session_id: SessionId,
        *,
        ttl_ms: int | Unset | None = UNSET,
        keep_messages: int | Unset | None = UNSET,
        keep_bytes: int | Unset | None = UNSET,
        keep_age_ms: int | Unset | None = UNSET,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> SessionRetentionUpdated:
        """Let a session say for itself: UNSET leaves, None goes back to the namespace's policy, a number sets.

        0 means never (`ttl_ms`) or all (the others). The deadline moves at once, to now + TTL. Atomic, one round trip.

        Raises:
            NotFound: there is no such session.
            InvalidArgument: a negative number, or nothing given.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        given = {"ttl_ms": ttl_ms, "keep_messages": keep_messages, "keep_bytes": keep_bytes, "keep_age_ms": keep_age_ms}
        sets: list[Arg] = []
        clears: list[str] = []
        for name, value in given.items():
            if value is None:
                clears.append(lua.OWN_FIELDS[name])
            elif not isinstance(value, Unset):
                sets += [lua.OWN_FIELDS[name], check_limit(value, what=name)]
        if not sets and not clears:
            raise InvalidArgument("nothing to change; give at least one of " + ", ".join(given))
        write = Write.of(self._keys, "retention.update", base, operation_id)
        return self._transport.call(lua.update(session=keys, write=write, sets=sets, clears=clears))
