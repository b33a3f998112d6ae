"""Worker processes on a server without memory: arq cannot start a job there, and what is overdue goes all the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from sessioncache import AsyncSessionCache, BackendFull, RetentionPolicy
from sessioncache.embedded import EmbeddedServer
from tests.workers.conftest import WorkerProcess, fill, stored, swept, until

pytestmark = pytest.mark.timeout(300)

Start = Callable[..., WorkerProcess]


async def set_maxmemory(server: EmbeddedServer, size: int) -> None:
    """Take all memory from the server with 1, and give it back with 0."""
    await asyncio.to_thread(server.command, "CONFIG", "SET", "maxmemory", size)


async def is_unready_because_full(worker: WorkerProcess) -> bool:
    """Whether /readyz says that, and /livez that it lives."""
    assert (await worker.get("livez"))[0] == 200
    ready, checks = await worker.checks()
    return not ready and "full" in checks["memory"]


@pytest.mark.parametrize("full_at_start", [False, True])
async def test_overdue_sessions_are_swept_from_a_full_server(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer, *, full_at_start: bool
) -> None:
    """A worker starts on a full server, sweeps it, says why it is not ready, and takes jobs when there is room."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1_500))
    await fill(cache, 40)
    if full_at_start:
        await set_maxmemory(server, 1)
    worker = start()
    await worker.started()
    if not full_at_start:
        await until(worker.is_ready, "it is ready")
        await set_maxmemory(server, 1)
    await until(lambda: is_unready_because_full(worker), "it says that the server is full")
    await until(lambda: swept(cache), "all are swept")
    with pytest.raises(BackendFull):
        await cache.transcripts.append("new", {"n": 1})
    await set_maxmemory(server, 0)
    await until(worker.is_ready, "it is ready again")
    await fill(cache, 5)
    await until(lambda: swept(cache), "it sweeps as before")
    events = [line["event"] for line in worker.lines]
    assert sum("is full" in event for event in events) == 1
    assert sum("has room again" in event for event in events) == 1
    assert await worker.end() == 0


async def test_live_sessions_go_only_where_somebody_asked_for_it(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer
) -> None:
    """Without a high mark a full server keeps every live session; with one the oldest go, and writers can write."""
    used = int(dict(line.split(":") for line in info(server)).get("used_memory", "0"))
    await set_maxmemory(server, used + 4_000_000)
    written = 0
    with contextlib.suppress(BackendFull):
        while True:
            await cache.transcripts.append(f"s{written}", {"text": "x" * 20_000})
            written += 1
    careful = start()
    await careful.started()
    await until(lambda: is_unready_because_full(careful), "it says that the server is full")
    assert careful.lines[0]["live_sessions"] == "never removed"
    assert await stored(cache) == written
    assert await careful.end() == 0
    low = {"SESSIONCACHE_WORKER_RELIEVE_HIGH": "0.9", "SESSIONCACHE_WORKER_RELIEVE_LOW": "0.7"}
    worker = start(**low)
    await worker.started()

    async def has_room() -> bool:
        return await stored(cache) < written and await worker.is_ready()

    await until(has_room, "there is room again")
    await cache.transcripts.append("new", {"n": 1})
    assert await cache.sessions.get("s0") is None
    assert await cache.sessions.get(f"s{written - 1}") is not None
    assert any(line["event"] == "live sessions were removed to make room" for line in worker.lines)
    assert "s0" not in {value for line in worker.lines for value in line.values()}
    assert await worker.end() == 0


def info(server: EmbeddedServer) -> list[str]:
    """What the server says about its memory."""
    said = server.command("INFO", "memory")
    assert isinstance(said, bytes)
    return [line for line in said.decode().splitlines() if line.count(":") == 1]
