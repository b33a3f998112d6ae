"""A whole run, very small, on a real server; nothing here is about how long anything takes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.__main__ import main
from benchmarks.bars import choose
from benchmarks.environment import NotInstalled
from benchmarks.results import Missing, Results
from benchmarks.run import Plan, measure
from benchmarks.subject import SUBJECTS, Subject
from benchmarks.weigh import weigh
from benchmarks.workloads import Workload, all_workloads
from sessioncache import SessionCache
from sessioncache.embedded import EmbeddedServer

OWN = [subject for subject in SUBJECTS if subject.requirements is None]
OURS = OWN[:1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two short conversations."""
    path = tmp_path / "conversations.jsonl"
    conversation = [{"role": "user", "content": f"é {number}"} for number in range(7)]
    path.write_text("".join(json.dumps({"session_id": name, "messages": conversation}) + "\n" for name in "ab"))
    return path


def small(row: str) -> list[Workload]:
    """The quick workloads of a row, with fewer tasks and operations still."""
    found = []
    for workload in choose(all_workloads(quick=True, sessions=300), [row]):
        options = dict(workload.options) | ({"old": 3} if "old" in workload.options else {})
        tasks = min(workload.tasks, 4)
        found.append(replace(workload, tasks=tasks, operations=min(workload.operations, 40), options=options))
    return found


def numbers_of(results: Results, workload: str) -> list[dict[str, float]]:
    """What was measured of it."""
    return [sample.numbers for sample in results.samples if sample.workload == workload]


@pytest.mark.timeout(180)
def test_a_run_measures_every_subject_in_every_row(file: Path) -> None:
    """Each round has one sample a workload and subject, and an append is one round trip and one EVALSHA, as counted."""
    told: list[str] = []
    workloads = [
        Workload("append", "append", "append", "append", tasks=4, operations=40),
        Workload("delayed", "append", "append delayed", "append", tasks=4, operations=40, delayed=True),
        Workload("load", "load", "load", "load", tasks=2, operations=6),
    ]
    results = measure(Plan(OWN, workloads, 2, file, told.append))
    expected = {
        (number, workload.key, subject.name)
        for number in range(2)
        for workload in workloads
        for subject in OWN
        if workload.work in subject.works
    }
    assert {(s.round, s.workload, s.subject) for s in results.samples} == expected
    assert len(results.samples) == len(expected)
    for sample in results.samples:
        assert sample.numbers["operations_per_s"] > 0
        assert sample.numbers["p50_us"] <= sample.numbers["p99_us"]
        assert sample.numbers["bytes_sent"] > 0
        assert sample.numbers["server_cpu_us"] > 0
        if sample.subject in {"sessioncache", "bare script"}:
            assert sample.commands["evalsha"] >= 1.0
    assert set(results.facts["subjects"]) == {subject.name for subject in OWN}
    assert len([line for line in told if line.startswith("round")]) == len(expected)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("row", ["save", "list", "whole", "processes"])
def test_rows_of_ours_are_measured(row: str, file: Path) -> None:
    """Each workload has its numbers, or says that this version lacks it."""
    workloads = small(row)
    results = measure(Plan(OURS, workloads, 1, file, lambda _: None, rows=[row]))
    for workload in workloads:
        found = numbers_of(results, workload.key)
        if not found:
            assert results.why(workload.key, "sessioncache").startswith("not available in this version")
        else:
            assert found[0]["operations_per_s"] > 0


@pytest.mark.timeout(180)
def test_memory_is_weighed_once(file: Path) -> None:
    """A weighed workload has one sample however many rounds there are, and its keys have weight."""
    results = measure(Plan(OURS, small("memory"), 2, file, lambda _: None))
    (numbers,) = numbers_of(results, "memory")
    assert numbers["sessions"] == 2
    assert numbers["session_bytes"] > 0
    assert numbers["shared_bytes"] > 0


def test_every_key_is_weighed() -> None:
    """Keys of a session, keys that sessions share and keys of other stores are told apart, and none is left out."""
    with EmbeddedServer(appendonly=False) as server:
        server.command("SET", "somebody:else", "x" * 1000)
        other = weigh(server.port)
        with SessionCache.from_url(server.url, namespace="weigh", shards=2) as cache:
            cache.transcripts.append("a", {"role": "user", "content": "x" * 5000})
        both = weigh(server.port)
    assert other["session_bytes"] > 1000
    assert other["shared_bytes"] == other["dictionary_bytes"] == 0
    assert both["session_bytes"] > other["session_bytes"] + 5000
    assert both["shared_bytes"] > 0


def test_a_subject_that_cannot_be_installed_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on without it and says why it is missing."""

    def refuse(requirements: str | None) -> Path:
        raise NotInstalled(f"no {requirements}")

    monkeypatch.setattr(run, "python_for", refuse)
    workload = Workload("append", "append", "append", "append", tasks=1, operations=1)
    results = measure(Plan(SUBJECTS[-1:], [workload], 1, file, print))
    assert results.samples == []
    assert results.missing == [Missing(SUBJECTS[-1].name, None, f"not installed: no {SUBJECTS[-1].requirements}")]


def test_somebody_elses_failure_is_told_and_the_run_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign subject that fails is missing from that workload, with its error, and does the next one."""
    monkeypatch.setattr(run, "python_for", lambda _: Path(sys.executable))
    foreign = Subject("foreign", "benchmarks.subjects.redis_py", "nothing", works=("append", "fly"))
    workloads = [
        Workload("fly", "fly", "fly", "fly", tasks=1, operations=1),
        Workload("append", "append", "append", "append", tasks=1, operations=5),
    ]
    results = measure(Plan([foreign], workloads, 2, file, lambda _: None))
    assert results.missing == [Missing("foreign", "fly", "failed: KeyError: 'fly'")]
    assert len(numbers_of(results, "append")) == 2


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["fly"], "unknown row fly; there are: append, processes, load, whole, save, list, memory, workers"),
        (["--subjects", "nobody"], "unknown subject nobody; there are: sessioncache, redis-py, bare script"),
        (["--transcripts", "gone.jsonl"], "no conversations at gone.jsonl"),
        (["--transport", "pigeon"], "transport"),
    ],
)
def test_a_wrong_argument_says_what_would_be_right(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is measured, the code is 2 and the message names the choices."""
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.timeout(180)
def test_a_quick_run_writes_its_numbers(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the tables and leaves JSON that can be read again."""
    written = tmp_path / "numbers.json"
    arguments = ["append", "--quick", "--rounds", "1", "--subjects", "sessioncache,bare script"]
    assert main([*arguments, "--transcripts", str(file), "--json", str(written)]) == 0
    results = Results.from_json(json.loads(written.read_text()))
    assert results.facts["rows"] == ["append"]
    assert results.ratio(("append-64", "sessioncache"), ("append-64", "bare script"), "operations_per_s") is not None
    assert "Bars" in capsys.readouterr().out
