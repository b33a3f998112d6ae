"""A loop whose clock jumps, and a server without sockets that answers as it is told: thousands of schedules a second.

The rule of this module: time passes only where nobody has anything to do, and a loop on which everybody waits for
ever fails at once.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import hiredis

from sessioncache.transport.channel import Channel

T = TypeVar("T")


class Jumping(selectors.SelectSelector):
    """Waits by moving the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing ever comes from outside."""
        assert timeout is not None, "everybody waits, and nothing will ever come"
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never sleeps."""

    def __init__(self) -> None:
        self.clock = Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        """The jumping clock's."""
        return self.clock.now

    def timers(self) -> list[asyncio.TimerHandle]:
        """What is still to come by itself."""
        scheduled: list[asyncio.TimerHandle] = getattr(self, "_scheduled")  # noqa: B009 - it has no name for type checkers
        return [timer for timer in scheduled if not timer.cancelled()]

    def play(self, story: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run to the end, and leave nothing behind: no task, no timer."""
        result = self.run_until_complete(story())
        assert asyncio.all_tasks(self) == set()
        # Timers that are still there have been left behind, unless they were cancelled, or fire once more to end.
        self.run_until_complete(asyncio.sleep(3_600))
        assert self.timers() == []
        return result


class Wire(asyncio.Transport):
    """What a channel writes to: it keeps everything, and says it at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, channel: Channel) -> None:
        super().__init__()
        self._loop = loop
        self.channel = channel
        self.writes: list[bytes] = []
        self.is_gone = False
        channel.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what is sent."""
        self.writes.append(bytes(data))

    def abort(self) -> None:
        """Be gone at the next turn of the loop, as sockets are."""
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """The connection breaks."""
        if not self.is_gone:
            self.is_gone = True
            self._loop.call_soon(self.channel.connection_lost, error)

    def say(self, data: bytes) -> None:
        """The server says something."""
        if not self.is_gone:
            self.channel.data_received(data)


class ScriptedServer(Wire):
    """Answers `ECHO token form` by chance: late, in pieces, with pushes in between, or not at all."""

    def __init__(self, loop: asyncio.AbstractEventLoop, channel: Channel, chance: Random, window: int) -> None:
        self._chance = chance
        self._window = window
        self._reader = hiredis.Reader()
        self._answers: deque[bytes] = deque()
        self._out = b""
        self._answered = 0
        self.seen: list[bytes] = []
        """Tokens, in the order in which they came."""
        self.most_under_way = 0
        self.is_silent = False
        self._ends_after = chance.choice([None, None, chance.randrange(4_000)])
        self._silent_after = chance.choice([None, None, None, chance.randrange(4_000)])
        self._said = 0
        super().__init__(loop, channel)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Read commands as a server does, and answer them some time."""
        super().write(data)
        self._reader.feed(bytes(data))
        while command := self._reader.gets():
            _echo, token, form = command
            self.seen.append(token)
            self._answers.append(reply_to(token, form))
        self.most_under_way = max(self.most_under_way, len(self.seen) - self._answered)
        self._loop.call_later(self._chance.random() * 0.01, self._go_on)
        if self._chance.random() < 0.1:
            self.channel.pause_writing()
            self._loop.call_later(self._chance.random() * 0.05, self._resume)

    def _resume(self) -> None:
        if not self.is_gone:
            self.channel.resume_writing()

    def _go_on(self) -> None:
        """Say a piece of what is to be said: up to a few bytes, or to the end of many answers."""
        if self.is_gone or self.is_silent:
            return
        for _ in range(self._chance.choice([0, 1, 1, 2, 50])):
            if self._answers:
                self._out += self._answers.popleft()
                self._answered += 1
            if self._chance.random() < 0.1:
                self._out += b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n"
        size = self._chance.choice([1, 3, 17, 100_000, 100_000])
        piece, self._out = self._out[:size], self._out[size:]
        self._speak(piece)
        if self._out or self._answers:
            pause_s = self._chance.choice([0.0, 0.0, 0.001, 0.02, 0.3])
            self._loop.call_later(pause_s, self._go_on)

    def _speak(self, piece: bytes) -> None:
        if self._silent_after is not None and self._said + len(piece) > self._silent_after:
            self.is_silent = True
            piece = piece[: self._silent_after - self._said]
        if self._ends_after is not None and self._said + len(piece) > self._ends_after:
            piece = piece[: self._ends_after - self._said]
            self._said += len(piece)
            self.say(piece)
            self.lose(self._chance.choice([None, ConnectionResetError("reset")]))
            return
        self._said += len(piece)
        if piece:
            self.say(piece)


def reply_to(token: bytes, form: bytes) -> bytes:
    """A reply that holds the token, in one of the shapes that replies have."""
    bulk = b"$%d\r\n%s\r\n" % (len(token), token)
    match form:
        case b"error":
            return b"-ERR %s\r\n" % token
        case b"nested":
            return b"*3\r\n*1\r\n%s:7\r\n$-1\r\n" % bulk
        case b"error inside":
            return b"*2\r\n-ERR inside\r\n%s" % bulk
        case b"huge":
            return b"*2\r\n%s$%d\r\n%s\r\n" % (bulk, 70_000, b"x" * 70_000)
        case b"status":
            return b"+%s\r\n" % token
    return bulk


def token_in(reply: object) -> bytes:
    """The token that a reply holds."""
    if isinstance(reply, list):
        return token_in(next(part for part in reply if isinstance(part, bytes | list)))
    if isinstance(reply, Exception):
        return str(reply).encode()
    assert isinstance(reply, bytes)
    return reply
