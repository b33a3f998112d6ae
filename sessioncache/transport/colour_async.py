"""Names that differ between the two colours: this is the async side; `colour_sync.py` has the same names.

The rule of this module: whatever an async file needs from its event loop, and its generated twin from threads, comes
from here, so that generating the twin stays a matter of words.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop as Loop
from asyncio import Lock
from asyncio import Semaphore as Places
from asyncio import get_running_loop as running_loop
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from hiredis import pack_command
from redis.asyncio import BlockingConnectionPool as Pool
from redis.asyncio import Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.exceptions import ReadOnlyError

from sessioncache.settings import Settings

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


class _Packing:
    """Packs commands in C, as the driver's sync connections do; its async ones do it in Python, ten times slower."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """The command as the server reads it."""
        return [pack_command(args)]


class _Leaving:
    """Leaves a server that was demoted: an address that has moved on is only looked up by a new connection."""

    async def read_response(self, *args: Any, **options: Any) -> object:
        """The next reply; behind READONLY the connection is closed, and made anew by its next user."""
        connection: Any = super()
        try:
            return await connection.read_response(*args, **options)
        except ReadOnlyError:
            await connection.disconnect(nowait=True)
            raise


class _Renewing:
    """Reads certificates anew for each connection: the driver keeps those that it has read once."""

    async def _connect(self) -> None:
        connection: Any = super()
        self.ssl_context: Any
        self.ssl_context.context = None
        await connection._connect()  # noqa: SLF001 - its own, whose class mypy cannot know


class RenewingSSLConnection(_Renewing, SSLConnection):
    """A TLS connection that packs as the driver does, whose own commands may be two words."""


class QuickConnection(_Packing, _Leaving, Connection):
    """A TCP connection."""


class QuickSSLConnection(_Renewing, _Packing, _Leaving, SSLConnection):
    """A TLS connection."""


class QuickUnixConnection(_Packing, UnixDomainSocketConnection):
    """A connection over a unix socket."""


class QuickSentinelConnection(_Packing, SentinelManagedConnection):
    """A TCP connection to the server that Sentinel names."""


class QuickSentinelSSLConnection(_Renewing, _Packing, SentinelManagedSSLConnection):
    """A TLS connection to the server that Sentinel names."""


def driver_timeout_s(limit_ms: int) -> float | None:  # noqa: ARG001 - the sync twin needs it
    """No limit in the driver: it would start a timer, and a task, for every read and write; `time_limit` has one."""
    return None


def time_limit(limit_ms: float) -> asyncio.Timeout:
    """Cuts off what takes longer; the connection that was waited on is closed, so no late reply can be mistaken."""
    return asyncio.timeout(limit_ms / 1000)


async def exchange(client: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies to commands that are sent in one write, errors that the server answered in their places.

    Raises:
        RedisError: the connection is lost; or the server refused the one command that there is.
    """
    if len(commands) == 1:
        return [await client.execute_command(*commands[0])]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute(raise_on_error=False)


def sentinel_pool(settings: Settings, *, timeout_s: int) -> dict[str, Any]:  # noqa: ARG001 - the sync twin needs them
    """Options that name the pool of a server that Sentinel names: the driver's, which raises where it is empty."""
    return {}


async def gather(*running: Awaitable[T]) -> list[T]:
    """The results of all, which run side by side."""
    return list(await asyncio.gather(*running))


async def sleep_ms(duration_ms: float) -> None:
    """Let others run for so many milliseconds."""
    await asyncio.sleep(duration_ms / 1000)
