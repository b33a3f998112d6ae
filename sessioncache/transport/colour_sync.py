"""Names that differ between the two colours: this is the sync side; `colour_async.py` has the same names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, Protocol, TypeVar

from redis import Connection, Redis, SSLConnection
from redis import SSLConnection as RenewingSSLConnection
from redis import UnixDomainSocketConnection as QuickUnixConnection
from redis.exceptions import ReadOnlyError, ResponseError
from redis.sentinel import SentinelManagedConnection as QuickSentinelConnection
from redis.sentinel import SentinelManagedSSLConnection as QuickSentinelSSLConnection

from sessioncache.settings import Settings
from sessioncache.transport.lending import LendingPool as Pool
from sessioncache.transport.lending import SentinelLendingPool

__all__ = [
    "Lock",
    "Loop",
    "Places",
    "Pool",
    "QuickConnection",
    "QuickSSLConnection",
    "QuickSentinelConnection",
    "QuickSentinelSSLConnection",
    "QuickUnixConnection",
    "RenewingSSLConnection",
    "driver_timeout_s",
    "exchange",
    "gather",
    "running_loop",
    "sentinel_pool",
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


class Places(nullcontext[None]):
    """Nothing: the pool has so many connections, and waits."""

    def __init__(self, at_once: int) -> None:  # noqa: ARG002 - the async twin needs it
        super().__init__()


def driver_timeout_s(limit_ms: int) -> float | None:
    """The socket's own time limit: it costs nothing."""
    return limit_ms / 1000


def time_limit(limit_ms: float) -> AbstractContextManager[None]:  # noqa: ARG001 - the async twin needs it
    """Nothing: the socket has its own limit."""
    return nullcontext()


def exchange(client: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies to commands that are sent in one write, errors that the server answered in their places.

    A connection that an exception took from its replies is used no more, whatever raised it and wherever.

    Raises:
        RedisError: the connection is lost.
    """
    pool = client.connection_pool
    if not isinstance(pool, Pool):
        return _over_its_own_pool(client, commands)
    lent = pool.lend()
    try:
        connection = lent.connection
        connection.send_packed_command(connection.pack_commands(commands))
        replies = [_reply(connection) for _ in commands]
    except BaseException:
        pool.drop(lent)
        raise
    pool.take_back(lent)
    return replies


def _reply(connection: Connection) -> object:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _over_its_own_pool(client: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    if len(commands) == 1:
        return [client.execute_command(*commands[0])]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return pipeline.execute(raise_on_error=False)


def gather(*results: T) -> list[T]:
    """The results, which were computed one after the other."""
    return list(results)


class Loop(Protocol):
    """An event loop, of which there is none here."""

    def is_running(self) -> bool:
        """Whether it runs."""


def sentinel_pool(settings: Settings, *, timeout_s: int) -> dict[str, Any]:
    """Options that name the pool of a server that Sentinel names."""
    return {
        "connection_pool_class": SentinelLendingPool,
        "max_connections": settings.connections_max,
        "timeout": timeout_s,
    }


def running_loop() -> Loop | None:
    """None: threads share all that a cache has."""
    return None


def sleep_ms(duration_ms: float) -> None:
    """Wait for so many milliseconds."""
    time.sleep(duration_ms / 1000)
