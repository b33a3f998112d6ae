"""Every alert has its page, and what a page tells to type works."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grafana.source.rules import Alert, Record
from scripts import dashboards
from sessioncache import SessionCache
from sessioncache.cli.app import app
from sessioncache.embedded import EmbeddedServer
from tests.docs.pages import ROOT, blocks, text_of
from tests.grafana import expressions
from tests.grafana.conftest import Promtool
from tests.programs import need

ALERTS = {rule.name: rule for group in dashboards.GROUPS for rule in group.rules if isinstance(rule, Alert)}
RECORDS = [rule.name for group in dashboards.GROUPS for rule in group.rules if isinstance(rule, Record)]
HEADS = ["What it means", "Who is hurt", "How to look", "What to do", "Over when", "False alarms"]
MISTAKES = ("Usage:", "No such", "unknown command", "syntax error", "Unknown subcommand", "defect of sessioncache")
ANSWERS = {0, 1, 5}
"""What commands may end with: well, a finding, damaged data."""


def page(name: str) -> str:
    """The page of an alert."""
    return f"docs/runbooks/{name}.md"


def queries(name: str) -> list[str]:
    """The PromQL on a page, a query a line."""
    return [line for block in blocks(page(name)) if block.language == "promql" for line in block.text.splitlines()]


def commands() -> list[str]:
    """Every command line of every page, once, in the order of the pages."""
    found = [
        line
        for name in ALERTS
        for block in blocks(page(name))
        if block.language == "sh"
        for line in block.text.splitlines()
    ]
    return list(dict.fromkeys(found))


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """The pages are those of the alerts, and the list names each with its severity."""
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|", text_of("docs/runbooks/README.md"), re.MULTILINE)
    assert pages == set(ALERTS)
    assert dict(listed) == {name: alert.severity for name, alert in ALERTS.items()}
    assert len(listed) == len(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_page_answers_the_same_questions(name: str) -> None:
    """It begins with name and severity, and has the same six parts; its commands are one line each."""
    text = text_of(page(name))
    assert text.startswith(f"# {name}\n\n{ALERTS[name].severity.capitalize()}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADS
    assert [line for line in commands() if not line.startswith(("sessioncache ", "redis-cli "))] == []


@pytest.mark.parametrize("name", ALERTS)
def test_a_page_asks_for_metrics_that_there_are(name: str) -> None:
    """Each query on it has metrics, labels and values of the catalogue."""
    assert {query: list(expressions.problems(query, RECORDS)) for query in queries(name)} == {
        query: [] for query in queries(name)
    }


def test_prometheus_can_read_the_queries(promtool: Promtool, tmp_path: Path) -> None:
    """Each query on each page is PromQL to promtool."""
    rules = [{"record": "checked", "expr": query} for name in ALERTS for query in queries(name)]
    path = tmp_path / "queries.json"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "pages", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", "--lint=none", path)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A server with a session on it, and the variables that the pages ask for."""
    need("redis-cli", "apt-get install redis-tools")
    with EmbeddedServer(appendonly=False) as server:
        url = f"redis://127.0.0.1:{server.port}"
        with SessionCache.from_url(url, namespace="ops", shards=2) as cache:
            cache.transcripts.append("case-1", {"role": "user", "content": "hello"})
        yield {
            "ID": "case-1",
            "SESSIONCACHE_NAMESPACE": "ops",
            "SESSIONCACHE_SHARDS": "2",
            "SESSIONCACHE_URL": url,
        }


def typed(line: str, environment: dict[str, str]) -> tuple[int, str]:
    """How a line ends and what it says: one of ours in this process, which is quicker; another one in a shell."""
    name, *arguments = shlex.split(os.path.expandvars(line))
    if name == "sessioncache":
        result = CliRunner().invoke(app, arguments, prog_name=name)
        return result.exit_code, result.output
    done = subprocess.run(
        ["bash", "-c", line], env=os.environ | environment, capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode, done.stdout + done.stderr


def test_every_command_on_the_pages_works(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pages tell to type is understood by the command line and by a server."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ended = {line: typed(line, environment) for line in commands()}
    assert len(ended) > len(HEADS)
    assert {
        line: (code, said)
        for line, (code, said) in ended.items()
        if code not in ANSWERS or any(mistake in said for mistake in MISTAKES)
    } == {}
