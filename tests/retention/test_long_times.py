"""Times to live that no server and no calendar can hold."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy

HUNDRED_YEARS_MS = 3_155_760_000_000


@pytest.mark.parametrize("ttl_ms", [10**15, 10**19])
async def test_a_namespace_with_a_huge_ttl_is_written_whole(cache: AsyncSessionCache, ttl_ms: int) -> None:
    """A write under it goes through as a whole, with a deadline in a hundred years, and can be read."""
    await cache.retention.save(RetentionPolicy(ttl_ms=ttl_ms))
    await cache.transcripts.append("s", {"n": 1})

    session = await cache.sessions.get("s")
    assert session is not None
    assert session.ttl_ms == HUNDRED_YEARS_MS
    assert [found.id for found in await cache.sessions.list()] == ["s"]
    assert (await cache.stats.get()).sessions == 1


@pytest.mark.parametrize("ttl_ms", [10**15, 10**19])
async def test_a_session_with_a_huge_ttl_stays_readable(cache: AsyncSessionCache, ttl_ms: int) -> None:
    """A session that says so for itself is kept for a hundred years."""
    await cache.transcripts.append("s", {"n": 1})
    updated = await cache.retention.update("s", ttl_ms=ttl_ms)

    session = await cache.sessions.get("s")
    assert session is not None
    assert session.deadline_at == updated.deadline_at
    assert session.ttl_ms == HUNDRED_YEARS_MS
