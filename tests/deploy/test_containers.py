"""The rendered containers run as processes against real servers: workers, hooks and Jobs, on every topology."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessioncache import RetentionPolicy, SessionCache
from sessioncache.embedded import TLS, EmbeddedServer
from sessioncache.embedded.ports import free_port
from sessioncache.errors import ConfigurationError
from sessioncache.transport.endpoint import parse_url
from tests.deploy.charts import ROOT, Object, Values, objects, one, pod_templates, worker, worker_pod
from tests.deploy.conftest import Image
from tests.deploy.containers import Kubelet, MissingSecret, Process, Secrets
from tests.deploy.valuesets import merged
from tests.engines import Engine, certificates
from tests.engines.caches import make_sync_cache
from tests.importers.made import make_brainwires, turns

pytestmark = [pytest.mark.timeout(600), pytest.mark.foreign_keys]

TOPOLOGIES = ("valkey", "tls", "sentinel", "cluster")
LIMIT_S = 60
CHECKS = ("server", "version", "eviction", "rights", "queue", "shards", "schema")
SHARDS = 4
"""Of the caches that tests make."""

Start = Callable[[Values, Secrets], Process]


def quick(namespace: str) -> Values:
    """A worker that looks often, on a port of its own."""
    return {
        "namespaces": [namespace],
        "cache": {"settings": {"shards": SHARDS}},
        "worker": {
            "port": free_port(),
            "host": "127.0.0.1",
            "gracePeriodSeconds": 20,
            "preStopSeconds": 1,
            "settings": {"tick_every_s": 1, "poll_delay_ms": 50, "gauges_every_s": 0.5},
        },
    }


def where(engine: Engine) -> tuple[Values, Secrets]:
    """The values that lead to an engine, and the Secrets that they name."""
    from sessioncache.settings import Settings

    endpoint = parse_url(Settings(url=engine.url))
    hosts = [f"{host}:{port}" for host, port in endpoint.hosts]
    values: Values = {"redis": {"mode": engine.kind, "hosts": hosts}}
    secrets: dict[str, dict[str, str | bytes]] = {}
    if engine.kind == "standalone":
        ((host, port),) = endpoint.hosts
        values = {"redis": {"host": host, "port": port, "database": endpoint.db}}
    elif engine.kind == "sentinel":
        values = merged(values, {"redis": {"sentinel": {"service": endpoint.service}}})
    if engine.ca_file is not None:
        values = merged(values, {"redis": {"tls": {"enabled": True, "existingSecret": "tls"}}})
        secrets["tls"] = {"ca.crt": engine.ca_file.read_bytes()}
    return values, secrets


def component(values: Values, name: str, suffix: str = "") -> tuple[Object, Object]:
    """The pod of a component of the chart, and its first container."""
    for found in objects(values):
        for pod in pod_templates(found):
            labels = pod["metadata"]["labels"]
            if labels["app.kubernetes.io/component"] == name and found["metadata"]["name"].endswith(suffix):
                return pod, pod["spec"]["containers"][0]
    raise AssertionError(f"nothing of {name} is rendered")


@pytest.fixture
def kubelet(image: Image, tmp_path: Path) -> Callable[[Secrets], Kubelet]:
    """Runs containers of the image, with these Secrets."""

    def make(secrets: Secrets) -> Kubelet:
        services = {"demo-sessioncache-metrics.agents.svc.cluster.local": "127.0.0.1"}
        return Kubelet(image, tmp_path, secrets, services)

    return make


@pytest.fixture
def start(kubelet: Callable[[Secrets], Kubelet]) -> Iterator[Start]:
    """Starts the worker of a set of values; none outlives the test."""
    started: list[Process] = []

    def begin(values: Values, secrets: Secrets) -> Process:
        started.append(kubelet(secrets).start(values, worker_pod(values), worker(values)))
        return started[-1]

    yield begin
    for process in started:
        process.process.kill()
        process.process.wait()


def overdue(cache: SessionCache, count: int = 20) -> None:
    """Sessions that are past their deadline at once."""
    cache.retention.save(RetentionPolicy(ttl_ms=1))
    for number in range(count):
        cache.transcripts.append(f"s{number}", {"n": number})


def wait_until_swept(cache: SessionCache, process: Process) -> None:
    """Wait until the worker has removed every session."""
    ends = time.monotonic() + LIMIT_S
    while sum(shard.sessions for shard in cache.stats.shards()):
        assert process.process.poll() is None, process.said
        assert time.monotonic() < ends, process.said
        time.sleep(0.1)


def works_and_ends(process: Process, cache: SessionCache) -> None:
    """It starts, becomes ready, sweeps what is overdue, and ends well within its grace period."""
    process.wait_for("startup")
    process.wait_for("readiness")
    overdue(cache)
    wait_until_swept(cache, process)
    assert process.probe("liveness")
    assert process.end() == 0
    assert process.events[-1]["event"] == "stopped"
    assert not [event for event in process.events if event["level"] == "error"]


@pytest.mark.engines(*TOPOLOGIES)
def test_workers_work_and_end(start: Start, engine: Engine, namespace: str) -> None:
    """On each topology the rendered worker becomes ready, does its jobs, and ends within its grace period."""
    values, secrets = where(engine)
    process = start(merged(values, quick(namespace)), secrets)
    with make_sync_cache(engine, namespace, shards=SHARDS) as cache:
        works_and_ends(process, cache)


@pytest.mark.engines(*TOPOLOGIES)
def test_hooks_and_jobs_run(
    kubelet: Callable[[Secrets], Kubelet], start: Start, engine: Engine, namespace: str, tmp_path: Path
) -> None:
    """On each topology the check, the tests of helm, the audit and an import do their work and end with 0."""
    reached, secrets = where(engine)
    bring = {
        "enabled": True,
        "format": "brainwires",
        "source": "old.db",
        "volume": {"emptyDir": {}},
        "args": ["--json"],
    }
    jobs: Values = {
        "service": {"port": free_port()},
        "jobs": {"audit": {"enabled": True, "args": ["--json"]}, "import": bring},
    }
    values = merged(reached, quick(namespace), jobs)
    values["service"]["port"] = values["worker"]["port"]
    (tmp_path / "mounts/import").mkdir(parents=True)
    make_brainwires(tmp_path / "mounts/import/old.db", {"b-1": turns(2)})
    machine = kubelet(secrets)

    def end_of(name: str, suffix: str = "") -> str:
        code, said = machine.run(values, *component(values, name, suffix))
        assert code == 0, said
        return said

    checked = [json.loads(line) for line in end_of("check").splitlines()]
    assert {item["check"] for item in checked} == {*CHECKS}
    assert not [item for item in checked if item["level"] == "problem"]

    process = start(values, secrets)
    process.wait_for("readiness")
    assert json.loads(end_of("test", "-session").splitlines()[-1])["check"] == "session"
    assert "says that it is ready" in end_of("test", "-workers")
    assert process.end() == 0

    end_of("import")
    with make_sync_cache(engine, namespace, shards=SHARDS) as cache:
        assert cache.sessions.count() == 1
    end_of("audit")


def worker_rule() -> str:
    """The ACL rule of the workers, as docs/kubernetes.md has it."""
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    text = page.split("<!-- worker acl rule -->")[1].split("```")[1].removeprefix("text\n")
    return " ".join(text.split()).removeprefix("user ")


def test_an_acl_user_has_the_rights_that_the_guide_gives(start: Start, kubelet: Callable[[Secrets], Kubelet]) -> None:
    """With the user of the guide, named by Secrets, workers and hooks do all their work."""
    with EmbeddedServer(appendonly=False, users=(worker_rule(),)) as server:
        reached: Values = {
            "redis": {
                "host": "127.0.0.1",
                "port": server.port,
                "existingSecret": "auth",
                "usernameKey": "user",
                "passwordKey": "word",
            }
        }
        secrets: Secrets = {"auth": {"user": "worker", "word": "secret"}}
        values = merged(reached, quick("acme"))
        for name, suffix in (("check", ""), ("test", "-session")):
            code, said = kubelet(secrets).run(values, *component(values, name, suffix))
            assert code == 0, said
        process = start(values, secrets)
        with SessionCache.from_url(server.url, namespace="acme", shards=SHARDS) as cache:
            works_and_ends(process, cache)
        assert "secret" not in process.said
        assert "NOPERM" not in process.said
        assert "No permissions" not in process.said


def test_mutual_tls_and_a_password(start: Start, tmp_path: Path) -> None:
    """With a client certificate out of a Secret and a password, workers work."""
    try:
        made = certificates.make(tmp_path)
        tls = TLS(cert=made.cert, key=made.key, ca=made.ca, client_certs=True)
        server = EmbeddedServer(binary="redis-server", appendonly=False, tls=tls, password="open sesame")
        server.start()
    except ConfigurationError as error:
        pytest.skip(str(error))
    with server:
        values: Values = {
            "redis": {
                "host": "127.0.0.1",
                "port": server.port,
                "existingSecret": "auth",
                "tls": {"enabled": True, "existingSecret": "tls", "certKey": "tls.crt", "keyKey": "tls.key"},
            }
        }
        files = {"ca.crt": made.ca, "tls.crt": made.cert, "tls.key": made.key}
        secrets: Secrets = {
            "auth": {"password": "open sesame"},
            "tls": {key: path.read_bytes() for key, path in files.items()},
        }
        process = start(merged(values, quick("acme")), secrets)
        options: dict[str, Any] = {"tls_ca_file": made.ca, "tls_cert_file": made.cert, "tls_key_file": made.key}
        url = f"rediss://127.0.0.1:{server.port}"
        with SessionCache.from_url(url, namespace="acme", shards=SHARDS, password="open sesame", **options) as cache:
            works_and_ends(process, cache)
        assert "sesame" not in process.said


@pytest.mark.engines("valkey")
def test_a_url_and_a_queue_out_of_secrets(start: Start, engine: Engine, namespace: str) -> None:
    """A whole URL with its password in a Secret, and a queue on another server, are used and never said."""
    with EmbeddedServer(appendonly=False, password="of-the-queue") as queue:
        values: Values = {
            "redis": {"existingSecret": "auth", "urlKey": "uri"},
            "queue": {"existingSecret": "queue"},
        }
        assert engine.server is not None
        secrets: Secrets = {
            "auth": {"uri": engine.url},
            "queue": {"url": f"redis://:of-the-queue@127.0.0.1:{queue.port}"},
        }
        process = start(merged(values, quick(namespace)), secrets)
        with make_sync_cache(engine, namespace, shards=SHARDS) as cache:
            works_and_ends(process, cache)
        assert "of-the-queue" not in process.said
        assert not engine.server.command("KEYS", "arq:*")


def test_a_missing_secret_is_found(kubelet: Callable[[Secrets], Kubelet]) -> None:
    """What these tests run would not start where a Secret lacks a key, as in Kubernetes."""
    values = merged({"redis": {"host": "r", "existingSecret": "auth"}}, quick("acme"))
    with pytest.raises(MissingSecret, match="auth/password"):
        kubelet({"auth": {"pass": "x"}}).environment(values, worker_pod(values), worker(values))


@pytest.mark.engines("valkey")
def test_an_outage_restarts_nobody(start: Start, namespace: str, engine: Engine) -> None:
    """While Redis is away the pod is alive and not ready; it is ready again by itself."""
    values, secrets = where(engine)
    process = start(merged(values, quick(namespace)), secrets)
    process.wait_for("readiness")
    assert engine.server is not None
    engine.server.kill()
    ends = time.monotonic() + LIMIT_S
    while process.probe("readiness"):
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert process.probe("liveness")
    assert process.probe("startup")
    engine.server.start()
    process.wait_for("readiness")
    assert process.end() == 0


@pytest.mark.parametrize(
    "wrong, check",
    [
        ("eviction", ["eviction"]),
        ("schema", ["schema"]),
        ("shards", ["shards"]),
        ("rights", ["queue", "rights"]),
        ("away", ["server"]),
    ],
)
def test_the_check_stops_a_bad_upgrade(kubelet: Callable[[Secrets], Kubelet], wrong: str, check: list[str]) -> None:
    """A server that evicts, data of a later release, another shard count, missing rights, no server: the Job fails."""
    rules = (
        "narrow on >secret resetchannels ~sc:{acme* +ping +select +info +time +hgetall +evalsha +script|load +acl",
    )
    with EmbeddedServer(appendonly=False, users=rules) as server:
        values = merged({"redis": {"host": "127.0.0.1", "port": server.port}}, quick("acme"))
        secrets: Secrets = {}
        with SessionCache.from_url(server.url, namespace="acme", shards=SHARDS) as cache:
            cache.transcripts.append("s", {"a": 1})
            if wrong == "eviction":
                server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            elif wrong == "schema":
                server.command("HSET", cache.keys.config, "schema", "99")
        if wrong == "shards":
            values["cache"]["settings"]["shards"] = 2 * SHARDS
        elif wrong == "rights":
            values["redis"] |= {"username": "narrow", "existingSecret": "auth"}
            secrets = {"auth": {"password": "secret"}}
        elif wrong == "away":
            server.kill()
        code, said = kubelet(secrets).run(values, *component(values, "check"))
    assert code == 1, said
    found = [json.loads(line) for line in said.splitlines() if line.startswith('{"namespace"')]
    assert sorted(item["check"] for item in found if item["level"] == "problem") == check
    assert "secret" not in said


@pytest.mark.parametrize("password", ["", 'it\'s "quoted" $HOME'])
def test_the_embedded_valkey(kubelet: Callable[[Secrets], Kubelet], tmp_path: Path, password: str) -> None:
    """The embedded Valkey's command starts a server that keeps all, asks for its password, and ends on SIGTERM."""
    from sessioncache.embedded import find_binary

    port, data = free_port(), tmp_path / "data"
    data.mkdir()
    secrets: Secrets = {"auth": {"password": password}} if password else {}
    values = merged({"embedded": {"enabled": True}}, quick("acme"))
    values = merged(values, {"redis": {"existingSecret": "auth"}} if password else {})
    pod = one(values, "StatefulSet")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    # The image has the server on its PATH, its port to itself, and its volume at /data.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/valkey-server").symlink_to(find_binary().path)
    script = container["command"][-1].replace("6379", str(port))
    container["command"][-1] = f'PATH="{tmp_path}/bin:$PATH"; DATA="{data}"\n{script}'
    machine = kubelet(secrets)
    server = machine.start(values, pod, container)
    try:
        reached = "demo-sessioncache-valkey.agents.svc.cluster.local:6379"
        machine.services = {reached: f"127.0.0.1:{port}"}
        process = machine.start(values, worker_pod(values), worker(values))
        try:
            process.wait_for("readiness")
            options: dict[str, Any] = {"password": password} if password else {}
            with SessionCache.from_url(
                f"redis://127.0.0.1:{port}", namespace="acme", shards=SHARDS, **options
            ) as cache:
                works_and_ends(process, cache)
        finally:
            process.process.kill()
            process.process.wait()
        assert server.end() == 0
    finally:
        server.process.kill()
        server.process.wait()
    assert list(data.glob("appendonlydir/*.aof"))
    if password:
        assert password not in Path(server.log).read_text(encoding="utf-8")
