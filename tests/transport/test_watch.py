"""What a cache knows of its connection: what is on its way, and how the last call ended."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sessioncache.errors import BackendTimeout, SessionGone
from sessioncache.telemetry import ConnectionState
from sessioncache.transport.watch_async import AsyncWatchTransport
from sessioncache.transport.watch_sync import WatchTransport
from sessioncache.wire.call import Call

READ: Call[Any] = Call("test.read", "GET", (), (), decode=str)
WRITE: Call[Any] = Call("test.write", "SET", (), (), decode=str, writes=True)


class Inner:
    """Answers when it is told to, or at once."""

    def __init__(self) -> None:
        self.answers: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def call(self, _call: Call[Any]) -> Any:  # noqa: ANN401 - as the protocol
        return await asyncio.shield(self.answers)

    async def call_many(self, calls: list[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        assert return_errors
        return [await asyncio.shield(self.answers)] * len(calls)


async def test_what_is_on_its_way_is_counted() -> None:
    """Reads and writes count from when they are sent until they end, together or alone, cancelled ones too."""
    inner, state = Inner(), ConnectionState()
    watch: Any = AsyncWatchTransport(inner, lambda: inner, state)  # type: ignore[arg-type, return-value]  # a part of it
    tasks = [asyncio.create_task(watch.call(call)) for call in (READ, READ, WRITE)]
    many = asyncio.create_task(watch.call_many([READ, WRITE, WRITE], return_errors=True))
    await asyncio.sleep(0)
    assert (state.reads, state.writes, state.succeeded_ms) == (3, 3, None)
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    assert (state.reads, state.writes, state.succeeded_ms) == (2, 3, None)
    inner.answers.set_result("")
    await asyncio.gather(*tasks[1:], many)
    assert (state.reads, state.writes, state.error) == (0, 0, None)
    assert state.succeeded_ms is not None


async def test_only_a_failing_server_is_an_error_of_the_connection() -> None:
    """A refused call was answered; one without an answer is remembered until the next success."""
    state = ConnectionState()
    for error, kept in ((SessionGone("gone"), False), (BackendTimeout("late"), True), (SessionGone("gone"), True)):
        inner = Inner()
        inner.answers.set_exception(error)
        watch: Any = AsyncWatchTransport(inner, lambda: None, state)  # type: ignore[arg-type, return-value]  # as above
        with pytest.raises(type(error)):
            await watch.call(READ)
        assert (isinstance(state.error, BackendTimeout), state.reads, state.succeeded_ms) == (kept, 0, None)
    state.ended(None)
    assert state.error is None


def test_threads_count_without_losing_any() -> None:
    """However many threads share a cache, nothing is on its way when all have ended."""
    state = ConnectionState()

    class Quick:
        def call(self, _call: Call[Any]) -> None:
            assert state.reads + state.writes > 0

    watch: Any = WatchTransport(Quick(), lambda: None, state)  # type: ignore[arg-type, return-value]  # as above
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(watch.call, [READ, WRITE] * 4_000))
    assert (state.reads, state.writes) == (0, 0)
