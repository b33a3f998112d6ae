"""Values in a bounded number of bytes: what was not asked for for the longest time makes room.

The rule of this module: it knows nothing of servers. What is in it is given out until somebody drops it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from sessioncache.near.line import Line

__all__ = ["KEPT_BYTES", "Kept", "Kind", "Memory"]

Kind: TypeAlias = Literal["record", "tail"]
KINDS: Final[tuple[Kind, ...]] = ("record", "tail")
"""What is kept of a session: its record, and the newest messages of its transcript."""

KEPT_BYTES: Final = 500
"""What a value costs besides itself: the object that holds it, its place in the table, and its key."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A value, and when it may be given out."""

    value: Any
    """Never changed, by nobody: everybody who reads it makes his own of it."""
    extent: float
    """How much of the whole it is, in the unit of its kind; infinite: all."""
    size: int
    """Bytes that it takes."""
    line: Line
    """The connection over which the server tells of changes."""
    expires_at: float
    """End of the session's life by this process's clock."""


class Memory:
    """Values by session and kind."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self._kept: OrderedDict[tuple[str, Kind], Kept] = OrderedDict()
        """The one that was asked for last stands last."""

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._kept)

    def get(self, session: str, kind: Kind) -> Kept | None:
        """The value, which is now the last one to make room."""
        kept = self._kept.get((session, kind))
        if kept is not None:
            self._kept.move_to_end((session, kind))
        return kept

    def put(self, session: str, kind: Kind, kept: Kept) -> bool:
        """Keep a value in place of the former one; False: it would take more than a quarter of all room."""
        self.drop_one(session, kind)
        if kept.size > self.bytes_max // 4:
            return False
        self._kept[session, kind] = kept
        self.bytes += kept.size
        while self.bytes > self.bytes_max:
            self.drop_one(*next(iter(self._kept)))
        return True

    def drop_one(self, session: str, kind: Kind) -> bool:
        """Forget one value; False: it was not there."""
        kept = self._kept.pop((session, kind), None)
        if kept is None:
            return False
        self.bytes -= kept.size
        return True

    def drop(self, session: str) -> int:
        """Forget what is kept of a session; how much it was."""
        return sum([self.drop_one(session, kind) for kind in KINDS])

    def drop_all(self, prefix: str = "") -> int:
        """Forget all sessions whose record's key begins so; how much it was."""
        return sum([self.drop_one(*each) for each in list(self._kept) if each[0].startswith(prefix)])
