"""Turns: a write of a session begins when the window allows it. `turns_sync.py` is the same for threads.

The rule of this module: a write has its turn until its outcome is known, repeats included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeAlias

from sessioncache.errors import BackendUnavailable
from sessioncache.transport.window import Window
from sessioncache.wire.keys import Key

__all__ = ["Turn", "Turns"]

Turn: TypeAlias = int
"""The number of a write of a session."""


class Turns:
    """Who comes too early waits, first come first served."""

    def __init__(self, window: int) -> None:
        self._window = Window(window)
        self._waiting: dict[Key, deque[asyncio.Future[int]]] = {}
        self.begin = self._window.begin
        """Take a turn if there is one; its number, or None."""

    async def wait(self, key: Key, *, limit_ms: int) -> int:
        """Take the next turn that there is; its number.

        Raises:
            BackendUnavailable: there was none in this time.
        """
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            async with asyncio.timeout(limit_ms / 1000):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.end(key, turn.result())
            if isinstance(error, TimeoutError):
                raise BackendUnavailable(
                    f"not sent: the writes of the session before it were not done within {limit_ms} ms"
                ) from None
            raise

    def end(self, key: Key, number: int) -> None:
        """Give a turn back: those who wait go on, as far as they may."""
        self._window.end(key, number)
        waiting = self._waiting.get(key)
        if waiting is None:
            return
        while waiting:
            if not waiting[0].done():
                given = self.begin(key)
                if given is None:
                    return
                waiting[0].set_result(given)
            waiting.popleft()
        del self._waiting[key]
