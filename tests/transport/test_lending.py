"""The pool of a sync cache: so many connections, one caller each."""

from __future__ import annotations

import threading

import pytest
from redis import Connection
from redis.exceptions import ConnectionError as DriverConnectionError

from sessioncache.embedded import EmbeddedServer
from sessioncache.transport.lending import LendingPool
from tests.engines import Engine

pytestmark = pytest.mark.engines("valkey")


@pytest.fixture
def pool(engine: Engine) -> LendingPool:
    """Two connections, for which nobody waits long."""
    assert isinstance(engine.server, EmbeddedServer)
    return LendingPool(
        host="127.0.0.1", port=engine.server.port, connection_class=Connection, max_connections=2, timeout=0.1
    )


def test_each_connection_has_one_user(pool: LendingPool) -> None:
    """Threads that are more than the connections wait for each other; no connection has two users, or none is made."""
    pool._timeout_s = 30.0
    used: set[int] = set()
    problems: list[object] = []

    def work() -> None:
        for _ in range(50):
            lent = pool.lend()
            if id(lent.connection) in used or len(used) > 1:
                problems.append(lent)
            used.add(id(lent.connection))
            lent.connection.send_command("ECHO", str(threading.get_ident()))
            if int(lent.connection.read_response()) != threading.get_ident():
                problems.append(lent)
            used.discard(id(lent.connection))
            pool.take_back(lent)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(pool._alive) <= 2
    pool.disconnect()


def test_who_waits_too_long_is_told(pool: LendingPool) -> None:
    """Where all are lent for too long, an error says so; one that is given back goes to the next."""
    lent = [pool.lend(), pool.lend()]
    with pytest.raises(DriverConnectionError, match="all 2 connections were in use"):
        pool.lend()
    pool.take_back(lent[0])
    assert pool.lend() is lent[0]
    pool.disconnect()


def test_one_that_is_lost_or_dropped_makes_room(pool: LendingPool) -> None:
    """In the place of one that nobody refers to any more, and of one that was dropped, another is made."""
    lent = [pool.lend(), pool.lend()]
    lent[0].connection.disconnect()
    del lent[0]
    lent.append(pool.lend())
    pool.drop(lent.pop())
    lent.append(pool.lend())
    pool.disconnect()


def test_one_that_the_server_closed_is_made_anew(pool: LendingPool) -> None:
    """A connection that was idle when the server closed it is connected again before it is lent."""
    lent, other = pool.lend(), pool.lend()
    lent.connection.send_command("CLIENT", "ID")
    number = lent.connection.read_response()
    pool.take_back(lent)
    other.connection.send_command("CLIENT", "KILL", "ID", number)
    assert other.connection.read_response() == 1
    again = pool.lend()
    assert again is lent
    again.connection.send_command("PING")
    assert again.connection.read_response() == b"PONG"
    pool.disconnect()
