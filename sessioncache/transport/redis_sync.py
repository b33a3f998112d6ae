# Generated from sessioncache/transport/redis_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""A transport over one server: standalone, a unix socket, or the primary that Sentinel names.

The rule of this module: driver errors end here; what leaves is a decoded reply or one of our exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from redis.exceptions import RedisError

from sessioncache.errors import SessionCacheError
from sessioncache.transport.driver_errors import as_session_cache_error
from sessioncache.transport.node_sync import Node, Outcome
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["RedisTransport", "decode", "decode_all"]

T = TypeVar("T")


class RedisTransport:
    """Calls over one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def call(self, call: Call[T]) -> T:
        """Send one call and answer its decoded reply."""
        return decode(call, self._node.run_one(call))

    def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls in one round trip."""
        if not calls:
            return []
        return decode_all(calls, self._node.run(calls), return_errors=return_errors)

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Block in XREAD on a connection of its own."""
        try:
            self._node.listen(streams, wait_ms=wait_ms)
        except (RedisError, OSError) as error:
            raise as_session_cache_error(error, call="feed.listen") from error

    def close(self) -> None:
        """Close every connection."""
        self._node.close()


def decode(call: Call[T], outcome: Outcome) -> T:
    """The decoded reply.

    Raises:
        SessionCacheError: the outcome is an error.
    """
    if isinstance(outcome, Exception):
        raise as_session_cache_error(outcome, call=call.name, request=call)
    return call.decode(outcome)


def decode_all(calls: Sequence[Call[Any]], outcomes: Sequence[Outcome], *, return_errors: bool) -> list[Any]:
    """The decoded replies, errors in their places if asked; otherwise the first error is raised."""
    decoded: list[Any] = []
    for call, outcome in zip(calls, outcomes, strict=True):
        try:
            decoded.append(decode(call, outcome))
        except SessionCacheError as error:
            if not return_errors:
                raise
            decoded.append(error)
    return decoded
