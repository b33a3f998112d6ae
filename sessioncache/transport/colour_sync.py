"""Names that differ between the two colours: this is the sync side; `colour_async.py` has the same names."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from threading import Lock, Semaphore
from typing import Any, Protocol, TypeVar

from redis import Connection, SSLConnection
from redis import UnixDomainSocketConnection as QuickUnixConnection
from redis.exceptions import ReadOnlyError
from redis.sentinel import SentinelManagedConnection as QuickSentinelConnection
from redis.sentinel import SentinelManagedSSLConnection as QuickSentinelSSLConnection

__all__ = [
    "Lock",
    "Loop",
    "QuickConnection",
    "QuickSSLConnection",
    "QuickSentinelConnection",
    "QuickSentinelSSLConnection",
    "QuickUnixConnection",
    "Semaphore",
    "driver_timeout_s",
    "gather",
    "running_loop",
    "sleep_ms",
    "time_limit",
]

T = TypeVar("T")


class _Leaving:
    """Leaves a server that was demoted: an address that has moved on is only looked up by a new connection."""

    def read_response(self, *args: Any, **options: Any) -> object:
        """The next reply; behind READONLY the connection is closed, and made anew by its next user."""
        connection: Any = super()
        try:
            return connection.read_response(*args, **options)
        except ReadOnlyError:
            connection.disconnect()
            raise


class QuickConnection(_Leaving, Connection):
    """A TCP connection."""


class QuickSSLConnection(_Leaving, SSLConnection):
    """A TLS connection."""


def driver_timeout_s(limit_ms: int) -> float | None:
    """The socket's own time limit: it costs nothing."""
    return limit_ms / 1000


def time_limit(limit_ms: float) -> AbstractContextManager[None]:  # noqa: ARG001 - the async twin needs it
    """Nothing: the socket has its own limit."""
    return nullcontext()


def gather(*results: T) -> list[T]:
    """The results, which were computed one after the other."""
    return list(results)


class Loop(Protocol):
    """An event loop, of which there is none here."""

    def is_running(self) -> bool:
        """Whether it runs."""


def running_loop() -> Loop | None:
    """None: threads share all that a cache has."""
    return None


def sleep_ms(duration_ms: float) -> None:
    """Wait for so many milliseconds."""
    time.sleep(duration_ms / 1000)
