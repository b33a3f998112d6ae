"""Caches without a server, for unit tests: fakeredis runs the same Lua scripts inside the process.

The rule of this module: fakeredis is imported when a cache is made, so whoever does not test needs no extra. What it
cannot show (a full server, replication, a cluster) needs a real one: `sessioncache.embedded`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sessioncache.client._async import AsyncSessionCache
from sessioncache.client._sync import SessionCache
from sessioncache.errors import ConfigurationError

if TYPE_CHECKING:
    from fakeredis import FakeServer

__all__ = ["fake_cache", "fake_cache_sync", "fake_server"]


def fake_server() -> FakeServer:
    """A server inside this process; give the same one to several caches that are to share it.

    Raises:
        ConfigurationError: fakeredis is not installed, or without its Lua.
    """
    # Without lupa, fakeredis has no scripts, and says so only where one is called.
    if find_spec("fakeredis") is None or find_spec("lupa") is None:
        raise ConfigurationError("fakeredis or its Lua is missing: pip install 'sessioncache[testing]'")
    from fakeredis import FakeServer  # noqa: PLC0415 - an extra

    return FakeServer()


def fake_cache(namespace: str = "test", *, server: FakeServer | None = None, **options: Any) -> AsyncSessionCache:
    """An async cache on a fake server. There is nothing to close, though closing it is allowed.

    Args:
        namespace: the tenant.
        server: from `fake_server`; None: one of its own, which is empty.
        options: as for `AsyncSessionCache.from_client`.

    Raises:
        ConfigurationError: fakeredis is not installed, or an option that cannot work.
    """
    server = server or fake_server()
    from fakeredis import FakeAsyncRedis  # noqa: PLC0415 - an extra

    return AsyncSessionCache.from_client(FakeAsyncRedis(server=server), namespace=namespace, **options)


def fake_cache_sync(namespace: str = "test", *, server: FakeServer | None = None, **options: Any) -> SessionCache:
    """The sync twin of `fake_cache`."""
    server = server or fake_server()
    from fakeredis import FakeRedis  # noqa: PLC0415 - an extra

    return SessionCache.from_client(FakeRedis(server=server), namespace=namespace, **options)
