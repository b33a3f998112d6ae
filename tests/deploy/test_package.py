"""The packaged chart agrees with the project: its version, its files, its digest."""

from __future__ import annotations

import hashlib
import re
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.charts import CHART, ROOT, helm
from tests.deploy.valuesets import PLAIN, SETS, merged


def chart() -> dict[str, Any]:
    """Chart.yaml."""
    found: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    return found


def project_version() -> str:
    """The version of the library and of the workers."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as `helm package` makes it."""
    folder = tmp_path_factory.mktemp("package")
    ended = helm("package", str(CHART), "--destination", str(folder))
    assert ended.returncode == 0, ended.stderr
    (path,) = folder.glob("*.tgz")
    return path


def test_versions_agree() -> None:
    """Chart, app, image and project have one version."""
    found, version = chart(), project_version()
    assert (found["version"], found["appVersion"]) == (version, version)
    assert f"image: sessioncache:{version}" in found["annotations"]["artifacthub.io/images"]
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
    assert f"ARG VERSION={version}\n" in dockerfile


def test_what_artifact_hub_reads() -> None:
    """The annotations are what they should be: licence, images, changes that are YAML with known kinds."""
    annotations = chart()["annotations"]
    assert annotations["artifacthub.io/license"] == "MIT"
    changes = yaml.safe_load(annotations["artifacthub.io/changes"])
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    assert changes
    assert all(change["kind"] in kinds and change["description"] for change in changes)
    images = yaml.safe_load(annotations["artifacthub.io/images"])
    assert {image["name"] for image in images} == {"sessioncache", "valkey"}
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["embedded"]["image"]
    assert f"{values['repository']}:{values['tag']}" in {image["image"] for image in images}


def test_the_package_holds_the_chart(package: Path) -> None:
    """It is named after chart and version, and each file in it is the one in the tree."""
    assert package.name == f"sessioncache-{project_version()}.tgz"
    with tarfile.open(package) as archive:
        packed = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        held = {name: file.read() for name, file in packed.items() if file is not None}
    tree = {f"sessioncache/{path.relative_to(CHART).as_posix()}": path for path in CHART.rglob("*") if path.is_file()}
    assert set(held) == set(tree)
    for name, data in held.items():
        # helm writes Chart.yaml anew, in its own order.
        if name.endswith("Chart.yaml"):
            assert yaml.safe_load(data) == chart()
        else:
            assert data == tree[name].read_bytes(), name


def test_the_digest(package: Path) -> None:
    """The digest in a repository's index is that of the package."""
    ended = helm("repo", "index", str(package.parent))
    assert ended.returncode == 0, ended.stderr
    (entry,) = yaml.safe_load((package.parent / "index.yaml").read_text(encoding="utf-8"))["entries"]["sessioncache"]
    assert entry["digest"] == hashlib.sha256(package.read_bytes()).hexdigest()
    assert (entry["version"], entry["appVersion"]) == (project_version(), project_version())


def test_the_package_renders_as_the_folder(package: Path) -> None:
    """What users install from the package is what was tested."""
    for values in (PLAIN, SETS["monitored"]):
        both = [
            helm("template", "demo", str(source), "--kube-version", "1.31.0", values=values).stdout
            for source in (CHART, package)
        ]
        assert both[0] == both[1] != ""


def notes(values: dict[str, Any]) -> str:
    """What helm says after an install."""
    source = (CHART / "templates/NOTES.txt").read_text(encoding="utf-8")
    # helm prints NOTES.txt only where it talks to a cluster, so the text is rendered as an object of its own.
    wrapped = merged(values, {"extraObjects": ["kind: Notes\nmetadata: {name: n}\ntext: |\n" + indented(source)]})
    ended = helm("template", "demo", str(CHART), "--kube-version", "1.31.0", values=wrapped)
    assert ended.returncode == 0, ended.stderr
    (found,) = [item for item in yaml.safe_load_all(ended.stdout) if item and item["kind"] == "Notes"]
    return str(found["text"])


def indented(text: str) -> str:
    """The text two spaces in, its trimming of white space left out so that lines stay lines."""
    return "".join(f"  {line}\n" for line in re.sub(r"\{\{-", "{{", text).splitlines())


def test_notes_say_what_to_do_next() -> None:
    """They name the commands of this release, and what is missing for production, with the value that adds it."""
    said = notes(merged(PLAIN, {"worker": {"replicas": 1}}))
    for wanted in (
        "kubectl --namespace default rollout status deployment/demo-sessioncache-worker",
        "helm test demo --namespace default --logs",
        "SESSIONCACHE_URL=redis://redis.data.svc:6379/0",
        "podMonitor.enabled=true",
        "prometheusRule.enabled=true",
        "worker.replicas=2",
        "image.digest",
    ):
        assert wanted in said, wanted
    quiet = notes(merged(SETS["monitored"], {"image": {"digest": "sha256:" + "0" * 64}}))
    assert "!" not in quiet
    assert "no password" in notes(SETS["embedded"])
    assert "from the key url of the Secret auth" in notes(SETS["url-secret"])
