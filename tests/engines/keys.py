"""Looking at every key of an engine, past the product and past its ACL.

The rule of this module: it reads what is there and judges nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from redis import Redis

from sessioncache.testing import scan_keys
from tests.engines.engine import Engine


@dataclass(frozen=True, slots=True)
class KeySeen:
    """One key in one node."""

    name: str
    """The key; bytes that are not UTF-8 appear escaped."""

    type: str
    """hash, stream, zset, string, list or set."""

    pttl_ms: int
    """Milliseconds to live; -1 for ever."""

    expires_at_ms: int
    """When it expires, in milliseconds since 1970; -1 never."""

    fields: Mapping[str, str]
    """What of a record or a configuration decides about other keys."""

    node: int
    """The port of the node that holds it; 0 for fakeredis."""


async def keys_of(engine: Engine) -> list[KeySeen]:
    """As `list_keys`, for async tests."""
    return await asyncio.to_thread(list_keys, engine)


def list_keys(engine: Engine) -> list[KeySeen]:
    """Every key, its type, how long it lives, and on which node it lies, ordered by name."""
    found: list[KeySeen] = []
    for port, client in clients(engine):
        with client:
            found.extend(
                KeySeen(key.name, key.type, key.pttl_ms, key.expires_at_ms, key.fields, port)
                for key in scan_keys(client)
            )
    return sorted(found, key=lambda key: (key.name, key.node))


def clients(engine: Engine) -> Iterator[tuple[int, Redis]]:
    """A plain client with full rights to each primary, with its port; the caller closes it."""
    if engine.fake_server is not None:
        from fakeredis import FakeRedis

        yield 0, FakeRedis(server=engine.fake_server)
    for server in engine.primaries():
        address = server.address
        trusted = str(address.ca_file) if address.ca_file is not None else None
        yield address.port, Redis.from_url(server.url, **({"ssl_ca_certs": trusted} if trusted else {}))
