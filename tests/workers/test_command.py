"""The command line of a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessioncache import SessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache_workers.__main__ import main


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, namespace: str) -> None:
    monkeypatch.setattr("sessioncache_workers.logs.configure", lambda _level, _style: None)
    monkeypatch.setenv("SESSIONCACHE_NAMESPACES", namespace)


def test_it_says_which_release_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the command and the release, and ends with 0."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == ["sessioncache-worker", "0.1.0"]


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """What is no option ends it with 2 and the usage."""
    with pytest.raises(SystemExit) as ended:
        main(["--chek"])
    assert ended.value.code == 2
    assert "--check" in capsys.readouterr().err


def check(monkeypatch: pytest.MonkeyPatch, url: str, **variables: str) -> int:
    """--check against a server."""
    monkeypatch.setenv("SESSIONCACHE_URL", url)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return main(["--check"])


def test_a_check_says_what_it_would_look_after(
    server: EmbeddedServer, namespace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where all is well a check ends with 0 and names the namespaces that are there; it creates none."""
    assert check(monkeypatch, server.url) == 0
    assert "not there yet" in capsys.readouterr().out
    assert server.command("KEYS", "sc:*") == []
    with SessionCache.from_url(server.url, namespace=namespace, shards=3):
        assert check(monkeypatch, server.url) == 0
    assert f"{namespace} (3 shards)" in capsys.readouterr().out


def test_a_check_without_a_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the server or the queue is away a check ends with 1 and says which."""
    assert check(monkeypatch, "redis://127.0.0.1:1") == 1
    said = capsys.readouterr().err
    assert "sessions: " in said
    assert "queue: " in said


def test_a_check_of_rights_on_the_queue(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who may look at sessions, but may not write to the queue, could not work: the check ends with 1."""
    server.command("ACL", "SETUSER", "agent", "reset", "on", ">s", "~sc:*", "+@all")
    try:
        assert check(monkeypatch, server.url.replace("redis://", "redis://agent:s@")) == 1
        assert "queue: " in capsys.readouterr().err
        server.command("ACL", "SETUSER", "agent", "~sessioncache:queue:*", "~arq:*")
        assert check(monkeypatch, server.url.replace("redis://", "redis://agent:s@")) == 0
        assert server.command("KEYS", "*queue*") == []
    finally:
        server.command("ACL", "DELUSER", "agent")


def test_a_check_of_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that cannot work end a check with 2 and the variable's name."""
    assert check(monkeypatch, "redis://127.0.0.1", SESSIONCACHE_WORKER_MAX_JOBS="0") == 2
    assert "SESSIONCACHE_WORKER_MAX_JOBS" in capsys.readouterr().err


@pytest.mark.parametrize(
    "variable,told",
    [
        ("SESSIONCACHE_SUMMARISER=nobodys", "there is no summariser 'nobodys'"),
        ("SESSIONCACHE_ARCHIVE_URL=nothing://x", "the archive 'nothing://x' cannot be used"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_what_no_job_could_use_is_refused(
    arguments: list[str],
    variable: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A summariser or an archive that this process cannot have ends it with 2, before it takes jobs that would fail."""
    monkeypatch.setenv(*variable.split("="))
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_a_check_writes_to_the_archive(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check tries the archive, and leaves nothing there; where it cannot be written to, it ends with 1."""
    assert check(monkeypatch, server.url, SESSIONCACHE_ARCHIVE_URL=str(tmp_path / "archive")) == 0
    assert list((tmp_path / "archive").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert check(monkeypatch, server.url, SESSIONCACHE_ARCHIVE_URL=str(tmp_path / "file")) == 1
    assert "archive: cannot be written to" in capsys.readouterr().err


def test_misspelt_variables_are_named(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable that is nearly a setting is named in the log, for what it should change does not change."""
    monkeypatch.setenv("SESSIONCACHE_SERVICE_HOST", "10.0.0.1")
    assert check(monkeypatch, server.url, SESSIONCACHE_WORKER_TICK_EVRY_S="1") == 0
    (told,) = [vars(record)["fields"]["reason"] for record in caplog.records if record.message == "unknown variable"]
    assert told.startswith("SESSIONCACHE_WORKER_TICK_EVRY_S is no setting")
    assert told.endswith("did you mean SESSIONCACHE_WORKER_TICK_EVERY_S?")
