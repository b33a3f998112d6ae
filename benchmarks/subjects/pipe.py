"""One connection that any number of tasks write to at once, made of asyncio and hiredis, and nothing else.

What all tasks ask in one turn of the event loop leaves in one write; replies are handed out in the requests' order.
The rule of this module: no promises. An error of the server is raised as it is, a lost connection fails everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Self
from urllib.parse import urlsplit

import hiredis

__all__ = ["Pipe"]

DEFAULT_PORT: Final = 6379
pack: Callable[[tuple[str | bytes | int, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]  # any length


class Pipe(asyncio.Protocol):
    """The connection."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._buffer: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._wire: asyncio.Transport

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Connect to a server without a password, and hang up in the end."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        wire, pipe = await loop.create_connection(cls, parts.hostname or "", parts.port or DEFAULT_PORT)
        try:
            yield pipe
        finally:
            wire.close()

    def send(self, *command: str | bytes | int) -> asyncio.Future[Any]:
        """The reply to come."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(reply)
        if not self._buffer:
            self._loop.call_soon(self._flush)
        self._buffer.append(pack(command))
        return reply

    def _flush(self) -> None:
        self._wire.write(b"".join(self._buffer))
        self._buffer.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to; asyncio has set TCP_NODELAY."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream is needed")
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        """Hand out every reply that is complete."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            waiting = self._waiting.popleft()
            if waiting.done():
                continue
            if isinstance(reply, hiredis.HiredisError):
                waiting.set_exception(reply)
            else:
                waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(exc or ConnectionError("the server hung up"))
