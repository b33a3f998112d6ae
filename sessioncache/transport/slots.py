"""Which node of a cluster serves which slot.

The rule of this module: a map is a value made from one CLUSTER SLOTS reply; a MOVED answer corrects one slot of it.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from redis.crc import key_slot

from sessioncache.errors import BackendUnavailable
from sessioncache.wire.keys import Key

__all__ = ["Address", "SlotMap", "slot_of"]

Address: TypeAlias = tuple[str, int]

SLOTS: Final = 16_384


def slot_of(key: Key) -> int:
    """The slot of a key: CRC-16 of its hash tag, modulo 16384."""
    return key_slot(key.encode())


class SlotMap:
    """The primaries of a cluster, by slot."""

    def __init__(self, reply: list[Any], *, asked: Address) -> None:
        """Read a CLUSTER SLOTS reply.

        Args:
            reply: ranges, each with its first and last slot and its nodes, primary first.
            asked: the node that answered; a node that does not know its own host gives an empty one.
        """
        self._owners: list[Address | None] = [None] * SLOTS
        for first, last, primary, *_replicas in reply:
            host = primary[0].decode() if primary[0] else ""
            address = (host if host not in ("", "?") else asked[0], int(primary[1]))
            self._owners[first : last + 1] = [address] * (last - first + 1)

    def owner(self, slot: int) -> Address:
        """The primary of a slot.

        Raises:
            BackendUnavailable: no node serves it.
        """
        address = self._owners[slot]
        if address is None:
            raise BackendUnavailable(
                f"no node of the cluster serves slot {slot}; it is not completely set up, or a node is down"
            )
        return address

    def move(self, slot: int, address: Address) -> None:
        """Note where a slot went."""
        self._owners[slot] = address

    @property
    def addresses(self) -> set[Address]:
        """All primaries."""
        return {address for address in self._owners if address is not None}
