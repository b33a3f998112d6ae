"""What the totals say of rooms."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, SessionCache
from sessioncache.wire.keys import ROOMS


@pytest.mark.engines("fakeredis", "valkey", "redis", "cluster", "acl")
async def test_entries_are_counted_a_room(cache: AsyncSessionCache) -> None:
    """The totals count the entries of all sessions in each room, and follow what is removed."""
    for session_id in ("a", "b", "c"):
        await cache.documents.save(session_id, {"state": 1, "graph": 2})
        await cache.checkpoints.save(session_id, f"of-{session_id}", {})
    stats = await cache.stats.get()
    assert {room: count for room, count in stats.rooms.items() if count} == {"documents": 6, "checkpoints": 3}
    assert list(stats.rooms) == list(ROOMS)
    assert stats.entries == 9
    await cache.documents.save("a", {"graph": None})
    await cache.sessions.delete("b")
    stats = await cache.stats.get()
    assert (stats.rooms["documents"], stats.rooms["checkpoints"], stats.entries) == (3, 2, 5)
    assert sum(shard.entries for shard in await cache.stats.shards()) == 5


def test_the_sync_client_tells_them_too(sync_cache: SessionCache) -> None:
    """The sync twin tells the same."""
    sync_cache.documents.save("a", {"state": 1})
    assert sync_cache.stats.get().rooms["documents"] == 1
