"""What scripts/chart.py writes: copies, tables and schema; and that what is checked in is what it would write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from scripts import chart
from sessioncache_workers.settings import WorkerSettings

VALUES = """\
# What can be set.

# -- Its name,
# which may be long
name: ""
group:
  # -- How many
  count: 2
  inner:
    # -- Whatever it holds
    held:
      a: 1
      # not explained, as it is inside
      b: [2]
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The files that the script reads and writes, in a folder of the test's own."""
    for folder in (chart.CHART, Path("grafana/alerts"), Path("grafana/dashboards")):
        shutil.copytree(chart.ROOT / folder, tmp_path / folder)
    return tmp_path


def test_the_chart_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """Copies of rules and dashboards, the README's tables and the schema are what the script would write now."""
    code = chart.main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def test_explained_values() -> None:
    """Each value has its path, default and explanation; what lies inside an explained one is not listed."""
    found = [(".".join(value.path), value.default, value.about) for value in chart.documented(VALUES)]
    assert found == [
        ("name", "", "Its name, which may be long"),
        ("group.count", 2, "How many"),
        ("group.inner.held", {"a": 1, "b": [2]}, "Whatever it holds"),
    ]


def test_an_unexplained_value_is_refused() -> None:
    """Nobody can add a value without saying what it means."""
    with pytest.raises(ValueError, match=r"group\.count has no comment"):
        list(chart.documented(VALUES.replace("  # -- How many\n", "")))


def test_every_value_is_in_the_schema() -> None:
    """The schema knows each value of values.yaml and no other, and takes no unknown key beside one."""
    values = yaml.safe_load((chart.ROOT / chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((chart.ROOT / chart.CHART / "values.schema.json").read_text(encoding="utf-8"))
    explained = {
        value.path for value in chart.documented((chart.ROOT / chart.CHART / "values.yaml").read_text("utf-8"))
    }

    def compare(held: object, node: dict[str, object], path: tuple[str, ...]) -> None:
        if path in explained:
            assert node["description"], path
            return
        assert isinstance(held, dict)
        properties = node["properties"]
        assert isinstance(properties, dict)
        assert set(held) == set(properties) - ({"global"} if not path else set()), path
        assert node["additionalProperties"] is False, path
        for name, inside in held.items():
            compare(inside, properties[name], (*path, name))

    compare(values, schema, ())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_settings_have_their_bounds() -> None:
    """Types, bounds and words of a setting reach the schema, and what only its own rule refuses is left out."""
    known = chart.setting_schema(WorkerSettings, "SESSIONCACHE_WORKER_", chart.OWN_WORKER_VALUES)["properties"]
    assert known["max_jobs"] == {
        "description": "SESSIONCACHE_WORKER_MAX_JOBS",
        "type": "integer",
        "minimum": 1,
        "maximum": 64,
    }
    assert (known["tick_every_s"]["minimum"], known["tick_every_s"]["maximum"]) == (1, 60)
    assert known["log_level"]["enum"] == ["debug", "info", "warning", "error"]
    assert not set(chart.OWN_WORKER_VALUES) & set(known)


def test_stale_files_are_told_and_mended(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed rule, a removed dashboard and a changed default are told by --check, and mended without it."""
    rules = copied / "grafana/alerts/sessioncache.rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    gone = next(iter(sorted((copied / "grafana/dashboards").glob("*.json"))))
    gone.unlink()
    values = copied / chart.CHART / "values.yaml"
    values.write_text(
        values.read_text(encoding="utf-8").replace("# -- Its type", "# -- Its own type"), encoding="utf-8"
    )

    assert chart.main(["--check"], copied) == 1
    told = capsys.readouterr().out
    assert told.count("was stale") == 4
    assert (copied / chart.CHART / "files/dashboards" / gone.name).exists()
    assert chart.main([], copied) == 0
    assert not (copied / chart.CHART / "files/dashboards" / gone.name).exists()
    assert "Its own type" in (copied / chart.CHART / "README.md").read_text(encoding="utf-8")
    assert chart.main(["--check"], copied) == 0
