"""What caches know of themselves, as a scrape sees it."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, FeedGap, SessionCache
from sessioncache.metrics import CacheMetrics
from tests.engines import Engine
from tests.maintenance.conftest import Surgeon, make_cache
from tests.metrics.test_prometheus import value


@pytest.mark.engines("valkey")
async def test_near_caches_are_shown_as_they_are(engine: Engine, namespace: str) -> None:
    """A scrape tells how often memory answered, what it holds and what it dropped; one that is off tells nothing."""
    async with (
        make_cache(engine, namespace, shards=1, near_cache_bytes=100_000, near_cache_stale_ms=600_000) as near,
        make_cache(engine, namespace, shards=1) as plain,
    ):
        registry = CacheMetrics(near, plain).registry
        await near.transcripts.append("a", {"n": 1})
        for _ in range(3):
            await near.sessions.get("a")
        assert near.near is not None
        assert value(registry, "near_reads_total", outcome="hit") == near.near.hits == 2
        assert value(registry, "near_reads_total", outcome="miss") == near.near.misses == 1
        assert value(registry, "near_size_bytes") == near.near.bytes > 0
        assert value(registry, "near_max_bytes") == 100_000
        assert value(registry, "near_kept_values") == 1
        await near.transcripts.append("a", {"n": 2})
        assert value(registry, "near_kept_values") == 0
        assert value(registry, "near_dropped_values_total") == 1
        with pytest.raises(ValueError, match="Duplicated"):
            CacheMetrics(near, registry=registry)


@pytest.mark.engines("valkey", "redis", "cluster")
async def test_shared_connections_are_shown(engine: Engine, namespace: str) -> None:
    """Open connections, what went over them, the window, and what broke; closing on this side is no loss."""
    cache = make_cache(engine, namespace, shards=1, transport="multiplex")
    registry = CacheMetrics(cache).registry
    assert value(registry, "connection_opened_total") == 0
    async with cache:
        await cache.transcripts.append("a", {"n": 1})
        opened = value(registry, "connection_opened_total")
        assert value(registry, "connection_open_connections") == opened >= 1
        assert value(registry, "connection_window_commands") == 4_096 * opened
        assert value(registry, "connection_in_flight_commands") == 0
        assert value(registry, "connection_waiting_commands") == 0
        assert value(registry, "connection_sent_bytes_total") > 500
        assert value(registry, "connection_received_bytes_total") > 100
        assert value(registry, "calls_in_progress", access="write") == 0
        for line in cache.connection.traffic.lines:
            line.connection_lost(None)  # type: ignore[attr-defined] # what asyncio calls where a socket breaks
        assert value(registry, "connection_lost_total") == opened
        await cache.sessions.get("a")
        assert value(registry, "connection_opened_total") > opened
    assert value(registry, "connection_open_connections") == 0
    assert value(registry, "connection_lost_total") == opened


async def test_gaps_are_counted_when_they_are_told(cache: AsyncSessionCache, engine: Engine) -> None:
    """A subscriber that hears of a gap counts once, and so does every change that it is given."""
    registry = CacheMetrics(cache).registry
    await cache.transcripts.append("a", {"n": 1})
    async with cache.feed.subscribe() as changes:
        for number in range(4):
            await cache.transcripts.append("a", {"n": number})
        key = cache.keys.shard(cache.keys.shard_of("a")).feed
        with Surgeon(engine).at(key) as client:
            client.xtrim(key, maxlen=2, approximate=False)
        with pytest.raises(FeedGap):
            await changes.read(wait_ms=0)
        assert len(await changes.read(wait_ms=0)) == 2
    assert value(registry, "feed_gaps_total") == 1
    assert value(registry, "feed_delivered_changes_total") == 2


def test_sync_caches_are_shown_too(sync_cache: SessionCache) -> None:
    """A cache for threads shows its calls and its feed; it shares no connection."""
    shown = CacheMetrics()
    shown.add(sync_cache)
    with sync_cache.feed.subscribe("a") as changes:
        sync_cache.transcripts.append("a", {"n": 1})
        assert changes.read()
    assert value(shown.registry, "feed_delivered_changes_total") == 1
    assert value(shown.registry, "calls_in_progress", access="read") == 0
    assert value(shown.registry, "connection_open_connections") == 0
