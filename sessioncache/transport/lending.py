"""A pool that lends each of a server's connections to one caller at a time, and that no signal can break.

A signal's handler may raise between any two steps of the main thread (KeyboardInterrupt does). What redis-py's pools
hold in such a moment stays held: a lock, and the next call hangs; a place, and there is one less for good; a connection
whose reply was not read, and the next call takes it for its own. So the rule of this module: nothing is held that has
to be given back. What is lent is counted by weak references: what was lost on the way is forgotten as soon as nobody
refers to it. A connection goes back only when all of its replies have been read.
"""

from __future__ import annotations

import os
import time
import weakref
from queue import Empty, SimpleQueue
from typing import Any, Final

from redis.connection import Connection, ConnectionPool
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.sentinel import SentinelConnectionPool

__all__ = ["LendingPool", "Lent", "SentinelLendingPool"]

LOOK_S: Final = 0.05
"""How often who waits looks for places that became free because a connection was lost."""


class Lent:
    """A connection and the right to use it. Connections may refer to themselves, and so live on; this not."""

    __slots__ = ("__weakref__", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class LendingPool(ConnectionPool):
    """At most `max_connections`; who comes when all are lent waits. Safe for threads and forks.

    It is one of the driver's pools for what it tells its clients, connections and Sentinels. Nobody calls what those
    lend with, `get_connection` and `release`.
    """

    def __init__(self, *args: Any, timeout: float, **options: Any) -> None:
        """Make a pool without connections.

        Args:
            args: see redis-py.
            timeout: longest wait for a connection, in seconds.
            options: see redis-py.
        """
        self._timeout_s = timeout
        super().__init__(*args, **options)

    def reset(self) -> None:
        """Forget all connections: in a process that was forked they belong to the one that forked it."""
        self._idle: SimpleQueue[Lent | None] = SimpleQueue()
        """What nobody uses; None tells who waits to look again. This queue is the one kind that signals leave whole."""
        self._alive: set[weakref.ReferenceType[Lent]] = set()
        """All there are."""
        super().reset()

    def lend(self) -> Lent:
        """Lend a connection that is ready to send; to be given to `take_back` or to `drop`.

        Raises:
            redis.ConnectionError: there is no server, or all connections were lent for too long.
        """
        if self.pid != os.getpid():
            self.reset()
        lent = self._take()
        connection = lent.connection
        try:
            connection.connect()
            try:
                if connection.can_read():
                    raise DriverConnectionError("Connection has data")
            except (DriverConnectionError, OSError):
                # The server closed it meanwhile.
                connection.disconnect()
                connection.connect()
        except BaseException:
            self.drop(lent)
            raise
        return lent

    def take_back(self, lent: Lent) -> None:
        """Take back a connection whose replies have all been read."""
        if self.pid == os.getpid() and self.owns_connection(lent.connection):
            self._idle.put(lent)
        else:
            self.drop(lent)

    def drop(self, lent: Lent) -> None:
        """Close a connection that was lent; another one may be made in its place."""
        self._alive.discard(weakref.ref(lent))
        self._idle.put(None)
        lent.connection.disconnect()

    def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - as the driver calls it
        """Close the connections that nobody uses, and, unless told otherwise, those that are lent."""
        idle, self._idle = self._idle, SimpleQueue()
        closing = [place() for place in tuple(self._alive)] if inuse_connections else []
        while not idle.empty():
            closing.append(idle.get_nowait())
        for lent in closing:
            if lent is not None:
                lent.connection.disconnect()

    def _take(self) -> Lent:
        until_s = time.monotonic() + self._timeout_s
        while True:
            try:
                lent = self._idle.get_nowait()
            except Empty:
                lent = self._one_more() or self._wait(until_s)
            if lent is not None:
                return lent

    def _one_more(self) -> Lent | None:
        if len(self._alive) >= self.max_connections:
            return None
        lent = Lent(self.connection_class(**self.connection_kwargs))
        place = weakref.ref(lent, self._alive.discard)
        self._alive.add(place)
        if len(self._alive) > self.max_connections:
            # Another thread has made the last one.
            self._alive.discard(place)
            return None
        return lent

    def _wait(self, until_s: float) -> Lent | None:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise DriverConnectionError(f"all {self.max_connections} connections were in use for {self._timeout_s} s")
        try:
            return self._idle.get(timeout=min(left_s, LOOK_S))
        except Empty:
            return None


class SentinelLendingPool(LendingPool, SentinelConnectionPool):
    """The same to whichever server the Sentinels name."""
