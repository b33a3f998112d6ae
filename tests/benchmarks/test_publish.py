"""The results as they are committed."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import chart
from benchmarks.publish import BEGIN, BEGIN_WORKERS, END, END_WORKERS, README, publish
from benchmarks.results import Results, Sample
from tests.benchmarks.test_results import make_results


def test_tables_stand_between_the_marks(tmp_path: Path) -> None:
    """What was between the marks is replaced, and all the rest stays, also the second time."""
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    for _ in range(2):
        publish(make_results(), readme)
        text = readme.read_text()
        assert text.startswith(f"before\n\n{BEGIN}\n\n**Bars")
        assert text.endswith(f"{END}\n\nafter\n")
        assert "old" not in text
        assert "| append, 1 task |" in text
    assert (tmp_path / "chart.svg").read_text() == chart(make_results())


def test_a_readme_without_marks_is_left_alone(tmp_path: Path) -> None:
    """There is no place for the tables, and none is guessed."""
    readme = tmp_path / "README.md"
    readme.write_text("text")
    with pytest.raises(ValueError, match="no place for the results"):
        publish(make_results(), readme)
    assert readme.read_text() == "text"


def test_what_workers_did_has_a_place_of_its_own(tmp_path: Path) -> None:
    """Results of workers alone replace those of workers alone, without a picture; a mixture is refused."""
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\nkept\n{END}\n{BEGIN_WORKERS}\nold\n{END_WORKERS}\n")
    results = make_results()
    results.samples = [Sample("seal", "sessioncache", 0, {"load_average": 1.0, "sessions_per_s": 5.0})]
    results.facts["rows"] = ["workers"]
    assert publish(results, readme) == [readme]
    text = readme.read_text()
    assert "kept" in text
    assert "old" not in text
    assert "**Workers" in text[text.index(BEGIN_WORKERS) :]
    results.facts["rows"] = ["workers", "append"]
    with pytest.raises(ValueError, match="by themselves"):
        publish(results, readme)
    assert readme.read_text() == text


def test_the_readme_has_its_marks() -> None:
    """The README of this folder has a place for the tables, and one for those of workers."""
    text = README.read_text(encoding="utf-8")
    places = [text.index(mark) for mark in (BEGIN, END, BEGIN_WORKERS, END_WORKERS)]
    assert places == sorted(places)


def test_the_chart_has_a_bar_a_subject() -> None:
    """The picture is well-formed, and a workload of ours alone stands in the panel before it."""
    rates = [("append-64", "sessioncache"), ("append-64", "a<b"), ("load-64", "sessioncache"), ("load-64", "a<b")]
    samples = [Sample(*who, 0, {"operations_per_s": 5.0}) for who in (*rates, ("load-64-sealed", "sessioncache"))]
    picture = chart(Results(samples, facts={"names": {"load-64-sealed": "last 50, sealed"}}))
    root = ET.fromstring(picture)  # noqa: S314  made by ourselves
    space = {"svg": "http://www.w3.org/2000/svg"}
    texts = [text.text for text in root.findall("svg:text", space)]
    assert len(root.findall("svg:rect", space)) == 1 + len(samples)
    assert "a<b" in texts
    assert "sessioncache, sealed" in texts
