"""One read whose answer may be kept: it asks the server to tell of changes before it asks for the value.

The rule of this module: whatever may have happened meanwhile, the answer is not kept. A doubt costs one read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from sessioncache.near.line import Line
from sessioncache.near.memory import KEPT_BYTES, Kept, Kind
from sessioncache.wire.keys import SessionKeys

if TYPE_CHECKING:
    from sessioncache.near.cache import NearCache

__all__ = ["Fill"]

TELL: Final = ("CLIENT", "CACHING", "YES")
"""The server shall tell of changes of what the next command reads."""


class Fill:
    """A read that is under way. Leave it as a context manager, so that it is not waited for any more."""

    __slots__ = ("_asked_at", "_expires_at", "_is_doubtful", "_keys", "_line", "_near", "_with_policy")

    def __init__(self, near: NearCache, keys: SessionKeys) -> None:
        self._near = near
        self._keys = keys
        self._line: Line | None = None
        self._is_doubtful = False
        self._with_policy = False
        self._asked_at = 0.0
        self._expires_at: float | None = None

    @property
    def session(self) -> str:
        """The key of the record."""
        return self._keys.record

    def doubt(self) -> None:
        """Something happened that may have changed the session: the answer is not kept."""
        self._is_doubtful = True

    def send(self, line: Line) -> Sequence[tuple[Any, ...]]:
        """What to send in front of the read, on the same connection with nothing between them."""
        if self._line is not None:
            # Parts of an answer that was asked for twice may be older than the question whose answer counts.
            self.doubt()
        self._line = line
        self._asked_at = self._near.clock()
        policy = self._keys.shard.policy
        self._with_policy = not self._near.knows_policy(policy, line)
        asked: list[tuple[Any, ...]] = [TELL, ("HGET", self._keys.record, "deadline_ms"), ("TIME",)]
        if self._with_policy:
            asked += [TELL, ("HGET", policy, "slide_on_read")]
        return asked

    def answered(self, replies: Sequence[Any]) -> None:
        """The replies to that."""
        if self._is_doubtful or self._line is None or any(isinstance(reply, Exception) for reply in replies):
            self.doubt()
            return
        _, deadline, (seconds, micros), *policy = replies
        try:
            deadline_ms = int(deadline)
        except (TypeError, ValueError):
            # No session: where its slot moves, the former node has nothing to move, and tells nobody of what comes
            # into being on the next one. Or a damaged record, of which whoever reads it says so.
            self.doubt()
            return
        if self._with_policy:
            self._near.learn_policy(self._keys.shard.policy, self._line, slides=policy[1] == b"1")
        self._expires_at = math.inf
        if deadline_ms > 0:
            # The server's clock was read after `asked_at`, so the deadline is not later than this.
            left_ms = deadline_ms - int(seconds) * 1000 - int(micros) // 1000
            self._expires_at = self._asked_at + left_ms / 1000

    def keep(self, kind: Kind, value: object, *, size: int, extent: float = math.inf) -> None:
        """Keep what was read, if nothing speaks against it.

        Args:
            kind: what it is.
            value: nobody changes it from now on.
            size: bytes that it takes, everything in it counted.
            extent: how much of the whole it is.
        """
        if self._is_doubtful or self._line is None or self._expires_at is None:
            return
        if self._line.is_current and self._near.is_cacheable(self._keys.shard.policy, self._line):
            kept = Kept(value, extent, size + KEPT_BYTES + len(self.session), self._line, self._expires_at)
            self._near.put(self.session, kind, kept)

    def __enter__(self) -> Self:
        """From now on changes of the session are noted."""
        self._near.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The read has ended, in whatever way."""
        self._near.end(self)
