"""What a server and a namespace have to be before a cache uses them."""

from __future__ import annotations

import warnings

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from sessioncache import AsyncSessionCache, ConfigurationError, SessionCache
from sessioncache.namespaces.server import EvictionPolicyWarning, ServerFacts, advice_on_eviction, refuse_old_server
from tests.engines import Engine
from tests.engines.caches import make_async_cache, make_sync_cache


def facts(**told: str) -> ServerFacts:
    """What INFO might say."""
    of_memory = ["maxmemory_policy", "used_memory", "maxmemory"]
    memory = {name: told.pop(name) for name in of_memory if name in told}
    return ServerFacts.of(told, memory)


@pytest.mark.parametrize(
    "told",
    [
        {"redis_version": "7.0.0"},
        {"redis_version": "7.0.15"},
        {"redis_version": "8.2.1"},
        {"redis_version": "10.0.0"},
        {"redis_version": "7.2.4", "valkey_version": "7.2.5"},
        {"redis_version": "7.2.4", "valkey_version": "9.1.2"},
        {"redis_version": "unstable"},
        {},
    ],
)
def test_servers_that_will_do(told: dict[str, str]) -> None:
    """Redis from 7.0, Valkey from 7.2, and a server that does not tell."""
    refuse_old_server(facts(**told))


@pytest.mark.parametrize(
    "told, said",
    [
        ({"redis_version": "6.2.14"}, "the server is Redis 6.2.14; sessioncache needs Redis 7.0 or later: upgrade it"),
        ({"redis_version": "5.0.7"}, "Redis 5.0.7"),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.0"}, "Valkey 7.1.0; sessioncache needs Valkey 7.2 or later"),
    ],
)
def test_old_servers_are_refused(told: dict[str, str], said: str) -> None:
    """An older server is refused with its version and what is needed."""
    with pytest.raises(ConfigurationError, match=said):
        refuse_old_server(facts(**told))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_policies_that_evict_get_advice(policy: str) -> None:
    """Every policy but noeviction tears sessions apart, and the advice says what to set."""
    advice = advice_on_eviction(facts(maxmemory_policy=policy))
    assert advice is not None
    assert f"maxmemory-policy is {policy}" in advice
    assert "CONFIG SET maxmemory-policy noeviction" in advice


def test_policies_that_are_right_get_none() -> None:
    """Nothing is said about noeviction, nor about what cannot be seen."""
    assert advice_on_eviction(facts(maxmemory_policy="noeviction")) is None
    assert advice_on_eviction(facts()) is None


@pytest.mark.engines("valkey", "redis")
async def test_a_server_that_evicts_is_warned_about(engine: Engine, namespace: str) -> None:
    """Opening a cache on a server with another policy warns, and goes on."""
    assert engine.server is not None
    engine.server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        cache = make_async_cache(engine, namespace)
        with pytest.warns(EvictionPolicyWarning, match="allkeys-lru"):
            await cache.open()
        assert not await cache.sessions.exists("chat")
        await cache.aclose()
    finally:
        engine.server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with make_async_cache(engine, namespace):
            pass


async def test_another_shard_count_is_refused(engine: Engine, namespace: str) -> None:
    """The first cache decides on the shard count; one that is set to another is told which, and changes nothing."""
    async with make_async_cache(engine, namespace, shards=4) as first:
        await first.transcripts.append("chat", {"n": 1})
        other = make_async_cache(engine, namespace, shards=8)
        with pytest.raises(ConfigurationError, match=r"has 4 shards, this cache is set to 8.*SESSIONCACHE_SHARDS=4"):
            await other.transcripts.append("chat", {"n": 2})
        await other.aclose()
        assert await first.transcripts.count("chat") == 1
    with pytest.raises(ConfigurationError, match=namespace):
        make_sync_cache(engine, namespace, shards=8).open()


def test_clients_that_decode_are_refused() -> None:
    """A client of one's own that turns replies into text would break payloads."""
    with pytest.raises(ConfigurationError, match="decode_responses"):
        AsyncSessionCache.from_client(AsyncRedis(decode_responses=True))
    with pytest.raises(ConfigurationError, match="decode_responses"):
        SessionCache.from_client(Redis(decode_responses=True))


@pytest.mark.engines("valkey")
async def test_a_client_of_ones_own_is_not_closed(engine: Engine, namespace: str) -> None:
    """Closing the cache leaves the client that it was given open."""
    async with AsyncRedis.from_url(engine.url) as client:
        async with AsyncSessionCache.from_client(client, namespace=namespace, shards=4) as cache:
            await cache.transcripts.append("chat", {"n": 1})
        assert await client.ping()
