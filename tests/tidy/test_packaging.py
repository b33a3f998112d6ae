"""The two distributions, their pins and what they ship agree with each other."""

import re
import tomllib
from typing import Any

from tests.tidy import tree


def project(name: str) -> dict[str, Any]:
    """The [project] table of one pyproject.toml."""
    return dict(tomllib.loads(tree.text(name))["project"])


def distribution(requirement: str) -> str:
    """The normalised name of the distribution that a requirement asks for."""
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0].lower().replace("_", "-")


def test_versions_agree() -> None:
    """Both distributions have one version, and the workers ask for that series of the library."""
    library, workers = project("pyproject.toml"), project("workers/pyproject.toml")
    series = ".".join(library["version"].split(".")[:2])
    assert workers["version"] == library["version"]
    assert f"sessioncache[metrics]=={series}.*" in workers["dependencies"]


def test_every_pin_is_exact() -> None:
    """Each line of constraints.txt names one version and no address."""
    pins = [line for line in tree.text("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.match(r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+(; .+)?$", pin)] == []


def test_every_dependency_is_pinned() -> None:
    """Whatever either distribution asks for is pinned in constraints.txt."""
    asked: set[str] = set()
    for name in ("pyproject.toml", "workers/pyproject.toml"):
        asked.update(project(name)["dependencies"])
        for extra in project(name).get("optional-dependencies", {}).values():
            asked.update(extra)
    pinned = {distribution(line) for line in tree.text("constraints.txt").splitlines() if not line.startswith("#")}
    assert {distribution(requirement) for requirement in asked} - pinned - {"sessioncache"} == set()


def test_only_the_workers_depend_on_arq() -> None:
    """No extra of the library asks for arq, whose bound on redis would reach every agent's environment."""
    library = project("pyproject.toml")
    asked = [library["dependencies"], *library["optional-dependencies"].values()]
    assert "arq" not in {distribution(requirement) for group in asked for requirement in group}
