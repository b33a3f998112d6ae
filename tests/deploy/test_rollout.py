"""Upgrade and rollback: old and new workers side by side on the same data, and data that an older release refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sessioncache import RetentionPolicy, SessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache.embedded.ports import free_port
from tests.deploy.charts import Values, one, worker, worker_pod
from tests.deploy.conftest import Image
from tests.deploy.containers import Kubelet, Process
from tests.deploy.valuesets import merged

pytestmark = pytest.mark.timeout(600)

SHARDS = 4
LIMIT_S = 90
SESSIONS = 150


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server of the test's own."""
    with EmbeddedServer(appendonly=False) as started:
        yield started


@pytest.fixture
def pods(image: Image, tmp_path: Path) -> Iterator[Pods]:
    """The pods of a Deployment."""
    made = Pods(Kubelet(image, tmp_path, {}, {}))
    yield made
    for process in made.ever:
        process.process.kill()
        process.process.wait()


class Pods:
    """Replaces pods as a Deployment does: one more at first, an old one ended only when the new one is ready."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self.running: list[Process] = []
        self.ever: list[Process] = []

    def start(self, values: Values) -> Process:
        """One more pod, and wait until it is ready."""
        # On one machine, each pod needs a port of its own.
        own = merged(values, {"worker": {"port": free_port()}})
        process = self._kubelet.start(own, worker_pod(own), worker(own))
        self.ever.append(process)
        process.wait_for("startup")
        process.wait_for("readiness")
        self.running.append(process)
        return process

    def roll(self, values: Values) -> None:
        """Replace every pod, never having fewer ready ones than before."""
        strategy = one(values, "Deployment")["spec"]["strategy"]["rollingUpdate"]
        assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
        wanted = len(self.running)
        for old in list(self.running):
            self.start(values)
            self.running.remove(old)
            assert old.end() == 0, old.said
            assert len(self.running) == wanted
            assert all(process.probe("readiness") for process in self.running)


def release(server: EmbeddedServer, **settings: int) -> Values:
    """A release of the chart: workers that look often, with the settings that it changes."""
    return {
        "redis": {"host": "127.0.0.1", "port": server.port},
        "namespaces": ["acme"],
        "cache": {"settings": {"shards": SHARDS}},
        "worker": {
            "host": "127.0.0.1",
            "gracePeriodSeconds": 20,
            "preStopSeconds": 1,
            "settings": {"tick_every_s": 1, "poll_delay_ms": 50, **settings},
        },
    }


def agents(server: EmbeddedServer) -> int:
    """What agents do meanwhile: sessions that expire after a second; how many they made."""
    with SessionCache.from_url(server.url, namespace="acme", shards=SHARDS) as cache:
        for number in range(SESSIONS):
            cache.transcripts.append(f"s{number}", {"n": number})
            time.sleep(0.05)
    return SESSIONS


def swept(process: Process) -> int:
    """How many sessions a worker says that it has removed, by its log."""
    ended = [event for event in process.events if event["event"] == "run ended" and event.get("job") == "expire"]
    return sum(int(str(event.get("expired", 0))) for event in ended)


def test_upgrade_and_rollback_under_load(pods: Pods, server: EmbeddedServer) -> None:
    """While agents write, both pods are replaced, and back: two are ready at all times, each session goes once."""
    before, after = release(server, max_jobs=4), release(server, max_jobs=2, lease_ttl_ms=5_000)
    with SessionCache.from_url(server.url, namespace="acme", shards=SHARDS) as cache, ThreadPoolExecutor() as agent:
        cache.retention.save(RetentionPolicy(ttl_ms=1_000))
        pods.start(before)
        pods.start(before)
        writing = agent.submit(agents, server)
        pods.roll(after)
        pods.roll(before)
        made = writing.result()
        ends = time.monotonic() + LIMIT_S
        while sum(shard.sessions for shard in cache.stats.shards()):
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert cache.stats.get().messages == 0
    for process in pods.running:
        assert process.end() == 0
    assert sum(swept(process) for process in pods.ever) == made
    assert not [event for process in pods.ever for event in process.events if event["level"] == "error"]


def test_a_worker_refuses_data_of_a_later_release(pods: Pods, server: EmbeddedServer) -> None:
    """Where the check was left out, the worker itself does not touch data that it does not know, and says so."""
    with SessionCache.from_url(server.url, namespace="acme", shards=SHARDS) as cache:
        cache.transcripts.append("s", {"a": 1})
        server.command("HSET", cache.keys.config, "schema", "99")
    values = merged(release(server), {"worker": {"port": free_port()}})
    process = pods._kubelet.start(values, worker_pod(values), worker(values))
    pods.ever.append(process)
    assert process.process.wait(LIMIT_S) == 2
    assert "schema" in process.said.splitlines()[-1]
    assert "Traceback" not in process.said
