"""Turns: a write of a session begins when the window allows it. `turns_async.py` is the same for event loops.

The rule of this module: a turn lasts while somebody holds it. A signal's handler may raise between any two steps, so
that a call ends without giving its turn back, and who waits is gone without a word: both are known by weak references
only. Locks are taken by `with` alone, which no signal comes into; those of `threading.Condition` can be left taken.
"""

from __future__ import annotations

import time
import weakref
from queue import Empty, SimpleQueue
from threading import RLock
from typing import Final

from sessioncache.errors import BackendUnavailable
from sessioncache.wire.keys import Key

__all__ = ["Turn", "Turns"]

LOOK_S: Final = 0.05
"""How often who waits looks for turns that were lost."""


class Turn:
    """That of one write."""

    __slots__ = ("__weakref__", "is_over")

    def __init__(self) -> None:
        self.is_over = False


class Turns:
    """Who comes too early waits. The window is as `window.Window` says."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._under_way: dict[Key, list[weakref.ReferenceType[Turn]]] = {}
        """By session the writes from the oldest whose outcome is not known to the newest, in the order they began."""
        self._changing = RLock()
        self._waiting: set[weakref.ReferenceType[SimpleQueue[None]]] = set()

    def begin(self, key: Key) -> Turn | None:
        """Take a turn if there is one."""
        with self._changing:
            begun = self._begun(key)
            if len(begun) >= self._window:
                return None
            turn = Turn()
            self._under_way[key] = [*begun, weakref.ref(turn)]
            return turn

    def wait(self, key: Key, *, limit_ms: int) -> Turn:
        """Take a turn as soon as there is one.

        Raises:
            BackendUnavailable: there was none in this time.
        """
        until_s = time.monotonic() + limit_ms / 1000
        bell: SimpleQueue[None] = SimpleQueue()
        self._waiting.add(weakref.ref(bell, self._waiting.discard))
        while (turn := self.begin(key)) is None:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise BackendUnavailable(
                    f"not sent: the writes of the session before it were not done within {limit_ms} ms"
                )
            try:
                bell.get(timeout=min(left_s, LOOK_S))
            except Empty:
                continue
        return turn

    def end(self, key: Key, turn: Turn) -> None:
        """Give a turn back: those who wait look again."""
        turn.is_over = True
        with self._changing:
            if not self._begun(key):
                self._under_way.pop(key, None)
        if self._waiting:
            for waiting in tuple(self._waiting):
                bell = waiting()
                if bell is not None and bell.empty():
                    bell.put(None)

    def _begun(self, key: Key) -> list[weakref.ReferenceType[Turn]]:
        begun = self._under_way.get(key, [])
        over = 0
        for known in begun:
            turn = known()
            if turn is not None and not turn.is_over:
                break
            over += 1
        return begun[over:]
