"""What a transport is: four methods, in two colours.

The rule of this module: the interface and nothing else. Retries, instruments and whatever comes later are wrappers that
speak it too, so they stack in any number (`connect_async.py` puts them together).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["AsyncPrepare", "AsyncTransport", "Prepare", "Transport"]

T = TypeVar("T")


class AsyncTransport(Protocol):
    """Carries calls to the server and their answers back."""

    async def call(self, call: Call[T]) -> T:
        """Send one call and answer its decoded reply.

        Raises:
            SessionCacheError: ours, never the driver's.
        """

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together: one round trip a server, in order, each call for itself (no transaction).

        Args:
            calls: any number; an empty list sends nothing.
            return_errors: put a call's SessionCacheError in its place in the answer. Otherwise the first one is raised,
                after all calls have been answered.
        """

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Return once one of these streams may have an entry after the given id, at the latest after `wait_ms`.

        Blocking commands run on connections of their own. Returning early is allowed: the caller reads and sees.
        """

    async def aclose(self) -> None:
        """Close every connection. Calling it twice is allowed."""


class Transport(Protocol):
    """The sync twin of AsyncTransport."""

    def call(self, call: Call[T]) -> T:
        """Send one call and answer its decoded reply."""

    def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together: one round trip a server, in order, each call for itself."""

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Return once one of these streams may have an entry after the given id."""

    def close(self) -> None:
        """Close every connection."""


AsyncPrepare: TypeAlias = Callable[[AsyncTransport], Awaitable[None]]
"""What has to happen on a transport before its first call."""

Prepare: TypeAlias = Callable[[Transport], None]
"""The sync twin of AsyncPrepare."""
