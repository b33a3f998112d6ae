"""`sessioncache demo` as a process: it proves, it refuses, it cleans up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessioncache import SessionCache
from tests.cli.conftest import Command, clean_environment, start
from tests.engines import Engine, list_keys

GOOD = '{"session_id": "a", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}'


@pytest.mark.timeout(120)
def test_a_small_demonstration(tmp_path: Path) -> None:
    """It replays, proves, sees the worker sweep, and ends with 0 and one JSON object."""
    arguments = ("demo", "--limit", "6", "--agents", "8", "--processes", "2", "--json")
    with start(*arguments, cwd=tmp_path) as process:
        out, errors = process.communicate(timeout=110)
    assert process.returncode == 0, errors
    told = json.loads(out)
    assert (told["ok"], told["problems"], told["sessions"], told["processes"]) == (True, [], 6, 2)
    assert told["edits"] >= 6
    assert told["swept"] == 24


@pytest.mark.timeout(120)
@pytest.mark.foreign_keys
@pytest.mark.engines("valkey")
def test_on_somebody_elses_server(engine: Engine, tmp_path: Path) -> None:
    """On a server that is there it works in a namespace of its own and leaves no session behind."""
    with start("demo", "--url", engine.url, "--limit", "3", cwd=tmp_path, env=clean_environment()) as process:
        out, errors = process.communicate(timeout=110)
    assert process.returncode == 0, errors
    assert "Proven with a new client" in out
    left = [found.name for found in list_keys(engine)]
    assert [name for name in left if ":s:" in name and not name.endswith(":tombstone")] == []


@pytest.mark.engines("valkey")
def test_a_bad_line_writes_nothing(command: Command, engine: Engine, tmp_path: Path) -> None:
    """A bad line is exit code 5 with file and line, before anything is written."""
    path = tmp_path / "talk.jsonl"
    path.write_text(GOOD + "\nnonsense\n")
    refused = command("demo", "--transcripts", str(path))
    assert (refused.code, refused.out) == (5, "")
    assert f"{path}, line 2: not JSON" in refused.err
    assert list_keys(engine) == []


@pytest.mark.engines("valkey")
def test_a_namespace_in_use_is_refused(command: Command, cache: SessionCache, namespace: str) -> None:
    """A namespace with sessions is left alone: exit code 2."""
    cache.transcripts.append("mine", {"a": 1})
    refused = command("demo", "--limit", "1", "--namespace", namespace)
    assert refused.code == 2
    assert "holds 1 sessions" in refused.err
    assert cache.sessions.exists("mine")
