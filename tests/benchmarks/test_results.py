"""From samples to medians, ratios, JSON and tables."""

import json

import pytest

from benchmarks.report import notes, plain, tables
from benchmarks.results import Missing, Results, Sample

NAMES = ("operations_per_s", "us_per_operation", "p50_us", "p99_us", "server_cpu_us", "server_busy")
WEIGHTS = ("sessions", "session_bytes", "shared_bytes", "dictionary_bytes", "used_bytes")


def timed(workload: str, subject: str, number: int, rate: float) -> Sample:
    """A turn in which only the rate matters."""
    numbers = dict.fromkeys((*NAMES, "bytes_sent", "round_trips"), 1.0)
    return Sample(workload, subject, number, numbers | {"operations_per_s": rate}, {"xadd": 1.0})


def weighed(workload: str, subject: str, size: float) -> Sample:
    """Ten sessions."""
    return Sample(workload, subject, 0, dict.fromkeys(WEIGHTS, 10.0) | {"session_bytes": size})


def make_results() -> Results:
    """Three rounds of two subjects, one memory, a subject that is missing and a feature that is not there."""
    rates = {"sessioncache": (10.0, 30.0, 20.0), "redis-py": (10.0, 10.0, 40.0)}
    samples = [
        timed("append-1", subject, number, rate) for subject, each in rates.items() for number, rate in enumerate(each)
    ]
    samples += [weighed("memory", "sessioncache", 500.0), weighed("memory", "openai-agents", 1000.0)]
    missing = [Missing("absent", None, "not installed: no network"), Missing("sessioncache", "load-64-near", "no such")]
    facts = {
        "date": "today",
        "machine": "a machine",
        "cores": 2,
        "pinned": "nothing is pinned",
        "python": "3",
        "server": "a server",
        "durability": "some",
        "rounds": 3,
        "messages": "file.jsonl",
        "subjects": {"sessioncache": {"redis": "1"}},
        "ping_p50_us": {"direct": 30.0},
        "load_average_before": 0.1,
        "rows": ["append", "memory", "load"],
        "names": {"append-1": "append, 1 task", "load-64-near": "near"},
    }
    return Results(samples, missing, facts)


def test_a_ratio_is_taken_within_a_round() -> None:
    """The ratio is the median of the rounds' ratios, not the ratio of the medians."""
    ratio = make_results().ratio(("append-1", "sessioncache"), ("append-1", "redis-py"), "operations_per_s")
    assert ratio is not None
    assert (ratio.median, ratio.lowest, ratio.highest) == (1.0, 0.5, 3.0)


def test_no_ratio_to_what_was_not_measured() -> None:
    """There is no ratio to a missing subject, and its absence has a reason."""
    results = make_results()
    assert results.ratio(("append-1", "sessioncache"), ("append-1", "absent"), "operations_per_s") is None
    assert results.why("append-1", "absent") == "not installed: no network"
    assert results.why("append-1", "nobody") == "not measured"


def test_a_forgotten_sample_is_gone() -> None:
    """What a subject did before it failed is no result."""
    results = make_results()
    results.forget("redis-py", "append-1")
    assert results.subjects("append-1") == ["sessioncache"]


def test_the_json_comes_back() -> None:
    """Results are JSON, and the same results again."""
    results = make_results()
    found = json.loads(json.dumps(results.as_json()))
    assert list(found) == ["schema", "facts", "medians", "missing", "samples"]
    assert found["medians"][0]["operations_per_s"] == 20.0
    assert Results.from_json(found) == results


def test_json_of_another_schema_is_refused() -> None:
    """Results of other versions of the benchmarks are not read as if they were these."""
    with pytest.raises(ValueError, match="measure again"):
        Results.from_json({"schema": 1})


def test_the_bars_come_first() -> None:
    """A bar that was measured is judged, one that was not says why, and tables are text without rich."""
    bars, speeds, weights = tables(make_results())
    verdicts = {(row[0], row[3]): row[4] for row in bars.rows}
    assert verdicts["append, 1 task", "≥ 1 × redis-py"] == "meets by 0%"
    assert verdicts["last 50, near-cache hit", "≥ 6 × openai-agents"] == "no such"
    assert [row[1] for row in speeds.rows] == ["sessioncache", "redis-py"]
    assert [row[3] for row in weights.rows] == ["50", "100"]
    assert "misses" not in "\n".join(plain(weights))


def test_the_notes_say_what_is_missing() -> None:
    """Each absence is told once, with what it is about."""
    lines = notes(make_results())
    assert "absent: not installed: no network" in lines
    assert "sessioncache (near): no such" in lines
