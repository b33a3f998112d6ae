"""What has been read lately, kept in this process while servers promise to tell of changes.

The rule of this module: it is told of everything that may change a session, in the order in which connections bring it
(what the server says unasked, lost connections, this process's own writes), and forgets at once. What it gives out was
true at a moment not longer ago than `stale_ms`.

```
 noun ── get ──▶ kept?  ──▶ the value, decoded anew
   │       no
   └── fill ──▶ CLIENT CACHING YES, HGET record deadline_ms, TIME, the read ──▶ keep, unless there is a doubt
                                                     ▲
 pushes · lost connections · own writes ── forget ───┘
```
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from sessioncache.near.fill import Fill
from sessioncache.near.line import Line
from sessioncache.near.memory import Kept, Kind, Memory
from sessioncache.settings import Settings
from sessioncache.wire.keys import SessionKeys, record_of, shard_prefix_of

__all__ = ["NearCache"]

ROW_MAX: Final = 256
"""Most hits in a row. They do not wait for anything, so that nobody else has a turn, not even what the server tells."""


class NearCache:
    """Records and the newest messages of transcripts, by session. Of one cache, on one event loop."""

    def __init__(self, *, bytes_max: int, stale_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Make an empty one.

        Args:
            bytes_max: room for what is kept.
            stale_ms: longest time since the server was last known to have told all changes.
            clock: the event loop's, in seconds.
        """
        self.clock = clock
        self.greeting: Sequence[tuple[str, ...]] = (("CLIENT", "TRACKING", "ON", "OPTIN"),)
        """What a new connection is told: to watch the keys that it is asked to watch."""
        self.hits = 0
        """Reads that were answered from memory."""
        self.misses = 0
        """Reads that could have been, and were sent to the server."""
        self.invalidations = 0
        """Values that were dropped because the session changed, or may have."""
        self._stale_s = stale_ms / 1000
        self._row = 0
        """Hits since the last read that went to the server."""
        self._memory = Memory(bytes_max)
        self._fills: dict[str, list[Fill]] = {}
        """Reads under way, by session."""
        self._policies: dict[str, tuple[Line, bool]] = {}
        """By the shard's policy key: the connection that would tell of a change, and whether reads move deadlines."""

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The one that the settings ask for."""
        if settings.near_cache_bytes == 0:
            return None
        return cls(bytes_max=settings.near_cache_bytes, stale_ms=settings.near_cache_stale_ms)

    @property
    def bytes(self) -> int:
        """Bytes that are taken."""
        return self._memory.bytes

    @property
    def bytes_max(self) -> int:
        """Bytes that may be taken."""
        return self._memory.bytes_max

    @property
    def entries(self) -> int:
        """Values that are kept."""
        return len(self._memory)

    def clear(self) -> None:
        """Forget everything. Reads under way are not kept either."""
        self._forget_all("")
        self._policies.clear()

    # What nouns ask.

    def get(self, keys: SessionKeys, kind: Kind, *, extent: float = math.inf) -> Kept | None:
        """What is kept of a session, if it may be given out and is so much of the whole."""
        kept = self._memory.get(keys.record, kind)
        if kept is not None:
            now = self.clock()
            line = kept.line
            if kept.expires_at <= now or not line.is_current:
                self._memory.drop_one(keys.record, kind)
            elif kept.extent >= extent and now - line.confirmed_at <= self._stale_s and self._row < ROW_MAX:
                self.hits += 1
                self._row += 1
                return kept
        self.misses += 1
        return None

    def fill(self, keys: SessionKeys) -> Fill:
        """A read whose answer may be kept."""
        self._row = 0
        return Fill(self, keys)

    # What connections tell.

    def on_push(self, message: Sequence[Any]) -> None:
        """The server said something unasked: keys have changed, or, without keys, all have."""
        if message[0] != b"invalidate":
            return
        if message[1] is None:
            self.clear()
            return
        for key in message[1]:
            self._forget(key.decode())

    def on_lost(self) -> None:
        """A connection is gone, and with it what it would have told."""
        self.clear()

    def on_write(self, keys: Sequence[str]) -> None:
        """A write of this cache is about to be sent, or has ended. The first key says what it may change."""
        if keys:
            self._forget(keys[0])

    # What fills tell.

    def begin(self, fill: Fill) -> None:
        """It is under way."""
        self._fills.setdefault(fill.session, []).append(fill)

    def end(self, fill: Fill) -> None:
        """It is not any more."""
        fills = self._fills[fill.session]
        fills.remove(fill)
        if not fills:
            del self._fills[fill.session]

    def grow(self, keys: SessionKeys, kind: Kind, size: int) -> None:
        """What is kept there takes more bytes by now."""
        kept = self._memory.get(keys.record, kind)
        if kept is not None:
            self._memory.put(keys.record, kind, replace(kept, size=kept.size + size))

    def put(self, session: str, kind: Kind, kept: Kept) -> None:
        """Keep a value."""
        self._memory.put(session, kind, kept)

    def knows_policy(self, policy: str, line: Line) -> bool:
        """Whether the server would tell over this connection that the shard's policy changes."""
        known = self._policies.get(policy)
        return known is not None and known[0] is line

    def learn_policy(self, policy: str, line: Line, *, slides: bool) -> None:
        """The shard's policy says whether reads move the deadline."""
        self._policies[policy] = line, slides

    def is_cacheable(self, policy: str, line: Line) -> bool:
        """Whether reads leave the deadline where it is: one from memory could not move it."""
        known = self._policies.get(policy)
        return known is not None and known[0] is line and not known[1]

    # Inside.

    def _forget(self, key: str) -> None:
        """Forget what a key belongs to: a session, or, where it is no session's, all of its shard."""
        session = record_of(key)
        if session is None:
            self._policies.pop(key, None)
            self._forget_all(shard_prefix_of(key))
            return
        self.invalidations += self._memory.drop(session)
        for fill in self._fills.get(session, ()):
            fill.doubt()

    def _forget_all(self, prefix: str) -> None:
        """Forget all sessions whose record's key begins so."""
        self.invalidations += self._memory.drop_all(prefix)
        for session, fills in self._fills.items():
            if session.startswith(prefix):
                for fill in fills:
                    fill.doubt()
