"""What an operator gets, on a real Prometheus that scrapes real workers and agents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from scripts.observe import prometheus
from scripts.observe.panels import Target, boards, has_data, panels_of
from scripts.observe.picture import draw
from scripts.observe.stack import ROOT, Stack
from tests.observe.conftest import INSTALLED_BY
from tests.programs import need

RANGE_S = 60
PICTURE_BYTES_MAX = 300_000

pytestmark = pytest.mark.timeout(180)


def answers(stack: Stack, target: Target) -> bool:
    """Whether a query has data now."""
    if target.instant:
        return has_data(stack.prometheus.now(target.query))
    now = time.time()
    return has_data(stack.prometheus.over(target.query, start=now - RANGE_S, end=now, step=1))


@pytest.mark.parametrize("board", boards(), ids=lambda path: path.stem)
def test_every_panel_has_data(stack: Stack, board: Path) -> None:
    """Each query of each panel, with its variables filled in, is answered with numbers."""
    lacking = {
        f"{panel.title}: {target.query}": target
        for panel in panels_of(board, range_s=RANGE_S)
        for target in panel.targets
    }
    assert lacking

    def all_answered() -> bool:
        for name in [name for name, target in lacking.items() if answers(stack, target)]:
            del lacking[name]
        return not lacking

    try:
        stack.wait(all_answered, "every panel has data", limit_s=90)
    except TimeoutError:
        pytest.fail("no data for:\n" + "\n".join(lacking))


def test_every_rule_is_evaluated(stack: Stack) -> None:
    """Prometheus has loaded all alert and recording rules, and none of their expressions fails."""
    stack.wait(lambda: all(rule["health"] != "unknown" for rule in stack.prometheus.rules()), "rules were evaluated")
    rules = stack.prometheus.rules()
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []
    assert {rule["type"] for rule in rules} == {"alerting", "recording"}


def test_promtool_finds_nothing_wrong_with_the_pages(stack: Stack) -> None:
    """Names, types, units and help of what agents and workers show are as Prometheus wants them."""
    promtool = need("promtool", INSTALLED_BY)
    for port in (stack.agent_ports[0], stack.worker_ports[0]):
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            page = answer.read()
        done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_calls_carry_the_traces_they_were_made_in(stack: Stack) -> None:
    """Prometheus scrapes OpenMetrics, and keeps exemplars of calls by their traces."""
    now = time.time()

    def found() -> list[dict[str, object]]:
        series: list[dict[str, object]] = stack.prometheus.ask(
            "query_exemplars", query="sessioncache_call_duration_seconds_bucket", start=now - 60, end=now + 60
        )
        return series

    stack.wait(lambda: bool(found()), "exemplars")
    assert "trace_id" in str(found()[0]["exemplars"])


def test_dashboards_are_drawn_from_the_answers(stack: Stack, tmp_path: Path) -> None:
    """A picture of a dashboard is a small file."""
    draw(stack.prometheus, boards()[0], tmp_path / "board.png", seconds=10)
    assert 5_000 < (tmp_path / "board.png").stat().st_size < PICTURE_BYTES_MAX


def test_the_pictures_in_the_documentation_are_small() -> None:
    """There is one of every dashboard, and none is large."""
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.png"))
    assert [path.stem for path in pictures] == [path.stem.removeprefix("sessioncache-") for path in boards()]
    assert all(path.stat().st_size < PICTURE_BYTES_MAX for path in pictures)


def test_ctrl_c_ends_it_all() -> None:
    """Everything starts from one command, and ends with it: no process is left in its folder."""
    need("prometheus", INSTALLED_BY)
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.observe", "--workers", "1", "--agents", "1"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as observe:
        assert observe.stdout is not None
        said = ""
        for line in observe.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        observe.send_signal(signal.SIGINT)
        try:
            said += observe.communicate(timeout=60)[0]
        finally:
            observe.kill()
        assert observe.returncode == 0, said
    assert "/graph" in said
    assert "nothing was left behind" in said
    logs = next(line.split()[1] for line in said.splitlines() if line.strip().startswith("logs"))
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert logs not in left
    assert not Path(logs).exists()


def test_without_prometheus_the_message_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks it is told what to install, before anything is started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(prometheus.PrometheusMissingError, match="apt-get install prometheus"):
        Stack(tmp_path)
