"""Moving one slot from one primary to another, step by step, so that tests can stand in the middle of it.

The rule of this module: the order of the cluster specification. Importing is set before migrating, and the new owner
learns that it owns the slot before the old one forgets it; at no moment nobody feels responsible.

```
begin    target: IMPORTING, source: MIGRATING     a key still at the source is served there, an absent one answers ASK
move     keys go over in batches                  several keys, some here and some there: TRYAGAIN
finish   SETSLOT NODE on target, source, others   from now on the source answers MOVED
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sessioncache.embedded.server import EmbeddedServer
from sessioncache.errors import ConfigurationError

__all__ = ["SlotMigration"]

MIGRATE_TIMEOUT_MS: Final = 5000


class SlotMigration:
    """One slot on its way; creating it sets both nodes' marks."""

    def __init__(
        self, slot: int, source: EmbeddedServer, target: EmbeddedServer, primaries: Sequence[EmbeddedServer]
    ) -> None:
        """Mark the slot as migrating here and importing there.

        Raises:
            ConfigurationError: The target owns it already, or is no primary.
        """
        if target is source:
            raise ConfigurationError(f"slot {slot} is already on the node on port {target.port}")
        if target not in primaries:
            raise ConfigurationError(f"the node on port {target.port} is no primary, so it cannot take slot {slot}")
        self.slot = slot
        """The slot."""
        self.source = source
        """Who owned it at the beginning."""
        self.target = target
        """Who is to own it."""
        self._others = [node for node in primaries if node is not source and node is not target]
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(target))

    def move_keys(self, count: int = 100) -> int:
        """Move up to that many keys; returns how many, 0 when none is left."""
        return _move(self.slot, self.source, self.target, count)

    def finish(self) -> None:
        """Hand the slot over for good.

        Raises:
            ConfigurationError: The source still has keys of it.
        """
        owner = _id(self.target)
        for node in (self.target, self.source, *self._others):
            node.command("CLUSTER", "SETSLOT", self.slot, "NODE", owner)

    def cancel(self) -> None:
        """Give up: take the marks off and bring back what was moved.

        A node that sends a slot's keys away accepts none of them, so the source's mark goes first; until the keys are
        back, clients take those that were moved for absent.
        """
        self.source.command("CLUSTER", "SETSLOT", self.slot, "STABLE")
        while _move(self.slot, self.target, self.source, 100):
            continue
        self.target.command("CLUSTER", "SETSLOT", self.slot, "STABLE")


def _move(slot: int, source: EmbeddedServer, target: EmbeddedServer, count: int) -> int:
    """Send a batch of the slot's keys from one node to another."""
    keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, count)
    names = [key for key in keys if isinstance(key, bytes)] if isinstance(keys, list) else []
    if names:
        source.command("MIGRATE", "127.0.0.1", target.port, "", 0, MIGRATE_TIMEOUT_MS, "REPLACE", "KEYS", *names)
    return len(names)


def _id(node: EmbeddedServer) -> str:
    name = node.command("CLUSTER", "MYID")
    if not isinstance(name, bytes):
        raise ConfigurationError(f"CLUSTER MYID answered {name!r}")
    return name.decode()
