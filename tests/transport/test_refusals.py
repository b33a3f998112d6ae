"""Servers that refuse: no memory, no right, no replica, a role that takes no writes."""

from __future__ import annotations

from typing import Any

import pytest

from sessioncache import (
    AccessDenied,
    AsyncSessionCache,
    BackendReadOnly,
    NotReplicated,
    SessionCache,
    SessionCacheError,
)
from tests.engines import Engine
from tests.engines.caches import make_async_cache

pytestmark = pytest.mark.usefixtures("transport")

HASTY: dict[str, Any] = {"call_timeout_ms": 30, "retry_wait_max_ms": 5, "shards": 4}


@pytest.mark.engines("valkey", "redis")
async def test_a_replica_refuses_writes(engine: Engine, namespace: str) -> None:
    """A server that became a replica refuses writes as BackendReadOnly, which may pass."""
    assert engine.server is not None
    server = engine.server
    async with make_async_cache(engine, namespace, **HASTY) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        server.command("REPLICAOF", "127.0.0.1", 1)
        try:
            with pytest.raises(BackendReadOnly) as raised:
                await cache.transcripts.append("chat", {"n": 1})
        finally:
            server.command("REPLICAOF", "NO", "ONE")
        assert raised.value.retryable
        assert await cache.transcripts.count("chat") == 1


@pytest.mark.engines("valkey", "redis")
async def test_too_few_replicas_refuse_writes(engine: Engine, namespace: str) -> None:
    """A server that is told to have replicas, and has none, refuses writes as BackendReadOnly."""
    assert engine.server is not None
    async with make_async_cache(engine, namespace, **HASTY) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        engine.server.command("CONFIG", "SET", "min-replicas-to-write", 1)
        try:
            with pytest.raises(BackendReadOnly, match="replicas"):
                await cache.transcripts.append("chat", {"n": 1})
        finally:
            engine.server.command("CONFIG", "SET", "min-replicas-to-write", 0)


@pytest.mark.engines("valkey", "redis")
async def test_a_write_that_no_replica_confirms(engine: Engine, namespace: str) -> None:
    """Under durability "replicated", a write without replicas raises NotReplicated and stands; reads work."""
    options: dict[str, Any] = {"durability": "replicated", "replication_timeout_ms": 1}
    async with make_async_cache(engine, namespace, **options) as cache:
        with pytest.raises(NotReplicated, match="the write stands, but 0 of 1 replicas confirmed it in time"):
            await cache.transcripts.append("chat", {"n": 1})

        assert await cache.transcripts.count("chat") == 1


@pytest.mark.engines("sentinel")
async def test_a_write_that_a_replica_confirms(engine: Engine, namespace: str) -> None:
    """Under durability "replicated", a write that the replica has is answered as usual, alone or among others."""
    assert engine.sentinel is not None
    options: dict[str, Any] = {
        "durability": "replicated",
        "replication_timeout_ms": 20_000,
        "command_timeout_ms": 30_000,
    }
    async with make_async_cache(engine, namespace, **options) as cache:
        assert (await cache.transcripts.append("chat", {"n": 0})).last_seq == 1
        policy = await cache.retention.get()
        await cache.retention.save(policy)
        assert (await cache.transcripts.list("chat")).messages == [{"n": 0}]


@pytest.mark.engines("acl")
@pytest.mark.parametrize(
    "login",
    ["nobody:only-what-it-needs", "sessioncache:wrong", ":wrong", "sessioncache:"],
    ids=["user", "password", "default", "none"],
)
async def test_a_wrong_login_is_access_denied(engine: Engine, namespace: str, login: str) -> None:
    """A wrong user or password is said at the first call, without being tried again and without telling it."""
    assert engine.server is not None
    url = f"redis://{login}@127.0.0.1:{engine.server.port}"
    cache = AsyncSessionCache.from_url(url, namespace=namespace)
    with pytest.raises(AccessDenied, match="check user, password") as raised:
        await cache.sessions.exists("chat")
    assert login.partition(":")[2] not in str(raised.value) or login.endswith(":")
    await cache.aclose()


@pytest.mark.engines("acl")
async def test_a_namespace_that_is_not_ones_own_is_access_denied(engine: Engine) -> None:
    """An ACL rule that does not cover the namespace's keys is AccessDenied."""
    async_cache = AsyncSessionCache.from_url(engine.url, namespace="other")
    with pytest.raises(AccessDenied, match="ACL"):
        await async_cache.transcripts.append("chat", {"n": 0})
    await async_cache.aclose()
    with pytest.raises(AccessDenied), SessionCache.from_url(engine.url, namespace="other") as cache:
        cache.sessions.exists("chat")


@pytest.mark.engines("acl")
async def test_a_right_that_is_taken_away_is_access_denied(engine: Engine, namespace: str) -> None:
    """A command that the user may not run any more is AccessDenied, not an absence."""
    assert engine.server is not None
    async with make_async_cache(engine, namespace, **HASTY) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        engine.server.command("ACL", "SETUSER", "sessioncache", "-evalsha")
        try:
            with pytest.raises(AccessDenied):
                await cache.transcripts.list("chat")
        finally:
            engine.server.command("ACL", "SETUSER", "sessioncache", "+evalsha")
        assert await cache.transcripts.count("chat") == 1


@pytest.mark.engines("acl")
async def test_a_right_that_a_script_lacks_is_access_denied(engine: Engine, namespace: str) -> None:
    """A command that is forbidden inside a script is AccessDenied too."""
    assert engine.server is not None
    async with make_async_cache(engine, namespace, **HASTY) as cache:
        await cache.transcripts.append("chat", {"n": 0})
        engine.server.command("ACL", "SETUSER", "sessioncache", "-xrange", "-hmget")
        try:
            with pytest.raises(AccessDenied):
                await cache.transcripts.list("chat")
        finally:
            engine.server.command("ACL", "SETUSER", "sessioncache", "+xrange", "+hmget")


@pytest.mark.engines("tls")
async def test_a_certificate_that_nobody_vouches_for_is_refused(engine: Engine, namespace: str) -> None:
    """Without the authority's certificate the connection is refused, in both colours."""
    options: dict[str, Any] = {"call_timeout_ms": 30, "retry_wait_max_ms": 5}
    cache = AsyncSessionCache.from_url(engine.url, namespace=namespace, **options)
    with pytest.raises(SessionCacheError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        await cache.sessions.exists("chat")
    await cache.aclose()
    with (
        pytest.raises(SessionCacheError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"),
        SessionCache.from_url(engine.url, namespace=namespace, **options) as sync,
    ):
        sync.sessions.exists("chat")
