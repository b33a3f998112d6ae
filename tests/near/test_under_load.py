"""Hundreds of sessions that others write while they are read from memory, and connections that break meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.embedded import EmbeddedServer
from tests.engines import Engine
from tests.engines.caches import make_async_cache
from tests.transport.test_cluster import cluster_of, other_than, settled, slot_of_chat
from tests.transport.waiting import until

PATIENT: dict[str, Any] = {"call_timeout_ms": 50_000, "retry_wait_max_ms": 50, "shards": 4}
NEAR: dict[str, Any] = PATIENT | {"near_cache_bytes": 500_000, "near_cache_stale_ms": 600_000}
"""So long that only what the server tells, and lost connections, keep reads from being stale."""

SESSIONS = ["chat", *[f"chat {number}" for number in range(250)]]


class Watchers:
    """Writers through one cache, readers through another one, and what each may not see."""

    def __init__(self, writer: AsyncSessionCache, reader: AsyncSessionCache) -> None:
        self._writer = writer
        self._reader = reader
        self._acknowledged = dict.fromkeys(SESSIONS, 0)
        """The newest message of each session whose writer was answered."""
        self._seen = dict.fromkeys(SESSIONS, 0)
        """The newest message that this process has read."""
        self._over = asyncio.Event()
        self.reads = 0

    async def during(self, event: Callable[[], Awaitable[object]]) -> None:
        """Write and read before, during and after an event."""
        tasks = [asyncio.create_task(self._write(Random(number))) for number in range(4)]
        tasks += [asyncio.create_task(self._read(Random(number), asks=number % 2 == 0)) for number in range(8)]
        try:
            await self._go_on(tasks)
            await event()
            await self._go_on(tasks)
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    async def check(self) -> None:
        """In the end both read the same of every session."""
        near = self._reader.near
        assert near is not None
        assert min(near.hits, near.misses, near.invalidations) > 50, "too little happened"
        for session in SESSIONS:
            await self._reader.sessions.exists(session)
            assert await self._reader.transcripts.list(session, last=5) == await self._writer.transcripts.list(
                session, last=5
            )
            assert await self._reader.sessions.get(session) == await self._writer.sessions.get(session)

    async def _go_on(self, tasks: list[asyncio.Task[None]]) -> None:
        enough = self.reads + 1_000
        await until(lambda: self.reads >= enough or any(task.done() for task in tasks))

    async def _write(self, chance: Random) -> None:
        while not self._over.is_set():
            session = self._some(chance)
            appended = await self._writer.transcripts.append(session, {"n": 0})
            self._acknowledged[session] = max(self._acknowledged[session], appended.last_seq)

    async def _read(self, chance: Random, *, asks: bool) -> None:
        """Read records and tails; one that asks the server something before has heard of all that was acknowledged."""
        while not self._over.is_set():
            await asyncio.sleep(0)
            session = self._some(chance)
            expected = self._seen[session]
            if asks:
                expected = max(expected, self._acknowledged[session])
                await self._reader.sessions.exists(session)
            found = await self._newest(session, of_record=chance.random() < 0.5)
            assert found >= expected, f"{session}: {found} was read where {expected} was known"
            self._seen[session] = max(self._seen[session], found)
            self.reads += 1

    async def _newest(self, session: str, *, of_record: bool) -> int:
        if of_record:
            record = await self._reader.sessions.get(session)
            return 0 if record is None else record.last_seq
        page = await self._reader.transcripts.list(session, last=3)
        return page.items[-1].seq if page.items else 0

    @staticmethod
    def _some(chance: Random) -> str:
        """Any session, some more often than others."""
        return SESSIONS[int(len(SESSIONS) * chance.random() ** 3)]


@pytest.mark.engines("valkey", "redis", "cluster", "acl")
async def test_connections_that_are_cut(engine: Engine, namespace: str) -> None:
    """While the server cuts all connections again and again, nobody reads what he could know to be old."""

    async def cut() -> None:
        for _ in range(10):
            for server in engine.primaries():
                await asyncio.to_thread(server.command, "CLIENT", "KILL", "TYPE", "normal")
            for session in SESSIONS[:20]:
                await reader.sessions.exists(session)

    async with (
        make_async_cache(engine, namespace, **PATIENT) as writer,
        make_async_cache(engine, namespace, **NEAR) as reader,
    ):
        watchers = Watchers(writer, reader)
        await watchers.during(cut)
        await watchers.check()


async def test_a_server_that_is_killed(namespace: str) -> None:
    """A server that dies and comes back has forgotten whom to tell; nothing that was read before is given out."""
    # It has to have all that it has acknowledged when it comes back.
    with EmbeddedServer(options={"appendfsync": "always"}) as server:

        async def restart() -> None:
            for end in (server.kill, server.stop):
                await asyncio.to_thread(end)
                await asyncio.to_thread(server.start)
                await reader.sessions.exists("chat")

        async with (
            AsyncSessionCache.from_url(server.url, namespace=namespace, **PATIENT) as writer,
            AsyncSessionCache.from_url(server.url, namespace=namespace, **NEAR) as reader,
        ):
            watchers = Watchers(writer, reader)
            await watchers.during(restart)
            await watchers.check()


@pytest.mark.engines("cluster")
async def test_a_slot_that_moves(engine: Engine, namespace: str) -> None:
    """A shard that moves to another server and on is read as it is, during the move and after."""
    cluster = cluster_of(engine)

    async def move() -> None:
        slot = slot_of_chat(reader)
        for _ in range(2):
            target = other_than(cluster, cluster.owner_of(slot))
            await asyncio.to_thread(settled(cluster).migrate_slot, slot, target)
            assert await reader.sessions.exists("chat")

    async with (
        make_async_cache(engine, namespace, **PATIENT) as writer,
        make_async_cache(engine, namespace, **NEAR) as reader,
    ):
        watchers = Watchers(writer, reader)
        await watchers.during(move)
        await watchers.check()


@pytest.mark.engines("cluster")
async def test_a_session_that_begins_where_its_slot_moved(engine: Engine, namespace: str) -> None:
    """A session that was looked for in vain, and begins on the next node of its slot, is found there."""
    cluster = cluster_of(engine)
    async with (
        make_async_cache(engine, namespace, **PATIENT) as writer,
        make_async_cache(engine, namespace, **NEAR) as reader,
    ):
        for _ in range(3):
            assert await reader.sessions.get("chat") is None
        slot = slot_of_chat(reader)
        await asyncio.to_thread(settled(cluster).migrate_slot, slot, other_than(cluster, cluster.owner_of(slot)))
        await writer.transcripts.append("chat", {"n": 0})
        assert await reader.sessions.get("chat") is not None


@pytest.mark.engines("sentinel")
async def test_a_primary_that_hands_over(engine: Engine, namespace: str) -> None:
    """Behind a failover the memory follows the new primary."""
    assert engine.sentinel is not None
    group = engine.sentinel
    await asyncio.to_thread(group.wait_for_replicas, 1)
    lost = group.master()
    options = {"command_timeout_ms": 1_000, "connect_timeout_ms": 500}
    async with (
        make_async_cache(engine, namespace, **PATIENT, **options) as writer,
        make_async_cache(engine, namespace, **NEAR, **options) as reader,
    ):
        for turn in range(2):
            await writer.transcripts.append("chat", {"turn": turn})
            await reader.sessions.exists("chat")
            for _ in range(3):
                assert (await reader.transcripts.list("chat", last=1)).messages == [{"turn": turn}]
            if turn == 0:
                await asyncio.to_thread(group.failover)
        assert reader.near is not None
        assert reader.near.hits > 0
    await asyncio.to_thread(group.bring_back, lost)
