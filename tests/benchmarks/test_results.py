"""From samples to ratios, JSON and tables."""

import json

from benchmarks.report import plain, tables
from benchmarks.results import Results, Sample


def sample(subject: str, number: int, rate: float) -> Sample:
    """A turn in which only the rate matters."""
    return Sample("append", subject, number, rate, 1.0, 2.0, 3.0, 4.0, 1.0, {"xadd": 1.0})


def results() -> Results:
    """Three rounds of two subjects, and a third that is missing."""
    rates = {"sessioncache": (10.0, 30.0, 20.0), "redis-py": (10.0, 10.0, 40.0)}
    samples = [sample(subject, number, rate) for subject, each in rates.items() for number, rate in enumerate(each)]
    return Results(samples, {"absent": "not installed: no network"})


def test_a_ratio_is_taken_within_a_round() -> None:
    """The ratio is the median of the rounds' ratios, not the ratio of the medians."""
    ratio = results().ratio("append", "redis-py")
    assert ratio is not None
    assert (ratio.median, ratio.lowest, ratio.highest) == (1.0, 0.5, 3.0)


def test_no_ratio_to_what_was_not_measured() -> None:
    """There is no ratio to a missing subject."""
    assert results().ratio("append", "absent") is None


def test_the_json_has_ratios_first() -> None:
    """The result is JSON: ratios, then medians, then what they come from."""
    found = json.loads(json.dumps(results().as_json()))
    assert list(found) == ["schema", "ratios", "medians", "missing", "facts", "samples"]
    assert found["medians"][0]["operations_per_s"] == 20.0
    assert found["samples"][0]["commands"] == {"xadd": 1.0}


def test_the_first_table_holds_the_ratios() -> None:
    """The ratios come first, a subject that was not installed says so, and tables are text without rich."""
    ratios, numbers = tables(results())
    assert ratios.rows == [("append", "1.00  (0.50 to 3.00)", "not installed")]
    assert [row[1] for row in numbers.rows] == ["sessioncache", "redis-py"]
    assert "not installed" in "\n".join(plain(ratios))
