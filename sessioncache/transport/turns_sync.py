"""Turns: a write of a session begins when the window allows it. `turns_async.py` is the same for event loops."""

from __future__ import annotations

from threading import Condition

from sessioncache.errors import BackendUnavailable
from sessioncache.transport.window import Window
from sessioncache.wire.keys import Key

__all__ = ["Turns"]


class Turns:
    """Who comes too early waits."""

    def __init__(self, window: int) -> None:
        self._window = Window(window)
        self._given_back = Condition()

    def begin(self, key: Key) -> int | None:
        """Take a turn if there is one; its number, or None."""
        with self._given_back:
            return self._window.begin(key)

    def wait(self, key: Key, *, limit_ms: int) -> int:
        """Take a turn as soon as there is one; its number.

        Raises:
            BackendUnavailable: there was none in this time.
        """
        number: int | None = None

        def begin() -> bool:
            nonlocal number
            number = self._window.begin(key)
            return number is not None

        with self._given_back:
            self._given_back.wait_for(begin, timeout=limit_ms / 1000)
        if number is None:
            raise BackendUnavailable(
                f"not sent: the writes of the session before it were not done within {limit_ms} ms"
            )
        return number

    def end(self, key: Key, number: int) -> None:
        """Give a turn back."""
        with self._given_back:
            self._window.end(key, number)
            self._given_back.notify_all()
