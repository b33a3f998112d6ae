"""A write that the server surely has not done is sent again as if it were new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from redis.exceptions import BusyLoadingError, ClusterDownError, ReadOnlyError
from redis.exceptions import ConnectionError as DriverConnectionError

from sessioncache import AsyncSessionCache, OutcomeUnknown
from sessioncache.client.build import make_settings
from sessioncache.errors import BackendError, BackendReadOnly, BackendTimeout, BackendUnavailable
from sessioncache.testing import fake_cache
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.driver_errors import NotSent
from sessioncache.wire.call import Call

T = TypeVar("T")


class Refused:
    """Refuses a call for a while, and lets others write before each repeat."""

    def __init__(self, inner: AsyncTransport, error: Callable[[], BackendError]) -> None:
        self._inner = inner
        self._error = error
        self.meanwhile: list[Callable[[], Awaitable[None]]] = []
        self.sent: list[Call[Any]] = []

    async def call(self, call: Call[T]) -> T:
        """Send one call, or refuse it."""
        if call.writes:
            self.sent.append(call)
            if self.meanwhile:
                await self.meanwhile.pop(0)()
                raise self._error()
        return await self._inner.call(call)

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together."""
        return await self._inner.call_many(calls, return_errors=return_errors)

    async def listen(self, *args: Any, **options: Any) -> None:
        """Wait for changes."""
        await self._inner.listen(*args, **options)

    async def aclose(self) -> None:
        """Whoever made what is inside closes it."""


def _caused(kind: type[BackendError], cause: BaseException) -> BackendError:
    error = kind("it did not work")
    error.__cause__ = cause
    return error


def _not_dialled() -> BackendError:
    try:
        try:
            raise ConnectionRefusedError(111, "refused")
        except OSError as refused:
            raise DriverConnectionError("connecting") from refused
    except DriverConnectionError as error:
        return _caused(BackendUnavailable, error)


REFUSALS: dict[str, Callable[[], BackendError]] = {
    "not dialled": _not_dialled,
    "not sent": lambda: _caused(BackendUnavailable, NotSent("no room")),
    "loading": lambda: _caused(BackendUnavailable, BusyLoadingError("LOADING")),
    "read-only": lambda: _caused(BackendReadOnly, ReadOnlyError("READONLY")),
    "cluster down": lambda: _caused(BackendUnavailable, ClusterDownError("CLUSTERDOWN")),
}
LOSSES: dict[str, Callable[[], BackendError]] = {
    "lost": lambda: _caused(BackendUnavailable, DriverConnectionError("closed by the server")),
    "late": lambda: BackendTimeout("no answer"),
    "not said": lambda: BackendUnavailable("no node serves it"),
}


@pytest.mark.parametrize("how", [*REFUSALS, *LOSSES])
async def test_what_was_surely_not_done_is_sent_as_new(how: str) -> None:
    """However many others wrote while a server was away: what it never took is done, what it may have taken is not."""
    lowest = fake_cache()._lowest
    other = AsyncSessionCache(lowest, make_settings(None, "test", {}))
    refused = Refused(lowest, REFUSALS[how] if how in REFUSALS else LOSSES[how])
    cache = AsyncSessionCache(refused, make_settings(None, "test", {"call_timeout_ms": 60_000, "retry_wait_max_ms": 1}))
    await cache.open()

    async def others() -> None:
        for number in range(20):
            await other.transcripts.append("chat", {"other": number})

    refused.meanwhile = [others, others]
    if how in REFUSALS:
        appended = await cache.transcripts.append("chat", {"mine": 1})
        assert (appended.repeated, appended.last_seq) == (False, 41)
        assert len({call.args for call in refused.sent}) == 1, "a repeat says more than the first attempt"
    else:
        with pytest.raises(OutcomeUnknown):
            await cache.transcripts.append("chat", {"mine": 1})
