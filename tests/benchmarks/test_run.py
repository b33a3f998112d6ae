"""A whole run, very small, on a real server; nothing here is about how long anything takes."""

import json
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.__main__ import main
from benchmarks.environment import NotInstalled
from benchmarks.run import Plan, measure
from benchmarks.subject import SUBJECTS
from benchmarks.workloads import Workload

OWN = [subject for subject in SUBJECTS if subject.requirements is None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two short conversations."""
    path = tmp_path / "conversations.jsonl"
    conversation = [{"role": "user", "content": f"é {number}"} for number in range(7)]
    path.write_text("".join(json.dumps({"session_id": name, "messages": conversation}) + "\n" for name in "ab"))
    return path


def test_a_run_measures_every_subject_in_every_row(file: Path) -> None:
    """Each round has one sample a row and subject, and an append is one round trip and one EVALSHA, as counted."""
    told: list[str] = []
    workloads = [
        Workload("append", "append", tasks=4, operations=40),
        Workload("append delayed", "append", tasks=4, operations=40, delayed=True),
        Workload("load", "load", tasks=2, operations=6),
    ]
    results = measure(Plan(OWN, workloads, 2, file, told.append))
    assert {(s.round, s.workload, s.subject) for s in results.samples} == {
        (number, workload.name, subject.name) for number in range(2) for workload in workloads for subject in OWN
    }
    assert len(results.samples) == 12
    for sample in results.samples:
        assert sample.operations_per_s > 0
        assert sample.p50_us <= sample.p99_us
        assert sample.bytes_sent > 0
        assert sample.server_cpu_us > 0
        if sample.subject == "sessioncache":
            assert sample.commands["evalsha"] == 1.0
    plain = [s for s in results.samples if s.workload == "append" and s.subject == "sessioncache"]
    assert [sample.round_trips for sample in plain] == [1.0, 1.0]
    assert set(results.facts["subjects"]) == {subject.name for subject in OWN}
    assert len([line for line in told if line.startswith("round")]) == 12


def test_a_subject_that_cannot_be_installed_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on without it and says why it is missing."""

    def refuse(requirements: str | None) -> Path:
        raise NotInstalled(f"no {requirements}")

    monkeypatch.setattr(run, "python_for", refuse)
    results = measure(Plan(SUBJECTS[-1:], [Workload("append", "append", tasks=1, operations=1)], 1, file, print))
    assert (results.samples, results.missing) == (
        [],
        {SUBJECTS[-1].name: f"not installed: no {SUBJECTS[-1].requirements}"},
    )


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--only", "fly"], "unknown workload fly; there are: append, load"),
        (["--subjects", "nobody"], "unknown subject nobody; there are: sessioncache, redis-py, openai-agents"),
        (["--transcripts", "gone.jsonl"], "no conversations at gone.jsonl"),
    ],
)
def test_a_wrong_argument_says_what_would_be_right(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is measured, the code is 2 and the message names the choices."""
    assert main(arguments) == 2
    assert told in capsys.readouterr().err
