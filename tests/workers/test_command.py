"""The command line of a worker."""

from __future__ import annotations

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


def test_a_check_of_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that cannot work end a check with 2 and the variable's name."""
    assert check(monkeypatch, "redis://127.0.0.1", SESSIONCACHE_WORKER_MAX_JOBS="0") == 2
    assert "SESSIONCACHE_WORKER_MAX_JOBS" in capsys.readouterr().err
