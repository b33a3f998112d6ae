"""The plugin's fixtures: an empty cache for each test.

The rule of this module: what a fixture needs is imported when a test asks for it, and a missing extra is said there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from sessioncache import AsyncSessionCache
    from sessioncache.embedded import EmbeddedServer

__all__ = ["embedded_session_cache", "session_cache"]


@pytest_asyncio.fixture
async def session_cache() -> AsyncIterator[AsyncSessionCache]:
    """An empty AsyncSessionCache on fakeredis: real scripts, no server."""
    from sessioncache.testing.fake import fake_cache  # noqa: PLC0415 - only for tests that ask for it

    async with fake_cache() as cache:
        yield cache


@pytest_asyncio.fixture
async def embedded_session_cache(_sessioncache_server: EmbeddedServer) -> AsyncIterator[AsyncSessionCache]:
    """An empty AsyncSessionCache on a real private server, which all tests of the run share."""
    from sessioncache import AsyncSessionCache  # noqa: PLC0415 - only for tests that ask for it

    _sessioncache_server.command("FLUSHALL")
    async with AsyncSessionCache.from_url(_sessioncache_server.url, namespace="test") as cache:
        yield cache


@pytest.fixture(scope="session")
def _sessioncache_server() -> Iterator[EmbeddedServer]:
    """The server of the run; started by the first test that needs it."""
    from sessioncache.embedded import EmbeddedServer  # noqa: PLC0415 - only for tests that ask for it

    with EmbeddedServer(appendonly=False) as server:
        yield server
