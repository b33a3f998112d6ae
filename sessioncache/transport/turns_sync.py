"""Turns: how many writes of one session may be under way at once. `turns_async.py` is the same for event loops."""

from __future__ import annotations

from threading import Condition

from sessioncache.errors import BackendUnavailable
from sessioncache.wire.keys import Key

__all__ = ["Turns"]


class Turns:
    """Counts what is under way, by key; who comes when all turns are taken waits."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._taken: dict[Key, int] = {}
        self._given_back = Condition()

    def begin(self, key: Key) -> bool:
        """Take a turn if one is free."""
        with self._given_back:
            return self._begin(key)

    def wait(self, key: Key, *, limit_ms: int) -> None:
        """Take a turn that is given back.

        Raises:
            BackendUnavailable: there was none in this time.
        """
        with self._given_back:
            if not self._given_back.wait_for(lambda: self._begin(key), timeout=limit_ms / 1000):
                raise BackendUnavailable(
                    f"not sent: {self._at_once} writes of the session before it got no answer in {limit_ms} ms"
                )

    def end(self, key: Key) -> None:
        """Give a turn back."""
        with self._given_back:
            if self._taken[key] == 1:
                del self._taken[key]
            else:
                self._taken[key] -= 1
            self._given_back.notify_all()

    def _begin(self, key: Key) -> bool:
        taken = self._taken.get(key, 0)
        if taken < self._at_once:
            self._taken[key] = taken + 1
        return taken < self._at_once
