# Generated from sessioncache/sealing/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Sealed messages for those who read and write transcripts: chunks are opened here, and swapped back for a write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from sessioncache.errors import Conflict, DecodeError, MessagesSealed
from sessioncache.sealing import lua
from sessioncache.sealing.chunks import needed_dictionary
from sessioncache.sealing.dictionaries import known_dictionary, remember_dictionary, unpack_dictionary
from sessioncache.sealing.models import RawEntry
from sessioncache.sealing.opening import rows_in
from sessioncache.transport.base import Transport
from sessioncache.wire.call import Arg, Call
from sessioncache.wire.keys import Keyspace, SessionKeys

if TYPE_CHECKING:
    import zstandard

__all__ = ["Sealing"]

T = TypeVar("T")

OPEN_TRIES: Final = 10
"""How often messages are opened for one write, where others seal or open them at the same time."""


class Sealing:
    """What is sealed, as messages again."""

    def __init__(self, transport: Transport, keys: Keyspace) -> None:
        self._transport = transport
        self._keys = keys

    def call(self, session: SessionKeys, call: Call[T]) -> T:
        """Send a write; where it reaches into sealed messages, open those and send it again under its operation id.

        Raises:
            Conflict: others sealed them each time that they had been opened.
            DecodeError: they cannot be read.
        """
        for _ in range(OPEN_TRIES):
            try:
                return self._transport.call(call)
            except MessagesSealed as sealed:
                self._unseal(session, sealed.seq)
        raise Conflict(
            f"session {session.session_id!r}: others sealed its messages each time that they had been opened"
        )

    def _unseal(self, session: SessionKeys, seq: int) -> None:
        """Swap all chunks from the one that holds a message on for what is in them, unless somebody else does."""
        now = self._keys.now_override_ms
        part = self._transport.call(lua.open_(session=session, now_override_ms=now, seq=seq))
        if part is None:
            return
        entries = self.entries(session, part.items)
        damaged = next((entry for entry in entries if entry.damage is not None), None)
        if damaged is not None:
            raise DecodeError(f"message {damaged.seq} is sealed and cannot be read: {damaged.damage}", seq=damaged.seq)
        flat: list[Arg] = []
        for entry in entries:
            flat += [entry.seq, entry.ms, entry.mark, entry.payload]
        self._transport.call(lua.unseal(session=session, now_override_ms=now, part=part, entries=flat))

    def entries(self, session: SessionKeys, items: Sequence[bytes]) -> list[RawEntry]:
        """All messages out of places and chunks that alternate, oldest first, as `rows_in` makes them.

        Raises:
            DecodeError: a place is damaged.
        """
        dictionaries = self.dictionaries(session, items)
        return rows_in(items, dictionaries, session_id=session.session_id).entries()

    def dictionaries(self, session: SessionKeys, items: Sequence[bytes]) -> dict[str, zstandard.ZstdCompressionDict]:
        """The dictionaries that chunks need, as far as there are any; one round trip for each that is met first.

        Args:
            session: whose they are.
            items: places and chunks.
        """
        found: dict[str, zstandard.ZstdCompressionDict] = {}
        for name in map(needed_dictionary, items[1::2]):
            if name is None or name in found:
                continue
            known = known_dictionary(name)
            if known is None:
                stored = self._transport.call(lua.dictionary(shard=session.shard, name=name))
                try:
                    known = None if stored is None else remember_dictionary(name, unpack_dictionary(stored))
                except ValueError:
                    known = None
            if known is not None:
                found[name] = known
        return found
