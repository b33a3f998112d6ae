"""Names that differ between the two colours: this is the async side; `colour_sync.py` has the same names.

The rule of this module: whatever an async file needs from its event loop, and its generated twin from threads, comes
from here, so that generating the twin stays a matter of words.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop as Loop
from asyncio import Lock, Semaphore
from asyncio import get_running_loop as running_loop
from collections.abc import Awaitable
from typing import Any, TypeVar

from hiredis import pack_command
from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.exceptions import ReadOnlyError

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


class QuickConnection(_Packing, _Leaving, Connection):
    """A TCP connection."""


class QuickSSLConnection(_Packing, _Leaving, SSLConnection):
    """A TLS connection."""


class QuickUnixConnection(_Packing, UnixDomainSocketConnection):
    """A connection over a unix socket."""


class QuickSentinelConnection(_Packing, SentinelManagedConnection):
    """A TCP connection to the server that Sentinel names."""


class QuickSentinelSSLConnection(_Packing, SentinelManagedSSLConnection):
    """A TLS connection to the server that Sentinel names."""


def driver_timeout_s(limit_ms: int) -> float | None:  # noqa: ARG001 - the sync twin needs it
    """No limit in the driver: it would start a timer, and a task, for every read and write; `time_limit` has one."""
    return None


def time_limit(limit_ms: float) -> asyncio.Timeout:
    """Cuts off what takes longer; the connection that was waited on is closed, so no late reply can be mistaken."""
    return asyncio.timeout(limit_ms / 1000)


async def gather(*running: Awaitable[T]) -> list[T]:
    """The results of all, which run side by side."""
    return list(await asyncio.gather(*running))


async def sleep_ms(duration_ms: float) -> None:
    """Let others run for so many milliseconds."""
    await asyncio.sleep(duration_ms / 1000)
