"""One connection that any number of tasks share: commands go out in order, replies are matched in that order.

The rule of this module: a reply belongs to the oldest command that has none. So nothing that was sent is ever taken out
of the line but by its own replies: who gives up waiting leaves his place in it, and what comes for that place is thrown
away. Where the order cannot be trusted any more (a reply that nobody asked for, bytes that are no protocol, silence),
the connection is closed, and everybody who waits hears that the outcome is not known.

```
task 1 ─ exchange ─┐                                    ┌─ replies ─▶ task 1
task 2 ─ exchange ─┼─ one write a tick ─▶ server ─▶ reader ─ replies ─▶ (gave up: thrown away)
task 3 ─ exchange ─┘      places: 1, 2, 3               └─ pushes ─▶ listener
```
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from math import inf
from socket import SHUT_RDWR
from typing import Any, Final, Protocol, cast

import hiredis
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as DriverTimeoutError

from sessioncache.telemetry import Traffic
from sessioncache.transport.driver_errors import NotSent

__all__ = ["Channel", "PushListener"]

INCOMPLETE: Final = object()
"""What the reader answers where a reply is not complete."""

PUSH: Final = hiredis.PushNotification

WINDOW: Final = 4_096
"""Commands under way on one connection, beyond which callers wait."""

WRITE_BYTES: Final = 65_536
"""So many bytes are written at once, without waiting for the end of the tick: then the connection can say stop."""

FEED_BYTES: Final = 16_384
"""So many bytes are parsed at once: with each reply the reader moves what it has of those behind it."""

CHECKS: Final = 8
"""How often within the time limit it is looked whether it has passed."""


class PushListener(Protocol):
    """Who hears what a server says unasked, on a connection that speaks RESP3."""

    greeting: Sequence[tuple[str, ...]]
    """Commands for every new connection, such as CLIENT TRACKING ON."""

    def on_push(self, message: list[Any]) -> None:
        """The server said this. If it raises, the connection is closed."""

    def on_lost(self) -> None:
        """A connection is gone, and with it whatever it would have said."""


class _Place:
    """Some commands that are sent together, and who waits for their replies."""

    __slots__ = ("asked_at", "commands", "expected", "future", "replies")

    def __init__(self, commands: Sequence[bytes], future: asyncio.Future[list[Any]], asked_at: float) -> None:
        self.commands = commands
        self.expected = len(commands)
        self.future = future
        self.replies: list[Any] = []
        self.asked_at = asked_at


class Channel(asyncio.Protocol):
    """One connection. Made by `loop.create_connection`; dead once it is closed, for whatever reason."""

    def __init__(
        self,
        *,
        limit_ms: int,
        window: int = WINDOW,
        listener: PushListener | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        """Prepare for a connection.

        Args:
            limit_ms: longest wait for an answer. A caller whose time is up is told so; the connection goes on if the
                server has said anything at all in this time, and is closed otherwise.
            window: commands under way, beyond which callers wait.
            listener: hears of pushes; without one they are thrown away.
            traffic: is told of every byte, and of the end.
        """
        self.loop = asyncio.get_running_loop()
        """The loop that this connection lives on."""
        self.lost: BaseException | None = None
        """Why the connection is gone; None while it is there."""
        self.ended: asyncio.Future[None] = self.loop.create_future()
        """Done when the socket is closed, too."""
        self._ready: deque[Any] | None = getattr(self.loop, "_ready", None)
        """What else is to run in this tick, where the loop is asyncio's own."""
        self._limit_s = limit_ms / 1000
        self.window = window
        """Commands under way, beyond which callers wait."""
        self._traffic = Traffic() if traffic is None else traffic
        self._listener = listener
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=_error_reply, notEnoughData=INCOMPLETE)
        self._transport: asyncio.Transport | None = None
        self._places: deque[_Place] = deque()
        """What was written: the order of the replies."""
        self._unsent: list[_Place] = []
        """What will be, at the end of this tick."""
        self._unsent_bytes = 0
        self._in_flight = 0
        """Commands of both."""
        self._queue: deque[_Place] = deque()
        """What there is no room for yet."""
        self._is_paused = False
        self._is_retired = False
        self.confirmed_at = -inf
        """When the last commands that were answered had been asked: pushes for what was before this have come."""
        self._heard_at = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._was_late = False

    async def exchange(self, commands: Sequence[bytes]) -> list[Any]:
        """Send commands one behind the other, nothing between them, and answer their replies.

        Args:
            commands: packed, each exactly one command with exactly one reply, at once. Errors that the server answers
                are in their places.

        Raises:
            redis.exceptions.TimeoutError, redis.exceptions.ConnectionError: no answer in time, or the connection was
                lost; the commands may have run.
            NotSent: they were not sent.
        """
        return await self.ask(commands) if commands else []

    def ask(self, commands: Sequence[bytes]) -> asyncio.Future[list[Any]]:
        """Send commands, at least one, as `exchange` does; their replies are the future's.

        Raises:
            NotSent: they were not sent.
        """
        if self.lost is not None:
            raise NotSent(f"the connection was lost: {self.lost}")
        place = _Place(commands, self.loop.create_future(), self.loop.time())
        if self._queue or self._is_paused or self._in_flight >= self.window:
            self._queue.append(place)
        else:
            # Where nothing else is to run in this tick, nobody else will ask anything in it.
            self._send(place, at_once=self._ready is not None and not self._ready and not self._unsent)
        if self._watch is None:
            self._watch_out()
        return place.future

    @property
    def is_current(self) -> bool:
        """Whether it is there, and is to be used further."""
        return self.lost is None and not self._is_retired

    @property
    def in_flight(self) -> int:
        """Commands that were sent, or are about to be, and have no answer yet."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Commands that wait for room."""
        return sum(place.expected for place in tuple(self._queue))

    def close(self) -> None:
        """Close at once: whoever waits hears that the connection was lost."""
        self._traffic.end(self, lost=False)
        self._give_up(DriverConnectionError("it was closed on this side"))

    def abandon(self) -> None:
        """Let go of the connection where its loop was closed before it: nobody waits, and the loop cannot close it."""
        if self.lost is not None:
            return
        self.lost = DriverConnectionError("its event loop was closed")
        self._traffic.end(self, lost=False)
        transport, self._transport = self._transport, None
        connected = transport.get_extra_info("socket") if transport is not None else None
        if connected is not None:
            # The socket itself is closed with the transport, which nobody holds any more.
            with suppress(OSError):
                connected.shutdown(SHUT_RDWR)
        for places in (self._places, self._unsent, self._queue):
            places.clear()
        if self._listener is not None:
            self._listener.on_lost()

    def retire(self) -> None:
        """Close as soon as nobody waits for an answer any more."""
        self._is_retired = True
        self._go_if_retired()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        if self.lost is not None:
            self._transport.abort()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came: hand complete replies to those whose turn it is."""
        try:
            self._heard_at = self.loop.time()
            self._traffic.received_bytes += len(data)
            for start in range(0, len(data), FEED_BYTES):
                self._parse(data, start)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the order of the replies is lost
            self._give_up_after(error)
            return
        if self._queue:
            self._admit()
        if self._is_retired:
            self._go_if_retired()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        self._give_up(exc or DriverConnectionError("the server closed it"))
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        """The server reads more slowly than we write."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_paused = False
        self._admit()

    # Inside.

    def _admit(self) -> None:
        """Send for those who wait to be sent for, first come first served, as far as there is room."""
        while self._queue and not self._is_paused and self._in_flight < self.window:
            place = self._queue.popleft()
            # Who has given up is not sent for: he was told, or knows, that it did not happen.
            if not place.future.done():
                self._send(place)

    def _send(self, place: _Place, *, at_once: bool = False) -> None:
        if not self._unsent and not at_once:
            self.loop.call_soon(self._flush)
        self._unsent.append(place)
        self._in_flight += place.expected
        commands = place.commands
        self._unsent_bytes += len(commands[0]) if len(commands) == 1 else sum(map(len, commands))
        if at_once or self._unsent_bytes >= WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write what was asked for since the last write."""
        if self._transport is None or not self._unsent or self.lost is not None:
            return
        try:
            commands: list[bytes] = []
            for place in self._unsent:
                if place.future.done():
                    # Its caller has gone; there is room for another one.
                    self._in_flight -= place.expected
                    self.loop.call_soon(self._admit)
                    continue
                commands += place.commands
                place.commands = ()
                self._places.append(place)
            self._unsent.clear()
            self._unsent_bytes = 0
            if commands:
                together = b"".join(commands)
                self._traffic.sent_bytes += len(together)
                self._transport.write(together)
        except BaseException as error:  # noqa: BLE001 - nobody knows how much of it went out
            self._give_up_after(error)

    def _parse(self, data: bytes, start: int) -> None:
        """Hand over the replies that are complete with the next part of what came."""
        reader = self._reader
        reader.feed(data, start, min(FEED_BYTES, len(data) - start))
        while self.lost is None and (reply := reader.gets()) is not INCOMPLETE:
            # A push is no reply: it stands between them.
            if type(reply) is not PUSH:
                self._hand_over(reply)
            elif self._listener is not None:
                self._listener.on_push(reply)

    def _hand_over(self, reply: object) -> None:
        """Give a reply to the oldest place that lacks one."""
        if not self._places:
            if isinstance(reply, ResponseError):
                # Why it hangs up: before anything was asked of it, say.
                raise DriverConnectionError(str(reply))
            raise InvalidResponse(f"the server sent what nobody asked for: {reply!r:.80}")
        place = self._places[0]
        place.replies.append(reply)
        if len(place.replies) == place.expected:
            self._places.popleft()
            self._in_flight -= place.expected
            self.confirmed_at = place.asked_at
            if not place.future.done():
                place.future.set_result(place.replies)

    def _go_if_retired(self) -> None:
        if self._is_retired and all(place.future.done() for place in self._waiting()):
            self.close()

    def _waiting(self) -> Iterator[_Place]:
        """Everybody who may be waiting, in the order in which they came."""
        return chain(self._places, self._unsent, self._queue)

    def _watch_out(self) -> None:
        self._watch = self.loop.call_later(self._limit_s / CHECKS, self._check)

    def _check(self) -> None:
        """Look whose time is up, and whether the server has said anything since."""
        now, due, self._watch = self.loop.time(), self._watch.when() if self._watch else 0.0, None
        oldest = next(self._waiting(), None)
        if oldest is None:
            return
        # Where this process was held up, so was what it had to write and to read: that is not the server's time.
        self._was_late = not self._was_late and now - due > self._limit_s / CHECKS
        if self._was_late:
            self._watch_out()
            return
        asked_before = now - self._limit_s
        if max(self._heard_at, oldest.asked_at) <= asked_before:
            self._give_up(self._too_late())
            return
        self._turn_away(asked_before)
        self._watch_out()
        self._go_if_retired()

    def _turn_away(self, asked_before: float) -> None:
        """Tell those who have waited for too long, while the connection goes on."""
        for place in self._places:
            if place.asked_at > asked_before:
                break
            if not place.future.done():
                place.future.set_exception(self._too_late())
        while self._queue and (self._queue[0].asked_at <= asked_before or self._queue[0].future.done()):
            place = self._queue.popleft()
            if not place.future.done():
                place.future.set_exception(NotSent(f"no room on the connection within {self._limit_s * 1000:.0f} ms"))

    def _too_late(self) -> RedisError:
        return DriverTimeoutError(f"no answer within {self._limit_s * 1000:.0f} ms")

    def _give_up_after(self, error: BaseException) -> None:
        """Close; a signal's exception (Ctrl-C, a time limit) goes on to where it belongs."""
        self._give_up(error)
        if not isinstance(error, Exception):
            raise error

    def _give_up(self, reason: BaseException) -> None:
        """Close, and tell everybody who waits."""
        if self.lost is not None:
            return
        self.lost = reason
        self._traffic.end(self, lost=True)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()
        for place in self._places:
            if not place.future.done():
                place.future.set_exception(_told(reason))
        for place in chain(self._unsent, self._queue):
            if not place.future.done():
                place.future.set_exception(NotSent(f"the connection was lost: {reason}"))
        self._places.clear()
        self._unsent.clear()
        self._queue.clear()
        if self._listener is not None:
            self._listener.on_lost()


def _told(reason: BaseException) -> RedisError:
    """What one of those who waited is told: an exception of his own, as tracebacks grow on them."""
    if isinstance(reason, DriverTimeoutError):
        return DriverTimeoutError(*reason.args)
    error = DriverConnectionError(f"the connection was lost: {reason}")
    error.__cause__ = reason
    return error


def _error_reply(text: str) -> ResponseError:
    """An error as the driver's own reader makes it, as far as it matters: without ERR, and NOSCRIPT by its class."""
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ResponseError(text.removeprefix("ERR "))
