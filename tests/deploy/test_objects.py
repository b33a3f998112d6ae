"""Autoscalers, budgets, network policies, Jobs, hooks and the embedded Valkey: what each of them says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.main import get_command

from sessioncache.cli.app import app
from sessioncache.cli.findings import Check
from sessioncache.cli.root import hoist
from sessioncache.importers.formats import Format
from tests.deploy.charts import (
    CHART,
    NAMESPACE,
    RELEASE,
    Object,
    Values,
    objects,
    of_kind,
    one,
    pod_templates,
    variables,
)
from tests.deploy.valuesets import PLAIN, SETS, TOPOLOGIES, merged

HOOKS = "pre-install,pre-upgrade,pre-rollback"


def test_the_hpa() -> None:
    """It scales the Deployment, which then names no replicas itself."""
    spec = one(SETS["hpa"], "HorizontalPodAutoscaler")["spec"]
    deployment = one(SETS["hpa"], "Deployment")
    assert spec["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 8)
    assert [item["resource"]["name"] for item in spec["metrics"]] == ["cpu"]
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 300}}
    more = one(SETS["hpa-memory-and-more"], "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [item["type"] for item in more] == ["Resource", "External"]
    assert more[0]["resource"] == {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 75}}


def test_keda() -> None:
    """It asks Prometheus for the lag, falls back where that is silent, and never goes to zero."""
    found = one(SETS["keda"], "ScaledObject")
    spec = found["spec"]
    assert spec["scaleTargetRef"]["name"] == one(SETS["keda"], "Deployment")["metadata"]["name"]
    assert "replicas" not in one(SETS["keda"], "Deployment")["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 8)
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 3}
    assert spec["triggers"] == [
        {
            "type": "prometheus",
            "metadata": {
                "serverAddress": "http://prometheus.monitoring:9090",
                "query": 'max(sessioncache_namespace_overdue_seconds{namespace=~"default"})',
                "threshold": "60",
                "ignoreNullValues": "false",
            },
        }
    ]
    assert not of_kind(SETS["keda"], "HorizontalPodAutoscaler")


def test_keda_with_more() -> None:
    """The query asks for this release's namespaces alone; authentication and further metadata reach the trigger."""
    spec = one(SETS["keda-more"], "ScaledObject")["spec"]
    (trigger,) = spec["triggers"]
    names = 'namespace=~"a[.]b|c-d"'
    assert trigger["metadata"]["query"] == (
        f'max(sessioncache_namespace_overdue_seconds{{{names},job="{NAMESPACE}/{RELEASE}"}})'
    )
    assert trigger["authenticationRef"] == {"name": "prometheus-token"}
    assert trigger["metadata"]["authModes"] == "bearer"
    assert trigger["metadata"]["threshold"] == "12.5"
    assert trigger["metadata"]["unsafeSsl"] == "false"
    assert "fallback" not in spec
    assert "advanced" not in spec
    own = merged(SETS["keda"], {"keda": {"prometheus": {"query": "sum(up)"}}})
    assert one(own, "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"] == "sum(up)"


def test_the_disruption_budget() -> None:
    """One worker may be missing, or as many must be there as is said."""
    spec = one(PLAIN, "PodDisruptionBudget")["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert spec["selector"] == one(PLAIN, "Deployment")["spec"]["selector"]
    least = one(SETS["pdb-least"], "PodDisruptionBudget")["spec"]
    assert least["minAvailable"] == "50%"
    assert "maxUnavailable" not in least
    assert not of_kind(SETS["off"], "PodDisruptionBudget")


def ports(rule: Any) -> list[int]:  # noqa: ANN401 - a rule of a policy
    """The ports of a rule."""
    return [port["port"] for port in rule["ports"]]


def test_network_policies() -> None:
    """Workers reach DNS and Redis; monitoring and the tests reach their metrics port; nothing else goes."""
    values = SETS["network"]
    spec = one(values, "NetworkPolicy", "-worker")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    dns, redis, own = spec["egress"]
    assert (ports(dns), [port["protocol"] for port in dns["ports"]]) == ([53, 53], ["UDP", "TCP"])
    assert dns["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]
    assert (ports(redis), redis["to"]) == ([6379], [{"ipBlock": {"cidr": "10.0.0.0/8"}}])
    assert ports(own) == [443]
    scrape, extra = spec["ingress"]
    assert scrape["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert scrape["from"][0] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prom"}},
        "podSelector": {"matchLabels": {"app": "prometheus"}},
    }
    assert scrape["from"][1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    assert extra == {"from": [{"podSelector": {"matchLabels": {"app": "curl"}}}]}


@pytest.mark.parametrize(
    "name, wanted",
    [("url", [6379]), ("url-tls", [6380]), ("url-sentinel", [26379, 26380, 6379]), ("url-cluster", [7000, 7001]),
     ("tls", [6380]), ("sentinel", [26379, 26380, 6379]), ("cluster", [7000, 7001]), ("own-queue", [6379, 6390])],
)  # fmt: skip
def test_ports_of_redis_are_found(name: str, wanted: list[int]) -> None:
    """The policy opens the ports that the values speak of: of servers, Sentinels and the queue."""
    values = merged(TOPOLOGIES[name], {"networkPolicy": {"enabled": True}})
    assert ports(one(values, "NetworkPolicy", "-worker")["spec"]["egress"][1]) == wanted
    said = merged(values, {"networkPolicy": {"redis": {"ports": [7777]}}})
    assert ports(one(said, "NetworkPolicy", "-worker")["spec"]["egress"][1]) == [7777]


def test_policies_of_pods_that_run_once() -> None:
    """Jobs and tests reach DNS, Redis and the workers, and nothing reaches them; the check's is there before it."""
    values = merged(SETS["network"], SETS["jobs"])
    spec = one(values, "NetworkPolicy", "-once")["spec"]
    assert "ingress" not in spec
    assert [ports(rule) for rule in spec["egress"]] == [[53, 53], [6379], [9464], [443]]
    covered = set(spec["podSelector"]["matchExpressions"][0]["values"])
    once = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for found in objects(values)
        for pod in pod_templates(found)
    }
    assert once - covered == {"worker", "check"}
    check = one(values, "NetworkPolicy", "-check")
    job = one(values, "Job", "-check")
    assert check["metadata"]["annotations"]["helm.sh/hook"] == HOOKS
    weights = [int(found["metadata"]["annotations"]["helm.sh/hook-weight"]) for found in (check, job)]
    assert weights == sorted(weights)
    assert not of_kind(PLAIN, "NetworkPolicy")


def test_policies_of_the_embedded_valkey() -> None:
    """Only this namespace reaches the embedded Valkey, which reaches nothing; workers reach it by its labels."""
    values = SETS["embedded-network"]
    spec = one(values, "NetworkPolicy", "-valkey")["spec"]
    assert spec["ingress"] == [{"ports": [{"port": "valkey", "protocol": "TCP"}], "from": [{"podSelector": {}}]}]
    assert spec["egress"] == []
    redis = one(values, "NetworkPolicy", "-worker")["spec"]["egress"][1]
    assert redis["to"][0]["podSelector"] == one(values, "StatefulSet")["spec"]["selector"]


def containers(found: Object) -> list[Any]:
    """The containers of the one pod that an object is or makes."""
    (pod,) = pod_templates(found)
    made: list[Any] = pod["spec"]["containers"]
    return made


def parsed(arguments: list[str]) -> typer.Context:
    """The command line as our own command line reads it; a wrong word raises."""
    command: Any = get_command(app)
    words = hoist(arguments)
    context = command.make_context("sessioncache", list(words))
    while isinstance(command, typer.core.TyperGroup):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    found: typer.Context = context
    return found


def test_the_check_before_an_upgrade() -> None:
    """It runs before install, upgrade and rollback, and needs nothing that is not there yet."""
    values = merged(TOPOLOGIES["tls"], {"namespaces": ["one", "two"], "redis": {"existingSecret": "auth"}})
    job = one(values, "Job", "-check")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == HOOKS
    assert job["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (2, 120)
    (container,) = containers(job)
    assert "envFrom" not in container
    told = variables(values, container)
    assert told["SESSIONCACHE_URL"] == "rediss://[fd00::7]:6380/2"
    assert told["SESSIONCACHE_PASSWORD"] == {"name": "auth", "key": "password"}
    context = parsed(container["args"])
    assert context.params["namespaces"] == ["one", "two"]
    checks = [Check.server, Check.version, Check.eviction, Check.rights, Check.queue, Check.shards, Check.schema]
    assert [Check(word) for word in context.params["only"]] == checks
    assert not [found for found in of_kind(SETS["off"], "Job") if "check" in found["metadata"]["name"]]
    assert not of_kind(SETS["embedded"], "Job")


def test_the_tests_of_helm() -> None:
    """One pod writes, reads and deletes a session in each namespace, one asks the workers through the Service."""
    values = merged(PLAIN, {"namespaces": ["one", "two"]})
    pods = of_kind(values, "Pod")
    assert {pod["metadata"]["annotations"]["helm.sh/hook"] for pod in pods} == {"test"}
    session, workers = (parsed(containers(pod)[0]["args"]) for pod in pods)
    assert session.params["namespaces"] == ["one", "two"]
    assert Check.session in [Check(word) for word in session.params["only"]]
    service = one(values, "Service")
    assert workers.params["health_url"] == (
        f"http://{service['metadata']['name']}.{NAMESPACE}.svc.cluster.local:{service['spec']['ports'][0]['port']}"
    )
    assert [pod["metadata"]["name"] for pod in of_kind(merged(PLAIN, {"service": {"enabled": False}}), "Pod")] == [
        "demo-sessioncache-test-session"
    ]
    assert not of_kind(SETS["off"], "Pod")


def job_names(values: Values) -> set[str]:
    """The names of the Jobs that are no hooks."""
    return {
        found["metadata"]["name"]
        for found in of_kind(values, "Job")
        if "helm.sh/hook" not in found["metadata"].get("annotations", {})
    }


def test_one_off_jobs() -> None:
    """Audit and import run once; whatever changes makes another Job, as Jobs cannot be changed."""
    values = SETS["jobs"]
    audit, bring = (
        next(item for item in of_kind(values, "Job") if word in item["metadata"]["name"])
        for word in ("-audit-", "-import-")
    )
    assert [container["args"] for container in containers(audit)] == [
        ["audit", "--namespace", "one", "--debug"],
        ["audit", "--namespace", "two", "--debug"],
    ]
    (container,) = containers(bring)
    assert container["args"] == ["import", "--namespace", "one", "--dry-run", "cognee", "$(IMPORT_SOURCE)"]
    assert variables(values, container)["IMPORT_SOURCE"] == {"name": "old-redis", "key": "url"}
    assert audit["spec"]["ttlSecondsAfterFinished"] == 604800
    names = job_names(values)
    assert len(names) == 2
    for change in ({"jobs": {"audit": {"run": "2"}, "import": {"run": "2"}}}, {"image": {"tag": "2"}}):
        assert not names & job_names(merged(values, change))
    assert job_names(merged(values, {"worker": {"replicas": 7}})) == names
    assert job_names(PLAIN) == set()


def test_the_import_of_files() -> None:
    """Files come from a volume, mounted read-only at /import; the command is one that there is."""
    (bring,) = [item for item in of_kind(SETS["jobs-scheduled"], "Job") if "-import-" in item["metadata"]["name"]]
    (container,) = containers(bring)
    assert {"name": "import", "mountPath": "/import", "readOnly": True} in container["volumeMounts"]
    assert {"name": "import", "persistentVolumeClaim": {"claimName": "old"}} in bring["spec"]["template"]["spec"][
        "volumes"
    ]
    context = parsed(container["args"])
    assert (context.params["form"], context.params["source"]) == ("orcs", "/import/store")


def test_every_format_can_be_imported() -> None:
    """The schema knows the formats that the command knows; an archive in a bucket needs no volume."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    known = schema["properties"]["jobs"]["properties"]["import"]["properties"]["format"]["enum"]
    assert set(known) - {""} == {form.value for form in Format}
    bucket = {"enabled": True, "format": "archive", "source": "s3://acme/sessions"}
    (bring,) = [
        item
        for item in of_kind(merged(PLAIN, {"jobs": {"import": bucket}}), "Job")
        if "-import-" in item["metadata"]["name"]
    ]
    assert containers(bring)[0]["args"][-2:] == ["archive", "s3://acme/sessions"]


def test_the_scheduled_audit() -> None:
    """With a schedule the audit is a CronJob that never overlaps itself."""
    found = one(SETS["jobs-scheduled"], "CronJob")
    assert (found["spec"]["schedule"], found["spec"]["concurrencyPolicy"]) == ("5 4 * * *", "Forbid")
    assert containers(found)[0]["args"] == ["audit", "--namespace", "default"]


def test_the_embedded_valkey() -> None:
    """One pod that evicts nothing, appends to a file on a volume, and knows the password only as a hash."""
    found = one(SETS["embedded"], "StatefulSet")
    (container,) = containers(found)
    script = container["command"][-1]
    assert "--maxmemory-policy noeviction" in script
    assert "--appendonly yes" in script
    assert found["spec"]["replicas"] == 1
    (claim,) = found["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert found["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 999
    assert "VALKEY_PASSWORD" not in variables(SETS["embedded"], container)
    service = one(SETS["embedded"], "Service", "-valkey")
    assert service["metadata"]["name"] == found["spec"]["serviceName"]

    secured = one(SETS["embedded-password"], "StatefulSet")
    assert variables(SETS["embedded-password"], containers(secured)[0])["VALKEY_PASSWORD"] == {
        "name": "auth",
        "key": "password",
    }
    assert "volumeClaimTemplates" not in secured["spec"]
    assert secured["spec"]["template"]["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]
    assert not of_kind(PLAIN, "StatefulSet")
