"""The dashboards that are checked in are those of the source, and Grafana and Prometheus can use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from grafana.source.rules import Record
from scripts import dashboards
from tests.grafana import expressions, structure
from tests.grafana.conftest import Promtool
from tests.grafana.structure import Json

FOLDER = dashboards.HOME / "dashboards"
BOARDS = sorted(path.name for path in FOLDER.glob("*.json"))
RECORDS = [rule.name for group in dashboards.GROUPS for rule in group.rules if isinstance(rule, Record)]


def read(name: str) -> Json:
    """One dashboard."""
    found: Json = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def targets(board: Json) -> Iterator[tuple[str, Json]]:
    """Every query, with where it stands."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target


def plain(expr: str) -> str:
    """An expression with values in the place of Grafana's variables."""
    expr = expr.replace("$__rate_interval", "5m").replace("$__range", "1h")
    return re.sub(r"\$\w+", ".+", expr)


def test_what_is_checked_in_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is what scripts/dashboards.py would write now, and none is left over."""
    code = dashboards.main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def test_what_is_stale_or_left_over_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check finds a changed, a missing and a foreign file; writing elsewhere removes nothing there."""
    where = ["--to", str(tmp_path)]
    assert dashboards.main([*where, "--runbooks", "https://wiki.acme.example/"]) == 0
    assert "https://wiki.acme.example/SessioncacheBackendFull.md" in (
        tmp_path / "alerts/sessioncache.rules.yaml"
    ).read_text(encoding="utf-8")
    (tmp_path / "dashboards/sessioncache-data.json").unlink()
    (tmp_path / "dashboards/foreign.json").write_text("{}")
    assert dashboards.main([*where, "--check"]) == 1
    stale = re.findall(r"/(\S+) is stale", capsys.readouterr().out)
    names = ["alerts/sessioncache.rules.yaml", "dashboards/foreign.json", "dashboards/sessioncache-data.json"]
    assert [name.partition("/")[2] or name for name in stale] == [name.partition("/")[2] or name for name in names]
    assert dashboards.main(where) == 0
    assert (tmp_path / "dashboards/foreign.json").exists()


@pytest.mark.parametrize("name", BOARDS)
def test_grafana_can_read_it(name: str) -> None:
    """Its structure is what Grafana expects: fields, places, ids, units, queries, variables; no inputs to fill in."""
    assert list(structure.problems(read(name))) == []
    assert "__inputs" not in read(name)


@pytest.mark.parametrize("name", BOARDS)
def test_its_queries_ask_for_what_there_is(name: str) -> None:
    """Each metric in a query is in the catalogue, with these labels and values, and is chosen by job and instance."""
    board = read(name)
    wrong = {place: list(expressions.problems(target["expr"], RECORDS)) for place, target in targets(board)}
    assert {place: found for place, found in wrong.items() if found} == {}
    for variable in board["templating"]["list"][1:]:
        asked = re.fullmatch(r"label_values\(([^{},]+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])
        assert asked is not None
        assert asked.group(2) in (expressions.labels_of(asked.group(1), ()) or ())


@pytest.mark.parametrize("name", BOARDS)
def test_its_legends_name_labels_that_the_answer_has(name: str) -> None:
    """Each label in a legend is one that the query groups by."""
    for place, target in targets(read(name)):
        kept = {label for group in expressions.GROUPING.findall(target["expr"]) for label in group.split(", ")}
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, place


@pytest.mark.parametrize("name", BOARDS)
def test_rates_fit_every_zoom(name: str) -> None:
    """A rate over what a line shows is taken over $__rate_interval, or over a time that its title or unit names."""
    for place, target in targets(read(name)):
        for found in re.findall(r"\brate\(.*?\[([\w$]+)\]", target["expr"]):
            assert found == "$__rate_interval" or target["range"] is False, place


@pytest.mark.parametrize("name", BOARDS)
def test_links_lead_to_the_other_dashboards(name: str) -> None:
    """Each dashboard links to all others, keeping time and variables, and no link leads elsewhere."""
    board = read(name)
    uids = {read(other)["uid"] for other in BOARDS}
    assert {f"{uid}.json" for uid in uids} == set(BOARDS)
    assert {link["url"].removeprefix("/d/") for link in board["links"]} == uids - {board["uid"]}
    assert all(link["keepTime"] and link["includeVars"] and link["type"] == "link" for link in board["links"])
    for panel in board["panels"]:
        for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", []):
            assert re.match(r"/d/([\w-]+)\?", link["url"]).group(1) in uids - {board["uid"]}  # type: ignore[union-attr]  # None is a failure
            assert "${__url_time_range}" in link["url"]


def test_prometheus_can_read_every_query(promtool: Promtool, tmp_path: Path) -> None:
    """Each query is PromQL to promtool."""
    rules = [
        {"record": "checked", "expr": plain(target["expr"])} for name in BOARDS for _, target in targets(read(name))
    ]
    path = tmp_path / "queries.json"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", "--lint=none", path)
