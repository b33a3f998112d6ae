"""What a script is told of a write that is sent again: since when it may have been done.

The rule of this module: it keeps and computes, and sends nothing. The server remembers the last 16 operations of a
session. A repeat that is not among them was not done, or done and forgotten; which of both it was, the script can
tell from two things that only the sender knows: a time before the first attempt, by the server's clock, and the id of
a write that was answered before it. Both are sent with repeats alone.
"""

from __future__ import annotations

import math
import time
from threading import Lock
from typing import Any, Final, TypeVar

from sessioncache.errors import BackendError, BackendFull, SessionCacheError
from sessioncache.transport.driver_errors import was_refused
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from sessioncache.wire.script import Script

__all__ = ["CLOCKS_APART_MS", "First", "Repeats"]

T = TypeVar("T")

CLOCKS_APART_MS: Final = 100
"""So far the clocks of a primary and of the one that takes its place may be apart."""

ANSWERED_MAX: Final = 4096
"""Sessions of which the newest answered write is known."""

UNKNOWN_MAX: Final = 4096
"""Writes whose outcome the caller was not told, and may ask for under the same operation id."""


class First:
    """The first attempt of a write. It may be kept for long, so it holds nothing of what was sent."""

    __slots__ = ("_anchor", "_began_at_s", "_began_s", "_since_ms", "may_be_done", "operation", "session")

    def __init__(self, operation: str, session: Key, anchor: str) -> None:
        self.operation = operation
        """Its operation id."""
        self.session = session
        """The key of what it writes to."""
        self._anchor = anchor
        self._since_ms: int | None = None
        self.may_be_done = False
        """Whether an attempt has failed in a way that leaves open what was done."""
        self.begin()

    def begin(self) -> None:
        """It is about to be sent, and has surely not been done before."""
        self._began_s = time.monotonic()
        self._began_at_s = time.time()

    def failed(self, error: BaseException) -> None:
        """An attempt failed."""
        self.may_be_done = self.may_be_done or not was_refused(error)

    def question(self) -> Call[int]:
        """What asks the server for its time; to be sent in front of each repeat, and to be told to `learn`."""
        return Call("server.time", "TIME", (), (), decode=_milliseconds, routed_by=self.session)

    def learn(self, server_ms: int) -> None:
        """The server's clock said this after the question was sent. The earliest of several answers counts."""
        # One clock stands still while the machine sleeps, the other may be set back: the longer time is safe.
        passed_s = max(time.monotonic() - self._began_s, time.time() - self._began_at_s)
        since_ms = max(server_ms - math.ceil(passed_s * 1000) - CLOCKS_APART_MS, 0)
        self._since_ms = since_ms if self._since_ms is None else min(self._since_ms, since_ms)

    def marked(self, call: Call[T]) -> Call[T]:
        """The repeat."""
        terms = str(call.args[2])
        set_by_a_test = terms.partition(" ")[0]
        since_ms = int(set_by_a_test) if set_by_a_test else self._since_ms
        return call if since_ms is None else call.again(since_ms, self._anchor)


class Repeats:
    """The writes of a cache, as far as their repeats need to know of them. Safe for threads."""

    def __init__(self) -> None:
        self._answered: dict[Key, str] = {}
        self._unknown: dict[tuple[Key, str], First] = {}
        self._keeping = Lock()

    def begin(self, call: Call[Any]) -> First | None:
        """The first attempt of a write that is about to be sent, maybe by its caller's will once more.

        None where the server remembers no operation id of it.
        """
        target = call.target
        if not isinstance(target, Script) or not target.is_remembered:
            return None
        session, operation = call.route, str(call.args[1])
        if self._unknown:
            known = self._unknown.get((session, operation))
            if known is not None:
                return known
        return First(operation, session, self._answered.get(session, ""))

    def end(self, first: First) -> None:
        """It was answered."""
        if len(self._answered) >= ANSWERED_MAX:
            # To have no anchor is safe, and writes that are repeated are few.
            self._answered.clear()
        self._answered[first.session] = first.operation
        if first.may_be_done:
            with self._keeping:
                self._unknown.pop((first.session, first.operation), None)

    def fail(self, first: First, error: BaseException) -> None:
        """The caller is told this instead of an answer; where that leaves it open what was done, it is kept."""
        # A full server has looked for the operation id, and then refused: it was not done.
        if isinstance(error, BackendFull) or (
            isinstance(error, SessionCacheError) and not isinstance(error, BackendError)
        ):
            return
        first.failed(error)
        if not first.may_be_done:
            return
        with self._keeping:
            if len(self._unknown) >= UNKNOWN_MAX:
                del self._unknown[next(iter(self._unknown))]
            self._unknown[first.session, first.operation] = first


def _milliseconds(reply: Any) -> int:  # noqa: ANN401 - two numbers, as text or not
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) // 1000
