"""Repairing what a shard says about the rooms of its sessions: their totals and their links."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, SessionTorn
from sessioncache.freshness import SourceReference, WholeFile
from sessioncache.maintenance import adopt, reconcile
from sessioncache.wire.keys import RoomName
from tests.maintenance.conftest import Surgeon

NAMES = ("plain", "with:colon", "ümlaut {x} *")
SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)


async def fill(cache: AsyncSessionCache) -> None:
    """Three sessions with rooms of every kind that has links, and some that have none."""
    for number, name in enumerate(NAMES):
        await cache.transcripts.append(name, {"n": number})
        await cache.documents.save(name, {"state": number, "graph": {}})
        await cache.checkpoints.save(name, f"c{number}", {"n": number})
        await cache.workspaces.add("team", name, "Primary")
        await cache.freshness.register(name, SourceReference(f"e:{number}", "a b.py", b"1", SEEN_AT, WholeFile()))


async def rooms(cache: AsyncSessionCache) -> dict[RoomName, int]:
    """The totals of the rooms that have any."""
    return {room: count for room, count in (await cache.stats.get()).rooms.items() if count}


@pytest.mark.engines("fakeredis", "valkey", "redis", "cluster", "acl")
async def test_sound_rooms_are_left_as_they_are(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Where rooms, totals and links agree, nothing is changed."""
    await fill(cache)
    key = cache.keys.shard(0).links
    before = await rooms(cache)
    with surgeon.at(key) as client:
        links = client.zrange(key, 0, -1)
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1) == links
    assert (report.examined, report.changed, report.details, report.notes) == (3, 0, {}, [])
    assert await rooms(cache) == before == {"documents": 6, "checkpoints": 3, "workspaces": 3, "sources": 3}


async def test_lost_links_come_back(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Links that are gone are made again from the rooms, and what they lead to is found again."""
    await fill(cache)
    key = cache.keys.shard(0).links
    with surgeon.at(key) as client:
        before = client.zrange(key, 0, -1)
        client.delete(key)
        assert await cache.checkpoints.find("c1") is None
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1) == before
    assert report.details == {"links": 12}
    found = await cache.checkpoints.find("c1")
    assert found is not None
    assert found.session_id == "with:colon"


async def test_lost_links_of_a_long_room_come_back(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A room of more entries than one round trip compares is compared to its end."""
    for number in range(700):
        await cache.checkpoints.save("s", f"c{number}", {})
    key = cache.keys.shard(0).links
    with surgeon.at(key) as client:
        before = client.zrange(key, 0, -1)
        client.zpopmin(key, 650)
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1) == before
    assert report.details == {"links": 650}


async def test_links_without_their_entry_go(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Rows of sessions that are gone, and of entries that a session does not have, are removed; unknown kinds stay."""
    await fill(cache)
    key = cache.keys.shard(0).links
    wrong = [
        "c\0c9\0plain",
        "w\0team\0ghost",
        "f\0e9\0plain",
        "p\0b.py\0e%3A0\0plain",
        "p\0b.py\0e9\0ghost",
        "c\0x\0ghost",
    ]
    with surgeon.at(key) as client:
        before: Any = client.zrange(key, 0, -1)
        client.zadd(key, dict.fromkeys(wrong, 0))
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zrange(key, 0, -1) == before
        client.zadd(key, {"z\0of-a-later-release\0plain": 0})
        assert (await reconcile.run(cache, 0, limit=100)).details == {}
        assert client.zcard(key) == len(before) + 1
    assert report.details == {"links": 6}


async def test_links_of_a_session_that_vanished_go(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """What the server expired by itself leaves rows that nobody sees; they are removed, and the totals set right."""
    await fill(cache)
    keys = cache.keys.session("plain")
    parts = [keys.record, keys.transcript, keys.operations, *keys.room("documents"), *keys.room("checkpoints")]
    with surgeon.at(keys.record) as client:
        client.delete(*parts, *keys.room("workspaces"), *keys.room("sources"))
        assert client.zcard(keys.shard.links) == 12
        report = await reconcile.run(cache, 0, limit=100)
        assert client.zcard(keys.shard.links) == 8
    assert report.details == {"by-user": 1, "by-updated": 1, "deadlines": 1, "links": 4, "totals": 1}
    assert await rooms(cache) == {"documents": 4, "checkpoints": 2, "workspaces": 2, "sources": 2}


async def test_totals_of_rooms_are_counted_anew(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Totals of rooms that are off, or gone, are set to what the records count."""
    await fill(cache)
    before = await rooms(cache)
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hset(key, mapping={"documents": 1, "qa": 5})
        client.hdel(key, "checkpoints")
    report = await reconcile.run(cache, 0, limit=100)
    assert report.details == {"totals": 1}
    assert report.notes == ["the totals of shard 0 were off: documents by -5, qa by +5, checkpoints by -3"]
    assert await rooms(cache) == before


@pytest.mark.parametrize("room", ["documents", "checkpoints", "checkpoints:order", "workspaces", "sources"])
async def test_a_lost_room_is_torn(cache: AsyncSessionCache, surgeon: Surgeon, room: str) -> None:
    """A session that lost a part of a room is reported and left alone, and counts for what its removal takes away."""
    await fill(cache)
    keys = cache.keys.session("plain")
    with surgeon.at(keys.record) as client:
        client.delete(f"{keys.record}:{room}")
        before = client.hgetall(keys.record)
        report = await reconcile.run(cache, 0, limit=100)
        assert client.hgetall(keys.record) == before
    assert report.details.pop("links", 0) == {"sources": 2, "documents": 0, "checkpoints:order": 0}.get(room, 1)
    assert report.details == {"torn": 1}
    assert "'plain' is torn" in report.notes[0]
    assert await rooms(cache) == {"documents": 6, "checkpoints": 3, "workspaces": 3, "sources": 3}
    await cache.sessions.delete("plain")
    assert await rooms(cache) == {"documents": 4, "checkpoints": 2, "workspaces": 2, "sources": 2}
    assert (await reconcile.run(cache, 0, limit=100)).details == {}


async def test_a_room_of_another_type_is_torn(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A key that something else has put in a room's place does not stop the run."""
    await fill(cache)
    [key] = cache.keys.session("plain").room("documents")
    with surgeon.at(key) as client:
        client.delete(key)
        client.zadd(key, {"x": 1}, nx=True)
        client.pexpire(key, 3_600_000)
        report = await reconcile.run(cache, 0, limit=100)
        assert report.details == {"torn": 1}
        client.delete(key)
    with pytest.raises(SessionTorn):
        await cache.documents.get("plain")
    await cache.sessions.delete("plain")


async def test_rooms_without_a_record_are_torn(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A session of which only a room is left is reported, and deleting it leaves nothing."""
    await fill(cache)
    keys = cache.keys.session("plain")
    with surgeon.at(keys.record) as client:
        client.delete(keys.record, keys.transcript, keys.operations)
        report = await reconcile.run(cache, 0, limit=100)
        assert report.details == {"torn": 1, "totals": 1}
        assert await cache.sessions.delete("plain") is True
        assert (await reconcile.run(cache, 0, limit=100)).details.get("torn", 0) == 0
        assert client.keys(f"{keys.record}*".replace("{", "[{]").replace("}", "[}]")) in ([], [keys.tombstone.encode()])


async def test_adopting_finds_sessions_with_rooms(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """After every list is lost, adopting finds each session once, and reconciling does the rest."""
    await fill(cache)
    before = await cache.stats.get()
    shard = cache.keys.shard(0)
    with surgeon.at(shard.totals) as client:
        links = client.zrange(shard.links, 0, -1)
        client.delete(shard.by_updated, shard.by_user, shard.deadlines, shard.totals, shard.links)
        report = await adopt.run(cache, 0, limit=100)
        assert (report.examined, report.details) == (3, {"adopted": 3})
        await reconcile.run(cache, 0, limit=100)
        assert client.zrange(shard.links, 0, -1) == links
    after = await cache.stats.get()
    assert (after.sessions, after.messages, after.rooms) == (before.sessions, before.messages, before.rooms)


async def test_expiring_takes_rooms_and_links(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """The sweep removes rooms, their totals and their links; nothing is left to reconcile."""
    await fill(cache)
    for name in NAMES:
        await cache.retention.update(name, ttl_ms=60_000)
    session = await cache.sessions.get("plain")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 60_000
    await cache.upkeep.expire(0, NAMES)
    assert await rooms(cache) == {}
    key = cache.keys.shard(0).links
    with surgeon.at(key) as client:
        assert client.exists(key) == 0
    assert (await reconcile.run(cache, 0, limit=100)).details == {}
