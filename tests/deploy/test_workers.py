"""The worker pods: what they run, what they are told, when they end, what makes them start anew."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chart import OWN_CACHE_VALUES, OWN_WORKER_VALUES
from sessioncache.settings import Settings
from sessioncache.transport.endpoint import parse_url
from sessioncache_workers.settings import WorkerSettings
from tests.deploy.charts import KUBERNETES, NAMESPACE, Values, objects, of_kind, one, variables, worker, worker_pod
from tests.deploy.valuesets import DIGEST, FEATURES, PLAIN, SETS, TOPOLOGIES, merged

TLS_FOLDER = "/etc/sessioncache/tls"


def env(values: Values) -> dict[str, Any]:
    """What the worker's container is told."""
    return variables(values, worker(values))


def secret(name: str, key: str) -> dict[str, str]:
    """A reference to a Secret."""
    return {"name": name, "key": key}


@pytest.mark.parametrize(
    "name, url",
    [
        ("host", "redis://redis.data.svc:6379/0"),
        ("url", "valkey://redis.data.svc/3"),
        ("url-sentinel", "redis+sentinel://s1,s2:26380/main"),
        ("tls", "rediss://[fd00::7]:6380/2"),
        ("sentinel", "redis+sentinel://s1,s2:26380/main/0"),
        ("cluster", "rediss+cluster://n1:7000,[fd00::1]:7001"),
        ("embedded", f"redis://demo-sessioncache-valkey.{NAMESPACE}.svc.cluster.local:6379/0"),
    ],
)
def test_the_url(name: str, url: str) -> None:
    """Each way to say where Redis is becomes the URL that the library understands."""
    told = env(SETS[name])["SESSIONCACHE_URL"]
    assert told == url
    assert parse_url(Settings(url=told)).hosts


def test_credentials_come_from_secrets() -> None:
    """User, passwords, URLs and keys are references to the Secrets that the values name."""
    assert env(SETS["password"])["SESSIONCACHE_PASSWORD"] == secret("auth", "redis-password")
    acl = env(SETS["acl"])
    assert (acl["SESSIONCACHE_USERNAME"], acl["SESSIONCACHE_PASSWORD"]) == (
        secret("auth", "user"),
        secret("auth", "word"),
    )
    assert env(SETS["url-secret"])["SESSIONCACHE_URL"] == secret("auth", "url")
    assert "SESSIONCACHE_PASSWORD" not in env(SETS["url-secret"])
    sentinel = env(SETS["sentinel"])
    assert sentinel["SESSIONCACHE_SENTINEL_PASSWORD"] == secret("sentinels", "password")
    assert sentinel["SESSIONCACHE_SENTINEL_USERNAME"] == "watcher"
    queue = env(SETS["secret-queue"])
    assert queue["SESSIONCACHE_QUEUE_URL"] == secret("queue", "url")
    assert queue["SESSIONCACHE_ENCRYPTION_KEYS"] == secret("keys", "keys")
    assert env(SETS["own-queue"])["SESSIONCACHE_QUEUE_URL"] == "redis://queue.data.svc:6390/1"
    assert not [name for name in env(PLAIN) if "PASSWORD" in name or "USERNAME" in name]


def test_certificates_are_mounted() -> None:
    """The Secret with certificates is mounted read-only where the variables say, readable by the pod's group."""
    told = env(SETS["tls"])
    assert told["SESSIONCACHE_TLS_CA_FILE"] == f"{TLS_FOLDER}/ca.crt"
    assert told["SESSIONCACHE_TLS_CERT_FILE"] == f"{TLS_FOLDER}/tls.crt"
    assert told["SESSIONCACHE_TLS_KEY_FILE"] == f"{TLS_FOLDER}/tls.key"
    assert {"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True} in worker(SETS["tls"])["volumeMounts"]
    pod = worker_pod(SETS["tls"])["spec"]
    assert {"name": "tls", "secret": {"secretName": "tls", "defaultMode": 0o440}} in pod["volumes"]
    assert pod["securityContext"]["fsGroup"] == 10001
    assert "SESSIONCACHE_TLS_CERT_FILE" not in env(SETS["cluster"])


def test_certificates_of_the_system() -> None:
    """Without a Secret the image's authorities are trusted, and host names need not be checked where that is said."""
    told = env(SETS["tls-system"])
    assert told["SESSIONCACHE_URL"].startswith("rediss://")
    assert told["SESSIONCACHE_TLS_CHECK_HOSTNAME"] == "false"
    assert not [name for name in told if name.endswith("_FILE")]
    assert [volume["name"] for volume in worker_pod(SETS["tls-system"])["spec"]["volumes"]] == ["tmp"]


def test_the_whole_configuration() -> None:
    """With the least values the workers are told this and no more."""
    assert env(PLAIN) == {
        "SESSIONCACHE_URL": "redis://redis.data.svc:6379/0",
        "SESSIONCACHE_NAMESPACES": "default",
        "SESSIONCACHE_WORKER_HOST": "0.0.0.0",  # noqa: S104 - the pod's own network
        "SESSIONCACHE_WORKER_PORT": "9464",
        "SESSIONCACHE_WORKER_GRACE_PERIOD_S": "45",
    }


def test_settings_are_written_as_the_workers_read_them() -> None:
    """Large numbers are no powers of ten, fractions stay fractions, and the workers' own model takes all of it."""
    told = env(SETS["settings"])
    assert told["SESSIONCACHE_WORKER_EXAMINE_LIMIT"] == "1000000"
    assert told["SESSIONCACHE_WORKER_GAUGES_EVERY_S"] == "7.5"
    assert told["SESSIONCACHE_SHARDS"] == "16"
    assert told["SESSIONCACHE_TRANSPORT"] == "redis-py"


def taken_as_variables(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> tuple[WorkerSettings, Settings]:
    """What the worker makes of its environment, and its cache."""
    for name, value in told.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "secret")
    return WorkerSettings(), Settings()


@pytest.mark.parametrize("name", [name for name in SETS if name not in ("url-secret", "secret-queue")])
def test_the_workers_take_their_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rendered is accepted by the models that the workers read it with, and by the reader of URLs."""
    told = env(SETS[name])
    told.pop("NODE", None)
    workers, cache = taken_as_variables(
        monkeypatch, {key: told[key] for key in told if key.startswith("SESSIONCACHE_")}
    )
    assert parse_url(cache).hosts
    assert sorted(workers.namespaces) == sorted(SETS[name].get("namespaces", ["default"]))


@pytest.mark.parametrize(
    "model, group, left_out, prefix",
    [
        (WorkerSettings, "worker", OWN_WORKER_VALUES, "SESSIONCACHE_WORKER_"),
        (Settings, "cache", OWN_CACHE_VALUES, "SESSIONCACHE_"),
    ],
)
def test_every_setting_can_be_reached(
    model: type[WorkerSettings | Settings], group: str, left_out: tuple[str, ...], prefix: str
) -> None:
    """Each setting of the workers and of the cache may be given by name, but for those with values of their own."""
    fields = {name: field for name, field in model.model_fields.items() if name not in left_out}
    assert set(left_out) <= set(model.model_fields)
    given = {name: "given" if field.default is None else field.default for name, field in fields.items()}
    told = env(merged(PLAIN, {group: {"settings": given}}))
    assert {f"{prefix}{name.upper()}" for name in given} <= set(told)


def test_the_grace_period_is_in_step() -> None:
    """Kubernetes waits for preStop and then as long as the worker thinks that it has."""
    for values, seconds in ((PLAIN, 50), (SETS["settings"], 93), (SETS["off"], 45)):
        pod = worker_pod(values)["spec"]
        told = int(env(values)["SESSIONCACHE_WORKER_GRACE_PERIOD_S"])
        hook = worker(values).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        assert pod["terminationGracePeriodSeconds"] == told + int(hook[1]) == seconds
    assert "lifecycle" not in worker(SETS["off"])
    assert worker(PLAIN)["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "5"]}}}


def test_probes() -> None:
    """Starting and living ask /livez, which needs no Redis; only readiness asks /readyz; all on the metrics port."""
    found = worker(PLAIN)
    asked = {name: found[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/livez", "port": "metrics"},
        "liveness": {"path": "/livez", "port": "metrics"},
        "readiness": {"path": "/readyz", "port": "metrics"},
    }
    assert found["ports"] == [{"name": "metrics", "containerPort": 9464, "protocol": "TCP"}]
    slower = merged(PLAIN, {"worker": {"probes": {"liveness": {"initialDelaySeconds": 9, "periodSeconds": 30}}}})
    assert worker(slower)["livenessProbe"] == {
        "httpGet": {"path": "/livez", "port": "metrics"},
        "initialDelaySeconds": 9,
        "periodSeconds": 30,
        "timeoutSeconds": 5,
        "failureThreshold": 6,
    }


def test_the_command() -> None:
    """The pod runs the image's entrypoint with the word `worker`."""
    found = worker(PLAIN)
    assert "command" not in found
    assert found["args"] == ["worker"]


def test_the_image() -> None:
    """A digest wins over the tag, the tag over the chart's appVersion."""
    assert worker(PLAIN)["image"] == "sessioncache:0.1.0"
    assert worker(merged(PLAIN, {"image": {"tag": "1.2"}}))["image"] == "sessioncache:1.2"
    assert worker(SETS["everything-of-pods"])["image"] == f"r.example:5000/team/sessioncache@{DIGEST}"
    assert worker_pod(SETS["everything-of-pods"])["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def test_rolling_update() -> None:
    """A new pod is ready before an old one goes; both numbers can be changed."""
    spec = one(PLAIN, "Deployment")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    changed = one(SETS["everything-of-pods"], "Deployment")["spec"]
    assert changed["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "25%"}
    assert (spec["replicas"], changed["replicas"]) == (2, 5)


def checksums(values: Values) -> dict[str, str]:
    """The annotations that roll the pods."""
    annotations = worker_pod(values)["metadata"]["annotations"]
    return {name: annotations[name] for name in annotations if name.startswith("checksum/")}


def test_a_changed_configuration_rolls_the_pods() -> None:
    """Another setting, URL, Secret or key is another checksum; what pods do not see is none."""
    same = checksums(PLAIN)
    assert set(same) == {"checksum/config", "checksum/secrets"}
    rolling: list[Values] = [
        {"redis": {"host": "other"}},
        {"namespaces": ["other"]},
        {"worker": {"settings": {"max_jobs": 5}}},
        {"redis": {"existingSecret": "auth"}},
        {"encryption": {"existingSecret": "keys"}},
        {"extraEnvFrom": [{"secretRef": {"name": "more"}}]},
    ]
    for change in rolling:
        assert checksums(merged(PLAIN, change)) != same, change
    quiet: list[Values] = [{"podMonitor": {"enabled": True}}, {"service": {"port": 80}}, {"worker": {"replicas": 7}}]
    for change in quiet:
        assert worker_pod(merged(PLAIN, change)) == worker_pod(PLAIN)


def test_spread_over_zones_and_nodes() -> None:
    """Workers of one release and one revision spread over zones and nodes; constraints of one's own replace that."""
    spread = worker_pod(PLAIN)["spec"]["topologySpreadConstraints"]
    assert [item["topologyKey"] for item in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    selector = one(PLAIN, "Deployment")["spec"]["selector"]
    assert all(item["labelSelector"] == selector for item in spread)
    assert all(item["matchLabelKeys"] == ["pod-template-hash"] for item in spread)
    assert {item["whenUnsatisfiable"] for item in spread} == {"ScheduleAnyway"}
    own = worker_pod(SETS["everything-of-pods"])["spec"]["topologySpreadConstraints"]
    assert [item["topologyKey"] for item in own] == ["rack"]
    assert "topologySpreadConstraints" not in worker_pod(SETS["off"])["spec"]


def test_what_pods_are_given() -> None:
    """Labels, annotations, placement, priority, variables, volumes and sidecars reach the pods."""
    values = SETS["everything-of-pods"]
    pod, found = worker_pod(values), worker(values)
    assert pod["metadata"]["labels"]["tier"] == "back"
    assert pod["metadata"]["labels"]["cost-centre"] == "42"
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "sessioncache"
    assert pod["metadata"]["annotations"]["linkerd.io/inject"] == "disabled"
    assert pod["metadata"]["annotations"]["owner"] == "platform"
    assert one(values, "Deployment")["metadata"]["annotations"]["reloader.stakater.com/auto"] == "true"
    spec = pod["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd", "pool": "workers"}
    assert [item["key"] for item in spec["tolerations"]] == ["workers", "agents"]
    assert spec["priorityClassName"] == "high"
    assert "podAntiAffinity" in spec["affinity"]
    assert spec["serviceAccountName"] == "own"
    assert {"name": "TZ", "value": "UTC"} in found["env"]
    assert {"secretRef": {"name": "more"}} in found["envFrom"]
    assert {"name": "ca", "mountPath": "/etc/ca", "readOnly": True} in found["volumeMounts"]
    sidecar = {"name": "side", "image": "x"}
    beside = merged(PLAIN, {"worker": {"extraContainers": [sidecar], "initContainers": [sidecar]}})
    assert worker_pod(beside)["spec"]["containers"][1] == worker_pod(beside)["spec"]["initContainers"][0] == sidecar


def test_ids_can_be_left_to_the_cluster() -> None:
    """Where the platform chooses ids, null takes them out, and the pods stay restricted."""
    context = worker_pod(SETS["openshift"])["spec"]["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_the_service_account() -> None:
    """It has no token; where none is made, pods use the one that is named."""
    assert one(PLAIN, "ServiceAccount")["automountServiceAccountToken"] is False
    assert not of_kind(SETS["off"], "ServiceAccount")
    assert worker_pod(SETS["off"])["spec"]["serviceAccountName"] == "default"
    assert one(SETS["everything-of-pods"], "ServiceAccount")["metadata"]["annotations"] == {
        "a": "b",
        "owner": "platform",
    }


def test_names() -> None:
    """Names follow the release, or what is said instead; selectors agree with them."""
    assert one(PLAIN, "Deployment")["metadata"]["name"] == "demo-sessioncache-worker"
    named = SETS["names"]
    assert one(named, "Deployment")["metadata"]["name"] == "agents-store-worker"
    assert one(named, "Deployment")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] == "store"
    assert env(named)["SESSIONCACHE_NAMESPACES"] == "default,Other_1.x"


def test_extra_objects_are_templates() -> None:
    """Further objects are rendered, given as text or as YAML."""
    names = {found["metadata"]["name"] for found in of_kind(SETS["extra-objects"], "ConfigMap")}
    assert {"demo-more", "demo-other"} <= names


@pytest.mark.parametrize("kubernetes", ["1.28.0", "1.37.0"])
def test_old_and_new_clusters_get_the_same(kubernetes: str) -> None:
    """Nothing depends on the version of Kubernetes."""
    for values in (TOPOLOGIES["tls"], merged(PLAIN, FEATURES["monitored"])):
        assert objects(values, kubernetes) == objects(values, KUBERNETES)
