"""A private group under Sentinel: failover and return."""

from __future__ import annotations

import pytest

from sessioncache.embedded import EmbeddedSentinel
from sessioncache.errors import ConfigurationError


def test_failover_promotes_the_replica_and_the_lost_node_follows() -> None:
    """After the master's death the replica serves its data under the same name, and the lost node replicates it."""
    with EmbeddedSentinel(replicas=1, sentinels=3) as group:
        first, second = group.nodes
        assert group.master() is first
        assert group.url.endswith("/mymaster")
        first.command("SET", "key", "value")
        first.command("WAIT", 1, 10_000)
        assert group.failover() is second
        assert second.command("GET", "key") == b"value"
        group.bring_back(first)
        assert group.master() is second


def test_a_group_needs_a_sentinel() -> None:
    """Impossible numbers are refused before anything starts."""
    with pytest.raises(ConfigurationError, match="at least one Sentinel"):
        EmbeddedSentinel(sentinels=0)
