"""A server without memory: agents are refused, nothing is half written, and relief brings it back under load."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.embedded import EmbeddedServer
from tests.faults.conftest import SHARDS, verdict
from tests.faults.judge import Promises
from tests.faults.writers import Writers, fill
from tests.workers.conftest import WorkerProcess

pytestmark = pytest.mark.timeout(120)

Start = Callable[..., WorkerProcess]

OLD = [f"old{n}" for n in range(150)]
AGENTS = ["a0", "a1", "a2", "a3"]
ROOM_BYTES = 1_500_000


async def test_a_full_server_is_relieved_while_agents_write(
    server: EmbeddedServer, namespace: str, start: Start, promises: Promises
) -> None:
    """Writers get BackendFull and nothing of theirs is there; a worker removes old sessions whole, and they go on."""
    async with AsyncSessionCache.from_url(
        server.url, namespace=namespace, shards=SHARDS, call_timeout_ms=300, retry_wait_max_ms=20
    ) as cache:
        await fill(cache, promises, OLD, messages=300)
        used = (await cache.upkeep.memory(0)).used
        server.command("CONFIG", "SET", "maxmemory", used + ROOM_BYTES)
        writers = Writers(cache, promises, sessions=AGENTS, padding=5_000)
        async with writers.writing():
            await writers.is_refused()
            assert (await cache.stats.get()).sessions == len(OLD) + len(AGENTS)
            promises.may_be_gone |= set(OLD)
            worker = start(server.url, SESSIONCACHE_WORKER_RELIEVE_HIGH="0.85", SESSIONCACHE_WORKER_RELIEVE_LOW="0.75")
            await worker.started()
            await writers.goes_on(by=60)
        assert writers.others == []
        assert await worker.end() == 0
        assert (await cache.stats.get()).sessions < len(OLD)
        await verdict(cache, [server], promises)
