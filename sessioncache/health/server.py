"""A very small HTTP server on asyncio: three pages, one request a connection.

```
GET /livez    200 or 503   does the event loop turn? Never asks Redis.
GET /readyz   200 or 503   JSON: {"ready": false, "checks": {"redis": "…what is wrong"}}
GET /metrics  200          Prometheus text, or OpenMetrics where the Accept header asks for it
```

The rule of this module: nobody outside can make it hold much or wait long. Requests are at most 8 KB and 5 s, bodies
are not read, and every connection is closed after one answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeAlias

from sessioncache.errors import ConfigurationError
from sessioncache.health.state import ReadyState

__all__ = ["HealthServer"]

REQUEST_BYTES_MAX: Final = 8_192
REQUEST_TIMEOUT_S: Final = 5.0
READY_TIMEOUT_S: Final = 3.0
PLAIN: Final = "text/plain; charset=utf-8"
REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}

Live: TypeAlias = Callable[[], bool]
Ready: TypeAlias = Callable[[], Awaitable[ReadyState]]
Metrics: TypeAlias = Callable[[str], tuple[bytes, str]]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    content_type: str = PLAIN

    def render(self, *, with_body: bool) -> bytes:
        """The answer as it goes over the wire."""
        lines = [
            f"HTTP/1.1 {self.status} {REASONS[self.status]}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            "Cache-Control: no-store",
            "Connection: close",
            *(["Allow: GET, HEAD"] if self.status == 405 else []),  # noqa: PLR2004 - the status that carries it
        ]
        return "\r\n".join([*lines, "", ""]).encode() + (self.body if with_body else b"")


class HealthServer:
    """Serves the three pages while it is open: `async with HealthServer(…) as server: server.port`."""

    def __init__(self, host: str, port: int, *, live: Live, ready: Ready, metrics: Metrics) -> None:
        """Describe the server; nothing listens before `async with`.

        Args:
            host: the address to listen on; 127.0.0.1 keeps it inside the machine.
            port: 0 takes a free one.
            live: whether the process is alive; must not wait for anything.
            ready: whether it can work; gets three seconds.
            metrics: takes the Accept header, answers the page and its content type.
        """
        self._host = host
        self._port = port
        self._live = live
        self._ready = ready
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigurationError: the port is taken, or the address is not this machine's.
        """
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._port, limit=REQUEST_BYTES_MAX, reuse_address=True
            )
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror or error}; choose another port"
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening; answers under way are bounded in time and are left to end."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that goes away in the middle is no event.
        with suppress(ConnectionError, TimeoutError):
            try:
                method, answer = await self._answer(reader)
                writer.write(answer.render(with_body=method != "HEAD"))
                await asyncio.wait_for(writer.drain(), REQUEST_TIMEOUT_S)
            finally:
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, _Answer]:
        """The request's method, and what it is answered."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_TIMEOUT_S)
        except TimeoutError:
            return "", _Answer(408, b"the request took too long\n")
        except asyncio.LimitOverrunError:
            return "", _Answer(431, b"the request is too large\n")
        except asyncio.IncompleteReadError:
            return "", _Answer(400, b"the request ended early\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
            return "", _Answer(400, b"this is not an HTTP/1 request\n")
        fields = (line.partition(":") for line in rest)
        accept = next((value.strip() for name, _, value in fields if name.lower() == "accept"), "")
        return parts[0], await self._page(parts[0], parts[1].partition("?")[0], accept)

    async def _page(self, method: str, path: str, accept: str) -> _Answer:
        if path not in ("/livez", "/readyz", "/metrics"):
            return _Answer(404, b"there are /livez, /readyz and /metrics\n")
        if method not in ("GET", "HEAD"):
            return _Answer(405, b"use GET\n")
        if path == "/livez":
            return _Answer(200, b"alive\n") if self._live() else _Answer(503, b"the event loop is stuck\n")
        if path == "/metrics":
            return _Answer(200, *self._metrics(accept))
        return await self._readiness()

    async def _readiness(self) -> _Answer:
        try:
            state = await asyncio.wait_for(self._ready(), READY_TIMEOUT_S)
        except TimeoutError:
            state = ReadyState({"answer": f"none within {READY_TIMEOUT_S:g} s"})
        body = json.dumps({"ready": state.ready, "checks": dict(state.checks)}).encode() + b"\n"
        return _Answer(200 if state.ready else 503, body, "application/json")
