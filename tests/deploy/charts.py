"""The chart as `helm` renders it, once for each set of values; it judges nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.programs import need

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/sessioncache"
RELEASE = "demo"
NAMESPACE = "agents"
KUBERNETES = "1.31.0"
"""What is rendered for unless a test says otherwise. Said in any case: a helm built from source knows no version."""

Values = dict[str, Any]
Object = dict[str, Any]


def tool(name: str) -> str:
    """Where a program is; skips on a laptop that does not have it, fails in continuous integration."""
    return need(name, "`.ci/run` shows how it is installed")


def helm(*arguments: str, values: Values | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm; values are given on standard input."""
    command = [tool("helm"), *arguments]
    if values is not None:
        command += ["--values", "-"]
    return subprocess.run(
        command, input=json.dumps(values) if values is not None else None, capture_output=True, text=True, check=False
    )


@cache
def _rendered(values: str, kubernetes: str) -> tuple[int, str, str]:
    where = ["--namespace", NAMESPACE, "--kube-version", kubernetes]
    ended = helm("template", RELEASE, str(CHART), *where, values=json.loads(values))
    return ended.returncode, ended.stdout, ended.stderr


def refused(values: Values) -> str:
    """What helm says against values that cannot work."""
    code, out, err = _rendered(json.dumps(values, sort_keys=True), KUBERNETES)
    assert code != 0, f"helm took these values: {out[:500]}"
    return err.strip()


def text(values: Values, kubernetes: str = KUBERNETES) -> str:
    """Everything that is rendered, as it would be applied."""
    code, out, err = _rendered(json.dumps(values, sort_keys=True), kubernetes)
    assert code == 0, err
    return out


@cache
def _parsed(rendered: str) -> tuple[str, ...]:
    return tuple(json.dumps(found) for found in yaml.load_all(rendered, Loader=yaml.CSafeLoader) if found)


def objects(values: Values, kubernetes: str = KUBERNETES) -> list[Object]:
    """Every object, fresh at each call."""
    return [json.loads(found) for found in _parsed(text(values, kubernetes))]


def of_kind(values: Values, kind: str) -> list[Object]:
    """The objects of one kind."""
    return [found for found in objects(values) if found["kind"] == kind]


def one(values: Values, kind: str, suffix: str = "") -> Object:
    """The one object of a kind whose name ends like this."""
    (found,) = [item for item in of_kind(values, kind) if item["metadata"]["name"].endswith(suffix)]
    return found


def pod_templates(found: Object) -> Iterator[Object]:
    """The pods that an object is or makes: metadata and spec."""
    match found["kind"]:
        case "Pod":
            yield found
        case "Deployment" | "StatefulSet" | "Job":
            yield found["spec"]["template"]
        case "CronJob":
            yield found["spec"]["jobTemplate"]["spec"]["template"]


def worker_pod(values: Values) -> Object:
    """Metadata and spec of a worker's pod."""
    found: Object = one(values, "Deployment")["spec"]["template"]
    return found


def worker(values: Values) -> Object:
    """The worker's container."""
    found: Object = worker_pod(values)["spec"]["containers"][0]
    return found


def variables(values: Values, container: Object) -> dict[str, Any]:
    """The container's environment: text, or the reference to a Secret."""
    found: dict[str, Any] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= one(values, "ConfigMap", source["configMapRef"]["name"])["data"]
    for line in container.get("env", []):
        found[line["name"]] = (
            line["value"] if "value" in line else line["valueFrom"].get("secretKeyRef", line["valueFrom"])
        )
    return found
