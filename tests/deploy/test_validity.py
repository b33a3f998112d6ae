"""Whatever values are given, what is rendered is valid for Kubernetes and the operators, and restricted."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from tests.deploy.charts import CHART, Object, helm, objects, pod_templates, tool
from tests.deploy.valuesets import SETS

pytestmark = pytest.mark.timeout(180)

VERSIONS = ("1.28.0", "1.31.0", "1.34.0", "1.37.0")
"""Of Kubernetes: the oldest that the chart takes, the newest that there are schemas for, and some between."""

OPERATORS = {
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml",
    ),
    "keda.sh": ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases/keda.sh_{plural}.yaml"),
}
"""Whose kinds are not Kubernetes' own: the module and the file in it that defines them. Nothing of it is kept here."""

IMMUTABLE_NAME_MAX = 63
ATTEMPTS = 3
"""At fetching a module."""

# The package reads its large files anew for each object.
utils.schema_contents = cache(utils.schema_contents)


def group_of(found: Object) -> str:
    """The API group of an object."""
    return str(found["apiVersion"]).rpartition("/")[0]


def all_objects(kubernetes: str) -> dict[str, Object]:
    """Every different object of every set."""
    return {
        json.dumps(found, sort_keys=True): found for values in SETS.values() for found in objects(values, kubernetes)
    }


def test_there_are_enough_sets() -> None:
    """At least 25 sets of values are rendered."""
    assert len(SETS) >= 25


@pytest.mark.parametrize("name", SETS)
def test_lint(name: str) -> None:
    """`helm lint --strict` finds nothing."""
    ended = helm("lint", "--strict", "--kube-version", "1.31.0", str(CHART), values=SETS[name])
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_it(version: str) -> None:
    """Every object of Kubernetes' own kinds is valid, with no unknown field, in old and new versions."""
    seen = set()
    for found in all_objects(version).values():
        if group_of(found) in OPERATORS:
            continue
        kubernetes_validate.validate(found, version, strict=True)
        seen.add(found["kind"])
    assert seen >= {
        "ConfigMap",
        "CronJob",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "NetworkPolicy",
        "Pod",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }


@cache
def module_folder(module: str) -> Path:
    """Where Go keeps the source of a module; it is fetched, not built."""
    command = [tool("go"), "mod", "download", "-json", module]
    said = ""
    for _ in range(ATTEMPTS):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return Path(json.loads(ended.stdout)["Dir"])
        said = ended.stdout + ended.stderr
    raise AssertionError(f"{module} could not be fetched: {said}")


def strict(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """The schema without unknown fields: an API server would drop them silently, and that is a mistake of ours."""
    if isinstance(schema, dict):
        found = {name: strict(value) for name, value in schema.items()}
        if "properties" in found and not found.get("x-kubernetes-preserve-unknown-fields"):
            found.setdefault("additionalProperties", False)
        return found
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


@cache
def operator_schema(group: str, kind: str, version: str) -> Any:  # noqa: ANN401 - any JSON
    """The schema of an operator's kind, from the definition that the operator itself ships."""
    module, pattern = OPERATORS[group]
    path = module_folder(module) / pattern.format(plural=f"{kind.lower()}s")
    definition = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    (served,) = [item for item in definition["spec"]["versions"] if item["name"] == version]
    schema = strict(served["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def test_operators_take_it() -> None:
    """Every PodMonitor, ServiceMonitor, PrometheusRule and ScaledObject is what its operator defines, and no more."""
    seen = set()
    for found in all_objects("1.31.0").values():
        if group_of(found) not in OPERATORS:
            continue
        schema = operator_schema(group_of(found), found["kind"], found["apiVersion"].rpartition("/")[2])
        jsonschema.Draft7Validator(schema).validate(found)
        seen.add(found["kind"])
    assert seen == {"PodMonitor", "ServiceMonitor", "PrometheusRule", "ScaledObject"}


def test_the_check_of_operators_is_strict() -> None:
    """A field that an operator does not know is found, so the test above means something."""
    (found,) = [item for item in objects(SETS["keda"]) if item["kind"] == "ScaledObject"]
    schema = operator_schema("keda.sh", "ScaledObject", "v1alpha1")
    found["spec"]["fallback"]["replica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.Draft7Validator(schema).validate(found)


def restricted(pod: Object) -> list[str]:
    """What Pod Security "restricted" forbids in a pod's spec: each rule of the standard, and a little more."""
    spec = pod["spec"]
    wrong = [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    wrong += [f"volume {volume['name']}" for volume in spec.get("volumes", []) if not _is_allowed(volume)]
    context = spec.get("securityContext", {})
    if spec.get("automountServiceAccountToken") is not False:
        wrong.append("a token is mounted")
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        own = container.get("securityContext", {})
        rules = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities", {}).get("drop") == ["ALL"],
            "capabilities added": not own.get("capabilities", {}).get("add"),
            "runAsNonRoot": own.get("runAsNonRoot", context.get("runAsNonRoot")) is True,
            "runAsUser": own.get("runAsUser", context.get("runAsUser")) != 0,
            "seccomp": own.get("seccompProfile", context.get("seccompProfile", {})).get("type") == "RuntimeDefault",
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
            "procMount": own.get("procMount", "Default") == "Default",
            "memory is limited": "memory" in container["resources"].get("limits", {}),
            "memory and CPU are requested": {"cpu", "memory"} <= set(container["resources"].get("requests", {})),
        }
        wrong += [f"{container['name']}: {rule}" for rule, kept in rules.items() if not kept]
    return wrong


def _is_allowed(volume: dict[str, Any]) -> bool:
    kinds = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    return set(volume) - {"name"} <= kinds


@pytest.mark.parametrize("name", SETS)
def test_every_pod_is_restricted(name: str) -> None:
    """Each pod meets Pod Security "restricted", has no token and limits its memory."""
    pods = [(found["metadata"]["name"], pod) for found in objects(SETS[name]) for pod in pod_templates(found)]
    assert pods
    assert {name: restricted(pod) for name, pod in pods if restricted(pod)} == {}


def test_the_rule_finds_what_is_not_restricted() -> None:
    """A pod with more rights is found, so the test above means something."""
    loose = {
        "spec": {
            "containers": [{"name": "a", "resources": {}}],
            "hostNetwork": True,
            "volumes": [{"name": "v", "hostPath": {}}],
        }
    }
    assert set(restricted(loose)) == {
        "hostNetwork",
        "volume v",
        "a token is mounted",
        "a: allowPrivilegeEscalation",
        "a: capabilities",
        "a: runAsNonRoot",
        "a: seccomp",
        "a: readOnlyRootFilesystem",
        "a: memory is limited",
        "a: memory and CPU are requested",
    }


@pytest.mark.parametrize("name", SETS)
def test_objects_are_named_and_labelled(name: str) -> None:
    """Each object of the chart has the recommended labels, a namespace, and a name of its own that is short enough."""
    own = [found for found in objects(SETS[name]) if "-other" not in found["metadata"]["name"]]
    own = [found for found in own if not found["metadata"]["name"].endswith("-more")]
    names = [(found["kind"], found["metadata"]["name"]) for found in own]
    assert len(names) == len(set(names))
    wanted = {"name", "instance", "component", "version", "managed-by", "part-of"}
    for found in own:
        labels = found["metadata"]["labels"]
        assert {f"app.kubernetes.io/{word}" for word in wanted} <= set(labels), found["metadata"]["name"]
        assert all(len(value) <= 63 for value in labels.values())
        assert len(found["metadata"]["name"]) <= IMMUTABLE_NAME_MAX
        assert found["metadata"]["namespace"]


@pytest.mark.parametrize("name", SETS)
def test_selectors_find_their_pods(name: str) -> None:
    """What selects pods selects those of its own component, and no others."""
    rendered = objects(SETS[name])
    pods = [pod for found in rendered for pod in pod_templates(found)]
    for found in rendered:
        selector = found["spec"].get("selector", {}) if "spec" in found else {}
        wanted = selector.get("matchLabels", selector if found["kind"] == "Service" else None)
        if not wanted:
            continue
        hit = {
            pod["metadata"]["labels"]["app.kubernetes.io/component"]
            for pod in pods
            if wanted.items() <= pod["metadata"]["labels"].items()
        }
        assert len(hit) == 1, (found["kind"], found["metadata"]["name"], hit)
        if found["kind"] in {"Deployment", "StatefulSet"}:
            assert wanted.items() <= found["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", SETS)
def test_no_credential_is_rendered(name: str) -> None:
    """No variable that holds a credential has a value in a manifest, and no URL carries a password."""
    told = json.dumps(objects(SETS[name]))
    assert "://:" not in told
    for found in objects(SETS[name]):
        for pod in pod_templates(found):
            for container in pod["spec"]["containers"]:
                for line in container.get("env", []):
                    if line["name"].endswith(("PASSWORD", "ENCRYPTION_KEYS")):
                        assert set(line) == {"name", "valueFrom"}
        if found["kind"] == "ConfigMap" and "-dashboard-" not in found["metadata"]["name"]:
            assert not any(key.endswith(("PASSWORD", "KEYS")) for key in found.get("data", {}))
        assert found["kind"] != "Secret"
