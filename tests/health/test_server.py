"""The health port answers three pages, and nobody can make it wait or hold much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from sessioncache.errors import ConfigurationError
from sessioncache.health import HealthServer, LoopTick, ReadyState, server


class Told:
    live = True
    ready = ReadyState({"redis": "ok"})
    accept = ""
    never: asyncio.Event | None = None

    async def is_ready(self) -> ReadyState:
        if self.never is not None:
            await self.never.wait()
        return self.ready

    def metrics(self, accept: str) -> tuple[bytes, str]:
        self.accept = accept
        return b"up 1\n", "text/plain; version=0.0.4"


@pytest.fixture
def told() -> Told:
    """What the server is told about its process."""
    return Told()


@pytest.fixture
async def health(told: Told) -> AsyncIterator[HealthServer]:
    """A server on a free port."""
    async with HealthServer(
        "127.0.0.1", 0, live=lambda: told.live, ready=told.is_ready, metrics=told.metrics
    ) as opened:
        yield opened


async def send(health: HealthServer, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", health.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), {name.lower(): text for name, text in headers.items()}, body


async def get(health: HealthServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and body of a page."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {text}" for name, text in headers.items()), "", ""]
    status, _, body = await send(health, "\r\n".join(lines).encode())
    return status, body


async def test_livez_says_whether_the_loop_turns(health: HealthServer, told: Told) -> None:
    """200 while it is alive, 503 when it is not."""
    assert await get(health, "/livez") == (200, b"alive\n")
    told.live = False
    assert (await get(health, "/livez"))[0] == 503


async def test_readyz_says_what_is_wrong(health: HealthServer, told: Told) -> None:
    """503 with a JSON object that names each check and its problem."""
    assert (await get(health, "/readyz"))[0] == 200
    told.ready = ReadyState({"redis": "no connection", "queue": "ok"})
    status, body = await get(health, "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "checks": {"redis": "no connection", "queue": "ok"}}


async def test_readyz_does_not_wait_for_ever(health: HealthServer, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that does not come back is a 503."""
    monkeypatch.setattr(server, "READY_TIMEOUT_S", 0.01)
    told.never = asyncio.Event()
    assert (await get(health, "/readyz"))[0] == 503


async def test_metrics_hand_on_the_accept_header(health: HealthServer, told: Told) -> None:
    """Whoever renders the metrics learns which format is asked for."""
    assert await get(health, "/metrics", Accept="application/openmetrics-text") == (200, b"up 1\n")
    assert told.accept == "application/openmetrics-text"


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "http://x/livez"])
async def test_other_pages_do_not_exist(health: HealthServer, path: str) -> None:
    """Anything but the three pages is a 404 that names them."""
    status, body = await get(health, path)
    assert status == 404
    assert b"/readyz" in body


async def test_only_reading_is_allowed(health: HealthServer) -> None:
    """POST is a 405 that says what would be right."""
    status, headers, _ = await send(health, b"POST /livez HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


async def test_head_has_no_body(health: HealthServer) -> None:
    """HEAD answers the headers of GET alone."""
    status, headers, body = await send(health, b"HEAD /livez HTTP/1.0\r\n\r\n")
    assert (status, headers["content-length"], body) == (200, "6", b"")


async def test_slow_requests_are_cut_off(health: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not finish a request in time gets a 408 and is disconnected."""
    monkeypatch.setattr(server, "REQUEST_TIMEOUT_S", 0.01)
    status, _, _ = await send(health, b"GET /livez HTTP/1.1\r\n")
    assert status == 408


async def test_large_requests_are_cut_off(health: HealthServer) -> None:
    """A request beyond the limit is refused without being kept."""
    status, _, _ = await send(health, b"GET /livez HTTP/1.1\r\nX: " + b"x" * server.REQUEST_BYTES_MAX + b"\r\n\r\n")
    assert status == 431


@pytest.mark.parametrize(
    "request_bytes", [b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\x00 a b\r\n\r\n", b"GET / SPDY/3\r\n\r\n"]
)
async def test_nonsense_is_refused(health: HealthServer, request_bytes: bytes) -> None:
    """What is not HTTP gets a 400."""
    assert (await send(health, request_bytes))[0] == 400


async def test_a_client_that_leaves_does_not_matter(health: HealthServer) -> None:
    """After a connection that was closed without a request, the next one is answered."""
    _, writer = await asyncio.open_connection("127.0.0.1", health.port)
    writer.close()
    await writer.wait_closed()
    assert (await get(health, "/livez"))[0] == 200


async def test_a_taken_port_is_said_plainly(health: HealthServer, told: Told) -> None:
    """A second server on the port is refused with a sentence that names it."""
    second = HealthServer("127.0.0.1", health.port, live=lambda: True, ready=told.is_ready, metrics=told.metrics)
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{health.port}"):
        await second.__aenter__()


async def test_the_tick_is_young_while_the_loop_turns() -> None:
    """The age of the tick falls again after it has grown."""
    async with LoopTick() as tick:
        tick._last -= 100
        assert tick.age_s > 50
        async with asyncio.timeout(10):
            while tick.age_s > 50:  # noqa: ASYNC110 - the tick has no event to wait for
                await asyncio.sleep(0)
