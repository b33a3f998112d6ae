"""Plain clients for tests that do to Redis what sessioncache never would.

The rule of this module: damage is done on purpose, by key, on the primary that has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import ResponseError

from tests.engines.engine import Engine
from tests.engines.keys import clients


@contextmanager
def client_for(engine: Engine, key: str) -> Iterator[Redis]:
    """A client with full rights to the primary that serves the key."""
    for _port, client in clients(engine):
        try:
            client.exists(key)
        except ResponseError:
            client.close()
            continue
        try:
            yield client
        finally:
            client.close()
        return
    raise LookupError(key)
