"""What servers tell about themselves."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, BackendError, SessionCache
from sessioncache.stats import ServerStats


@pytest.mark.engines("valkey", "redis", "sentinel")
async def test_a_server_tells_about_itself(cache: AsyncSessionCache) -> None:
    """Memory, clients, work, replicas and files of a single server come in one answer."""
    [server] = await cache.stats.servers()
    assert (server.node, server.role, server.is_cluster) == (0, "primary", False)
    assert server.product in {"Redis", "Valkey"}
    assert server.response_s > 0
    for name in ("memory_used", "memory_resident", "clients", "clients_max", "commands"):
        assert getattr(server, name) > 0, name
    for name in ("evicted_keys", "denied_commands", "rejected_connections", "replicas", "keys"):
        assert getattr(server, name) >= 0, name
    assert set(server.cpu_s) == {"user", "system"}
    assert min(server.network["in"], server.network["out"]) > 0
    assert server.rdb_ok is True


@pytest.mark.engines("cluster")
async def test_every_primary_of_a_cluster_tells(cache: AsyncSessionCache) -> None:
    """Each primary that holds a part of the namespace is asked, once, and has a number of its own."""
    servers = await cache.stats.servers()
    assert [server.node for server in servers] == [0, 1, 2]
    assert len({server.run_id for server in servers}) == 3


@pytest.mark.engines("fakeredis")
async def test_a_server_without_info_is_an_error(cache: AsyncSessionCache) -> None:
    """Where INFO cannot be asked, nothing is made up."""
    with pytest.raises(BackendError):
        await cache.stats.servers()


@pytest.mark.engines("valkey")
def test_the_sync_client_asks_them_too(sync_cache: SessionCache) -> None:
    """The sync twin tells the same."""
    assert sync_cache.stats.servers()[0].node == 0


def test_replicas_and_limits_are_read() -> None:
    """The slowest replica counts, one that is not online does not, and a limit of 0 is none."""
    info = {
        "role": "master",
        "connected_slaves": "3",
        "slave0": "ip=10.0.0.2,port=6379,state=online,offset=900,lag=1",
        "slave1": "ip=10.0.0.3,port=6379,state=online,offset=700,lag=4",
        "slave2": "ip=10.0.0.4,port=6379,state=wait_bgsave,offset=0,lag=9",
        "master_repl_offset": "1000",
        "used_memory": "10",
        "maxmemory": "0",
        "errorstat_OOM": "count=7",
        "db0": "keys=5,expires=1",
        "db1": "keys=2,expires=0",
        "aof_enabled": "1",
        "aof_last_write_status": "err",
    }
    server = ServerStats.of(info, node=2, response_s=0.1)
    assert (server.replicas, server.replica_lag_s, server.replica_behind) == (2, 4, 300)
    assert (server.memory_max, server.denied_commands, server.keys) == (None, 7, 7)
    assert (server.aof_ok, server.rdb_ok, server.role) == (False, None, "primary")
    assert ServerStats.of({}, node=0, response_s=0.1).denied_commands is None
