"""The engines themselves: each takes writes, shows its keys and is empty for the next test."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.engines import Engine, Engines, clients, keys_of, list_keys
from tests.engines.start import STARTERS

pytestmark = pytest.mark.foreign_keys

every_engine = pytest.mark.engines(*STARTERS)


@every_engine
@pytest.mark.parametrize("attempt", [1, 2])
def test_an_engine_is_empty_at_the_start_of_every_test(engine: Engine, attempt: int) -> None:
    """What one test writes is gone when the next one starts on the same engine."""
    assert list_keys(engine) == [], attempt
    for _, client in clients(engine):
        with client:
            name = "left-behind" if engine.kind != "cluster" else _name_for(engine, client)
            client.set(name, "x")
    assert list_keys(engine)


@every_engine
async def test_keys_are_seen_with_type_and_time_to_live(engine: Engine) -> None:
    """Every key is listed with its type, its time to live and the node it lies on."""
    port, client = next(clients(engine))
    with client:
        name = "a-hash" if engine.kind != "cluster" else _name_for(engine, client)
        client.hset(name, "field", "value")
        client.pexpire(name, 60_000)
    [seen] = await keys_of(engine)
    assert (seen.name, seen.type, seen.node) == (name, "hash", port)
    assert 0 < seen.pttl_ms <= 60_000


@pytest.mark.engines("acl")
def test_the_acl_engine_fences_its_user_in(engine: Engine) -> None:
    """The user of the engine `acl` writes keys of test namespaces and no others."""
    with Redis.from_url(engine.url) as client:
        client.hset("sc:{t1:0}:s:chat", "field", "value")
        with pytest.raises(NoPermissionError):
            client.hset("sc:{other:0}:s:chat", "field", "value")
        with pytest.raises(NoPermissionError):
            client.flushall()


@pytest.mark.engines("tls")
def test_the_tls_engine_shows_a_certificate_that_its_authority_signed(engine: Engine) -> None:
    """A client that trusts the engine's authority connects, with the host name checked."""
    with Redis.from_url(engine.url, ssl_ca_certs=str(engine.ca_file), ssl_check_hostname=True) as client:
        assert client.ping()


@pytest.mark.engines("valkey", "cluster")
def test_a_killed_engine_is_there_again_for_the_next_test(engine: Engine) -> None:
    """Emptying an engine also starts what a test has killed."""
    victim = engine.primaries()[0]
    victim.kill()
    engine.flush()
    assert victim.command("PING") == b"PONG"
    assert list_keys(engine) == []


@pytest.mark.engines("valkey")
def test_an_unknown_feature_is_an_error(engine: Engine) -> None:
    """A misspelt feature cannot switch a test off."""
    with pytest.raises(ValueError, match="unknown feature"):
        engine.supports("persistance")  # type: ignore[arg-type]  # the misspelling is the test


@pytest.mark.engines("valkey")
def test_an_engine_is_started_once(engine: Engine, engines: Engines) -> None:
    """All tests of a run share one server of each kind."""
    assert engines.get("valkey") is engine


def _name_for(engine: Engine, client: Redis) -> str:
    """A key that the client's own node serves."""
    assert engine.cluster is not None
    port = client.connection_pool.connection_kwargs["port"]
    names = (f"key-{number}" for number in range(1000))
    return next(name for name in names if engine.cluster.owner_of(engine.cluster.slot_of(name)).port == port)
