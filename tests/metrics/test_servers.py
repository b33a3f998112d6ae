"""What servers tell, as a scrape sees it."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.metrics import ServerMetrics, WorkerMetrics
from sessioncache.stats import ServerStats
from tests.metrics.test_prometheus import value


def server(node: int, **fields: str) -> ServerStats:
    """What a server says with these lines of INFO."""
    return ServerStats.of({"used_memory": "500", **fields}, node=node, response_s=0.01)


@pytest.mark.engines("valkey", "redis", "cluster")
async def test_real_servers_are_shown(cache: AsyncSessionCache) -> None:
    """Memory, commands and CPU time of a server that runs, under its number."""
    metrics = ServerMetrics()
    metrics.show(await cache.stats.servers())
    for name in ("memory_used_bytes", "commands_total", "clients", "uptime_seconds"):
        assert value(metrics.registry, f"server_{name}", node="0") > 0 or name == "uptime_seconds"
    assert value(metrics.registry, "server_up", node="0") == 1
    [info] = [family for family in metrics.registry.collect() if family.name == "sessioncache_server_info"]
    assert info.samples[0].labels["product"] in {"Redis", "Valkey"}
    assert info.samples[0].labels["role"] == "primary"


def test_a_server_that_does_not_answer_any_more_is_down() -> None:
    """Its last numbers vanish, and that it is down is said; others go on."""
    metrics = ServerMetrics()
    metrics.show([server(0), server(1)])
    metrics.show([server(1)])
    assert metrics.registry.get_sample_value("sessioncache_server_up", {"node": "0"}) == 0
    assert metrics.registry.get_sample_value("sessioncache_server_memory_used_bytes", {"node": "0"}) is None
    assert value(metrics.registry, "server_up", node="1") == 1
    metrics.forget()
    assert metrics.registry.get_sample_value("sessioncache_server_up", {"node": "1"}) == 0


def test_a_server_that_never_answered_is_down() -> None:
    """Where nobody ever answered, there is one server, and it is down."""
    metrics = ServerMetrics()
    metrics.forget()
    assert metrics.registry.get_sample_value("sessioncache_server_up", {"node": "0"}) == 0


def test_watermarks_are_shares_of_what_is_allowed() -> None:
    """With maxmemory the marks are bytes; without it there are none."""
    metrics = ServerMetrics(watermarks={"high": 0.85, "low": 0.75})
    metrics.show([server(0, maxmemory="1000"), server(1, maxmemory="0")])
    assert value(metrics.registry, "server_memory_watermark_bytes", node="0", level="high") == 850
    assert value(metrics.registry, "server_memory_watermark_bytes", node="0", level="low") == 750
    shown = {"node": "1", "level": "high"}
    assert metrics.registry.get_sample_value("sessioncache_server_memory_watermark_bytes", shown) is None
    assert metrics.registry.get_sample_value("sessioncache_server_memory_max_bytes", {"node": "1"}) is None


def test_runs_are_shown_before_the_first_one() -> None:
    """The first failure is an increase from 0, not a new series that no rate sees."""
    metrics = WorkerMetrics()
    labels = {"task": "expire", "outcome": "failed"}
    assert metrics.registry.get_sample_value("sessioncache_worker_runs_total", labels) == 0


def test_bytes_are_reclaimed_and_no_findings() -> None:
    """Bytes that jobs removed, freed or saved by compressing add up; what is counted among findings are things."""
    metrics = WorkerMetrics()
    metrics.found("prune", examined=3, changed=1, findings={"messages": 5, "bytes": 700})
    metrics.found("compact", examined=3, changed=1, findings={"sealed_messages": 9}, bytes_in=1000, bytes_out=300)
    assert value(metrics.registry, "worker_findings_total", task="prune", finding="messages") == 5
    assert value(metrics.registry, "worker_findings_total", task="prune", finding="bytes") == 0
    assert value(metrics.registry, "worker_reclaimed_bytes_total", task="prune") == 700
    assert value(metrics.registry, "worker_reclaimed_bytes_total", task="compact") == 700
    assert value(metrics.registry, "worker_sealing_bytes_total", direction="out") == 300
