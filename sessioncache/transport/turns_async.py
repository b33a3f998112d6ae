"""Turns: how many writes of one session may be under way at once. `turns_sync.py` is the same for threads.

The rule of this module: a write has its turn until its outcome is known, repeats included. The server remembers the
last 16 operation ids of a session, so a write whose answer was lost with those of many others could be forgotten by the
time that it is repeated, and happen twice.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sessioncache.errors import BackendUnavailable
from sessioncache.wire.keys import Key

__all__ = ["Turns"]


class Turns:
    """Counts what is under way, by key; who comes when all turns are taken waits, first come first served."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._taken: dict[Key, int] = {}
        self._waiting: dict[Key, deque[asyncio.Future[None]]] = {}

    def begin(self, key: Key) -> bool:
        """Take a turn if one is free."""
        taken = self._taken.get(key, 0)
        if taken >= self._at_once:
            return False
        self._taken[key] = taken + 1
        return True

    async def wait(self, key: Key, *, limit_ms: int) -> None:
        """Take the next turn that is given back.

        Raises:
            BackendUnavailable: there was none in this time.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.end(key)
            if isinstance(error, TimeoutError):
                raise BackendUnavailable(
                    f"not sent: {self._at_once} writes of the session before it got no answer in {limit_ms} ms"
                ) from None
            raise

    def end(self, key: Key) -> None:
        """Give a turn back: to the next one who waits."""
        waiting = self._waiting.get(key)
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        if waiting is not None:
            del self._waiting[key]
        if self._taken[key] == 1:
            del self._taken[key]
        else:
            self._taken[key] -= 1
