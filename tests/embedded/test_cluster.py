"""A private cluster: formed, resharded, with a node lost, continued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sessioncache.embedded import EmbeddedCluster
from sessioncache.errors import ConfigurationError


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Three primaries."""
    with EmbeddedCluster(3, appendonly=False) as started:
        yield started


def test_every_slot_has_an_owner(cluster: EmbeddedCluster) -> None:
    """A started cluster is ok everywhere, and its nodes share the slots."""
    cluster.wait_until_ok()
    assert len(cluster.primaries()) == 3
    assert {cluster.owner_of(slot).port for slot in (0, 8000, 16383)} == {node.port for node in cluster.nodes}
    assert cluster.url == "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)


def test_a_slot_moves_with_its_keys(cluster: EmbeddedCluster) -> None:
    """After a migration the new owner has the keys, and the old one points to it."""
    slot = cluster.slot_of("{moving}")
    source = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not source)
    for number in range(250):
        source.command("SET", f"{{moving}}{number}", number)
    assert cluster.migrate_slot(slot, target) == 250
    assert cluster.owner_of(slot) is target
    assert target.command("GET", "{moving}249") == b"249"
    with pytest.raises(ConfigurationError, match=f"MOVED {slot} 127.0.0.1:{target.port}"):
        source.command("GET", "{moving}249")
    cluster.wait_until_ok()


def test_a_migration_can_be_watched_half_way(cluster: EmbeddedCluster) -> None:
    """In the midst of a migration a moved key answers ASK at its former node; giving up brings it back."""
    slot = cluster.slot_of("{asking}")
    source = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not source)
    source.command("SET", "{asking}", "x")
    migration = cluster.begin_migration(slot, target)
    assert source.command("GET", "{asking}") == b"x"
    assert migration.move_keys() == 1
    with pytest.raises(ConfigurationError, match=f"ASK {slot} 127.0.0.1:{target.port}"):
        source.command("GET", "{asking}")
    migration.cancel()
    assert source.command("GET", "{asking}") == b"x"
    cluster.wait_until_ok()


def test_a_slot_cannot_move_to_its_owner(cluster: EmbeddedCluster) -> None:
    """Moving a slot to where it is, is an error."""
    with pytest.raises(ConfigurationError, match="already on the node"):
        cluster.migrate_slot(0, cluster.owner_of(0))


def test_a_replica_takes_over_and_the_cluster_continues_from_its_folder(tmp_path: Path) -> None:
    """A killed primary is replaced by its replica; started again it follows, and a new object continues the cluster."""
    with EmbeddedCluster(3, replicas=1, folder=tmp_path) as cluster:
        lost = cluster.owner_of(cluster.slot_of("key"))
        lost.command("SET", "key", "value")
        lost.command("WAIT", 1, 10_000)
        [heir] = cluster.replicas_of(lost)
        lost.kill()
        cluster.wait_for_failover(lost)
        assert cluster.owner_of(cluster.slot_of("key")) is heir
        lost.start()
        cluster.wait_until_ok()
        assert heir.command("GET", "key") == b"value"
        ports = [node.port for node in cluster.nodes]
    with pytest.raises(ConfigurationError, match="holds a cluster of 6 nodes"):
        EmbeddedCluster(3, folder=tmp_path)
    with EmbeddedCluster(3, replicas=1, folder=tmp_path) as cluster:
        assert [node.port for node in cluster.nodes] == ports
        assert cluster.owner_of(cluster.slot_of("key")).command("GET", "key") == b"value"
