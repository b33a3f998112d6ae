"""A server without memory: agents are refused, nothing is half written, and relief brings it back under load."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance import relieve
from tests.faults.conftest import verdict
from tests.faults.judge import Promises
from tests.faults.writers import Writers, fill

pytestmark = pytest.mark.timeout(120)

OLD = [f"old{n}" for n in range(150)]
AGENTS = ["a0", "a1", "a2", "a3"]
ROOM_BYTES = 1_500_000


async def test_a_full_server_is_relieved_while_agents_write(
    server: EmbeddedServer, namespace: str, promises: Promises
) -> None:
    """Writers get BackendFull and nothing of theirs is there; relief removes old sessions whole, and writers go on."""
    async with AsyncSessionCache.from_url(
        server.url, namespace=namespace, shards=2, call_timeout_ms=300, retry_wait_max_ms=20
    ) as cache:
        await fill(cache, promises, OLD, messages=300)
        used = (await cache.upkeep.memory(0)).used
        server.command("CONFIG", "SET", "maxmemory", used + ROOM_BYTES)
        writers = Writers(cache, promises, sessions=AGENTS, padding=10_000)
        async with writers.writing():
            await writers.is_refused()
            assert not promises.may_be_gone
            promises.may_be_gone |= set(OLD)
            report = await relieve.run(cache)
            assert report.done, report.notes
            await writers.goes_on(by=20)
        assert (writers.unknown, writers.others) == (0, [])
        assert 0 < (await cache.stats.get()).sessions - len(AGENTS) < len(OLD)
        await verdict(cache, [server], promises)
