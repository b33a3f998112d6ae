"""`sessioncache import`: the report, the exit codes, and what a dry run leaves behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from sessioncache import SessionCache
from tests.cli.conftest import Command, start
from tests.engines import Engine, list_keys
from tests.engines.caches import SHARDS
from tests.engines.raw import client_for
from tests.importers.made import make_brainwires, turns

pytestmark = pytest.mark.engines("valkey")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Two sessions."""
    return str(make_brainwires(tmp_path / "s.db", {"a": turns(2), "b": turns(3)}))


def test_people_see_a_table(command: Command, path: str, cache: SessionCache) -> None:
    """What came over stands in a table, with how much of it was verified."""
    ended = command("import", "brainwires", path)
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["sessions", "2", "0", "0", "0"] in lines
    assert ["messages", "5", "0", "0", "0"] in lines
    assert "2 sessions verified" in ended.out
    assert cache.transcripts.count("b") == 3


def test_programs_get_one_object(command: Command, path: str) -> None:
    """Under --json the report is one object; a second run says that everything is there."""
    (first,) = command("import", "brainwires", path, "--json").objects
    assert (first["format"], first["source"], first["whole"], first["verified"]) == ("brainwires", path, True, 2)
    (second,) = command("import", "brainwires", path, "--json").objects
    assert second["counts"]["sessions"] == {"imported": 0, "already_there": 2, "skipped": 0, "failed": 0}


def test_a_dry_run_leaves_no_key(command: Command, path: str, engine: Engine, bare: Command) -> None:
    """It checks everything and opens no namespace; where there is one, it tells what is there."""
    ended = command("import", "brainwires", path, "--dry-run")
    assert ended.code == 0
    assert "would be imported" in ended.out
    assert list_keys(engine) == []
    command("import", "brainwires", path)
    before = {key.name for key in list_keys(engine)}
    (report,) = bare("import", "brainwires", path, "--dry-run", "--json").objects
    assert report["counts"]["sessions"]["already_there"] == 2
    assert {key.name for key in list_keys(engine)} == before


def test_a_bad_row(command: Command, tmp_path: Path) -> None:
    """It stops with exit code 5 and its name; with `--on-error skip` the rest comes over, which is exit code 1."""
    path = str(make_brainwires(tmp_path / "s.db", {"bad": "[", "good": turns(1)}))
    stopped = command("import", "brainwires", path)
    assert stopped.code == 5
    assert "s.db, row 'bad': is no JSON" in stopped.err
    assert "--on-error skip leaves it out" in stopped.err
    skipped = command("import", "brainwires", path, "--on-error", "skip", "--json")
    assert skipped.code == 1
    (report,) = skipped.objects
    assert [problem["name"] for problem in report["problems"]] == ["s.db, row 'bad'"]
    assert report["counts"]["sessions"] == {"imported": 1, "already_there": 0, "skipped": 0, "failed": 1}
    assert json.loads(skipped.err.splitlines()[-1])["exit_code"] == 1


def test_existing_sessions(command: Command, path: str, cache: SessionCache) -> None:
    """They are left and named, with exit code 1; `fail` stops, `overwrite` replaces."""
    cache.transcripts.append("a", {"role": "user", "content": "mine"})
    left = command("import", "brainwires", path)
    assert left.code == 1
    assert "session 'a' is there already" in left.err
    assert command("import", "brainwires", path, "--existing", "fail").code == 5
    assert cache.transcripts.count("a") == 1
    assert command("import", "brainwires", path, "--existing", "overwrite").code == 0
    assert cache.transcripts.count("a") == 2


def test_what_is_in_a_source_cannot_steer_the_terminal(command: Command, tmp_path: Path) -> None:
    """Escape sequences in names and reasons are printed as text."""
    path = str(make_brainwires(tmp_path / "s.db", {"\x1b[2J": turns(1)}))
    ended = command("import", "brainwires", path, "--on-error", "skip")
    assert "\x1b" not in ended.out + ended.err


@pytest.mark.parametrize(
    "words,code,told",
    [
        (("brainwires", "/nowhere/s.db"), 5, "/nowhere/s.db is no file"),
        (("orcs", "/nowhere"), 5, "/nowhere is neither a folder nor a file"),
        (("bamboo", "/nowhere"), 5, "/nowhere is no folder"),
        (("post-cortex", "/nowhere"), 5, "/nowhere is no export"),
        (("cognee", "/nowhere"), 2, "is no URL"),
        (("cognee", "redis+cluster://localhost"), 2, "cognee writes to one server"),
        (("cognee", "redis://:secret@localhost:1"), 3, "connecting to localhost:1"),
        (("chroma", "x"), 2, "chroma"),
    ],
)
def test_sources_that_are_not_there(command: Command, words: tuple[str, ...], code: int, told: str) -> None:
    """What cannot be opened is one sentence and its exit code."""
    ended = command("import", *words)
    assert ended.code == code
    assert told in ended.err
    assert "secret" not in ended.err + ended.out


@pytest.mark.foreign_keys
def test_cognee_on_the_same_server(command: Command, engine: Engine, cache: SessionCache) -> None:
    """The source may be the server that is written to."""
    with client_for(engine, "x") as client:
        client.rpush("agent_sessions:default:chat", json.dumps({"question": "q", "answer": "a", "context": ""}))
    assert command("import", "cognee", engine.url).code == 0
    assert cache.qa.count("chat") == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_run_again(
    command: Command, cache: SessionCache, engine: Engine, tmp_path: Path, number: int
) -> None:
    """A process that dies in the middle leaves what the next run finishes: every session once, and whole."""
    path = str(make_brainwires(tmp_path / "s.db", {f"s{place}": turns(10) for place in range(400)}))
    given = ("--url", engine.url, "--namespace", cache.settings.namespace, "--shards", str(SHARDS), "--json")
    process = start("import", "brainwires", path, *given)
    while cache.sessions.count() < 20 and process.poll() is None:
        pass
    process.send_signal(number)
    out, _ = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    there = cache.sessions.count()
    assert 20 <= there < 400
    if number == signal.SIGINT:
        assert 18 <= json.loads(out)["verified"] <= there
    (report,) = command("import", "brainwires", path, "--json").objects
    assert report["counts"]["sessions"]["imported"] + report["counts"]["sessions"]["already_there"] == 400
    assert {session.messages for session in cache.sessions.each()} == {10}
    assert cache.sessions.count() == 400
