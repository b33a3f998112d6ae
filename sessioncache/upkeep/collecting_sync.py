# Generated from sessioncache/upkeep/collecting_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The part of `cache.upkeep` that collects what nobody needs any more."""

from __future__ import annotations

from collections.abc import Sequence

from sessioncache.errors import SessionCacheError
from sessioncache.namespaces import questions
from sessioncache.upkeep import commands, lua
from sessioncache.upkeep.archiving_sync import ArchivingSteps
from sessioncache.upkeep.models import ShardLease
from sessioncache.wire.keys import Key

__all__ = ["CollectingSteps"]


class CollectingSteps(ArchivingSteps):
    """Steps of collecting."""

    def session_keys(self, shard: int, *, cursor: int, limit: int) -> tuple[int, list[Key]]:
        """Keys of sessions of the shard, whatever the lists say; `limit` keys of the node are looked at.

        The cursor to go on with comes first; it begins and ends with 0. The whole takes O(keys of the node).
        """
        call = commands.keys_found(shard=self._keys.shard(shard), cursor=cursor, limit=limit)
        following, found = self._transport.call(call)
        return following, [Key(name) for name in found]

    def bound(self, keys: Sequence[tuple[Key, int]], *, dry_run: bool = False) -> list[bool | SessionCacheError]:
        """Give those of the keys that would never expire a time to live, in milliseconds. One pipelined round trip.

        True for those that had none.
        """
        if not dry_run:
            calls = [commands.bound(key=key, ttl_ms=ttl_ms) for key, ttl_ms in keys]
            return self._transport.call_many(calls, return_errors=True)
        asked = [questions.key_ttl_ms(key=key) for key, _ttl_ms in keys]
        found = self._transport.call_many(asked, return_errors=True)
        return [ttl_ms if isinstance(ttl_ms, SessionCacheError) else ttl_ms == -1 for ttl_ms in found]

    def kept_dictionaries(self, shard: int) -> list[str]:
        """The dictionaries that a shard has, by their hashes."""
        return self._transport.call(commands.kept_dictionaries(shard=self._keys.shard(shard)))

    def used(self, shard: int, names: Sequence[str]) -> list[int]:
        """How many times messages were compressed with each of these dictionaries in a shard."""
        return self._transport.call(commands.used(shard=self._keys.shard(shard), names=names))

    def dictionaries_of(self, sealed: Sequence[Key]) -> set[str]:
        """The dictionaries that the chunks in these keys need.

        Raises:
            SessionCacheError: one of them cannot be read, so nobody knows.
        """
        needed: set[str] = set()
        remaining = [(key, 0) for key in sealed]
        while remaining:
            calls = [lua.dictionaries_of(sealed=key, first=first) for key, first in remaining]
            replies = self._transport.call_many(calls)
            remaining = [
                (key, following)
                for (key, _first), (following, _named) in zip(remaining, replies, strict=True)
                if following
            ]
            needed.update(name for _following, named in replies for name in named)
        return needed

    def forget(self, shard: int, name: str, *, used: int, lease: ShardLease) -> bool:
        """Remove a dictionary that nothing needs; False where messages were compressed with it since it was looked up.

        Args:
            shard: where.
            name: its hash.
            used: how many times it had been used before anybody looked whether a chunk needs it.
            lease: the lease of the job that seals, so that nobody does meanwhile.
        """
        key, token = self._lease(shard, lease)
        call = lua.forget(shard=self._keys.shard(shard), lease=key, lease_token=token, name=name, used=used)
        return self._transport.call(call)
