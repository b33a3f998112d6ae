"""Values that cannot work are refused before anything is made, with a message that says what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.charts import CHART, helm, refused
from tests.deploy.valuesets import PLAIN, merged

GOLDEN: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("refused.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GOLDEN["together"])
def test_what_does_not_go_together(name: str) -> None:
    """The message is one sentence for each mistake, and no other mistake is found."""
    case = GOLDEN["together"][name]
    head, _, problems = refused(case["values"]).partition("these values cannot work:\n")
    assert head.startswith("Error: execution error")
    assert problems.split("\n\n")[0].splitlines() == [f"- {case['says']}"]


@pytest.mark.parametrize("name", GOLDEN["alone"])
def test_what_is_wrong_alone(name: str) -> None:
    """The message names the place and what is allowed there."""
    case = GOLDEN["alone"][name]
    said = refused(case["values"])
    assert said.startswith("Error: values don't meet the specifications of the schema(s)")
    assert case["says"] in said


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever made three mistakes hears of three."""
    twice = {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}, "pdb": {"minAvailable": 1}}
    assert refused(twice).count("\n- ") == 3


def test_old_clusters_are_refused() -> None:
    """The chart says which Kubernetes it needs."""
    ended = helm("template", "demo", str(CHART), "--kube-version", "1.27.9", values=merged(PLAIN))
    assert ended.returncode != 0
    assert "requires kubeVersion: >=1.28.0-0" in ended.stderr
