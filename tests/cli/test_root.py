"""Global options, errors and exit codes, whatever the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessioncache import SessionCache, errors
from sessioncache.cli.exits import BY_CLASS, MEANINGS, exit_code_for
from sessioncache.cli.root import hoist
from sessioncache.embedded import EmbeddedServer
from sessioncache.embedded.ports import free_port
from sessioncache.namespaces.server import EvictionPolicyWarning
from tests.cli.conftest import Command, clean_environment, start
from tests.engines import Engine, list_keys


def test_help_lists_commands_and_exit_codes(bare: Command) -> None:
    """`--help` names every command and every exit code."""
    shown = bare("--help")
    assert shown.code == 0
    words = [
        "up",
        "demo",
        "doctor",
        "audit",
        "stats",
        "keys",
        "sessions",
        "transcripts",
        "retention",
        "maintain",
        "scripts",
    ]
    assert [word for word in words if f"\n  {word} " not in shown.out] == []
    assert [code for code in MEANINGS if f"{code.value}  {MEANINGS[code]}" not in shown.out] == []


@pytest.mark.parametrize("words", [(), ("sessions",), ("transcripts",), ("retention",), ("maintain",), ("scripts",)])
def test_help_cuts_no_sentence(bare: Command, words: tuple[str, ...]) -> None:
    """The line of each command in a list of commands is a whole sentence."""
    _, _, lines = bare(*words, "--help").out.partition("Commands:\n")
    told = [line for line in lines.partition("\n\n")[0].splitlines() if line.strip()]
    assert told
    assert [line for line in told if not line.endswith(".") or line.endswith("...")] == []


def test_options_are_taken_anywhere() -> None:
    """Global options may follow the command; what follows `--` is left alone."""
    given = ["sessions", "show", "--json", "--namespace", "n", "--url=u", "--", "--json"]
    assert hoist(given) == ["--json", "--namespace", "n", "--url=u", "sessions", "show", "--", "--json"]


@pytest.mark.parametrize(
    "words,told",
    [
        (("sesions",), "Did you mean 'sessions'?"),
        (("sessions", "shw"), "Did you mean 'show'"),
        (("sessions", "list", "--limt", "3"), "--limit"),
        (("sessions", "list", "--order", "newst"), "is not one of 'newest', 'oldest'"),
        (("sessions", "list", "--limit", "many"), "should be a valid integer"),
        (("scripts", "show", "transcripts.apend"), "did you mean transcripts.append"),
        (("retention", "set", "tll_ms=5"), "did you mean ttl_ms"),
        (("retention", "set", "ttl_ms=-5"), "it must be a whole number, not negative"),
        (("retention", "set", "ttl_ms"), "is not NAME=VALUE"),
        (("maintain", "run", "expir"), "'expire', 'archive', 'prune'"),
        (("demo", "--agents", "1"), "1 agents cannot be spread over 2 processes"),
        (("demo", "--keep"), "--keep needs --url"),
        (("demo", "--transcripts", "no-such-file.jsonl"), "there is no file 'no-such-file.jsonl'"),
        (("sessions", "show"), "Missing argument"),
    ],
)
def test_wrong_usage(bare: Command, words: tuple[str, ...], told: str) -> None:
    """A wrong argument is exit code 2 and one line on stderr that says what would be right."""
    refused = bare(*words)
    assert (refused.code, refused.out) == (2, "")
    assert told in refused.err
    assert refused.err.startswith("error: ")
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize(
    "options,told",
    [
        (("--url", "http://localhost"), "http"),
        (("--url", "redis://localhost:port"), "port"),
        (("--namespace", "a b"), "namespace 'a b' is not usable"),
        (("--shards", "0"), "shards (or SESSIONCACHE_SHARDS) is 0: it should be greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_work(bare: Command, options: tuple[str, ...], told: str) -> None:
    """A URL, namespace or shard count that cannot work is exit code 4 and names the value."""
    refused = bare(*options, "stats")
    assert (refused.code, refused.out) == (4, "")
    assert told in refused.err


def test_no_server(bare: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not there is exit code 3, with how to start one."""
    monkeypatch.setenv("SESSIONCACHE_CALL_TIMEOUT_MS", "100")
    url = f"redis://127.0.0.1:{free_port()}"
    refused = bare("--url", url, "stats")
    assert (refused.code, refused.out) == (3, "")
    assert "`sessioncache up` starts one" in refused.err
    told = json.loads(bare("--url", url, "stats", "--json").err)
    assert (told["error"], told["exit_code"]) == ("backend_unavailable", 3)


def test_a_wrong_password(bare: Command) -> None:
    """A wrong password is exit code 4; the sentence does not repeat it."""
    with EmbeddedServer(appendonly=False, password="right") as server:
        assert bare("--url", server.url, "retention", "set", "ttl_ms=0").code == 0
        assert bare("--url", server.url, "stats").code == 0
        refused = bare("--url", f"redis://:wr0ng@127.0.0.1:{server.port}", "stats")
    assert refused.code == 4
    assert "password" in refused.err
    assert "wr0ng" not in refused.err


def test_an_evicting_server_is_warned_of(bare: Command) -> None:
    """A server that may evict works, with one warning on stderr; doctor calls it a problem."""
    with EmbeddedServer(appendonly=False, options={"maxmemory-policy": "allkeys-lru"}) as server:
        with pytest.warns(EvictionPolicyWarning), SessionCache.from_url(server.url) as cache:
            assert cache.sessions.count() == 0
        shown = bare("--url", server.url, "stats", "--json")
        found = bare("--url", server.url, "doctor", "--json")
    assert shown.code == 0
    assert "noeviction" in json.loads(shown.err)["warning"]
    assert len(shown.objects) == 1
    assert found.code == 1
    (eviction,) = [item for item in found.objects if item["check"] == "eviction"]
    assert eviction["level"] == "problem"
    assert "noeviction" in eviction["remedy"]


@pytest.mark.engines("valkey", "cluster")
@pytest.mark.parametrize(
    "words",
    [
        ("stats",),
        ("sessions", "list"),
        ("sessions", "delete", "s", "--yes"),
        ("transcripts", "show", "s"),
        ("transcripts", "tail", "s"),
        ("retention", "show"),
        ("dictionary", "show"),
        ("keys", "--session", "s"),
        ("maintain", "run", "expire"),
        ("audit",),
    ],
)
def test_looking_makes_no_namespace(command: Command, engine: Engine, words: tuple[str, ...]) -> None:
    """A namespace that is not there, misspelt perhaps, is named and not made: that would fix its shard count."""
    refused = command(*words, "--namespace", "nobody")
    assert refused.code == 4
    assert "there is no namespace 'nobody'" in refused.err
    assert list_keys(engine) == []


@pytest.mark.engines("valkey")
def test_the_shard_count_is_the_namespaces_own(bare: Command, engine: Engine, cache: SessionCache) -> None:
    """Nobody has to say the shard count of a namespace that he looks at."""
    cache.transcripts.append("s", {"n": 1})
    for words in (("stats",), ("sessions", "show", "s"), ("keys", "--session", "s"), ("audit",)):
        assert bare("--url", engine.url, "--namespace", cache.settings.namespace, *words).code == 0


def test_a_terminal_without_the_characters() -> None:
    """What the terminal has no characters for is shown by numbers, and is no failure."""
    with EmbeddedServer(appendonly=False) as server:
        with SessionCache.from_url(server.url) as cache:
            cache.transcripts.append("s", {"role": "user", "content": "café"})
        process = start(
            "--url", server.url, "transcripts", "show", "s", env=clean_environment(PYTHONIOENCODING="ascii")
        )
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "caf\\xe9" in out


def connections_made(engine: Engine) -> int:
    """How many connections the server has seen, this one's with them."""
    assert engine.server is not None
    told = engine.server.command("INFO", "stats")
    assert isinstance(told, bytes)
    (count,) = [line.partition(b":")[2] for line in told.splitlines() if line.startswith(b"total_connections_received")]
    return int(count)


@pytest.mark.engines("valkey")
def test_a_wrong_shard_count(command: Command, cache: SessionCache, engine: Engine) -> None:
    """Another shard count than the namespace's is exit code 4 and names the right one; it costs no other connection."""
    assert cache.keys.shards == 4
    for words in (("stats",), ("keys", "--session", "s")):
        before = connections_made(engine)
        refused = command("--shards", "8", *words)
        assert refused.code == 4
        assert "has 4 shards, not 8" in refused.err
        assert "SESSIONCACHE_SHARDS=4" in refused.err
        # One of the two is that of the second look.
        assert connections_made(engine) - before == 2


@pytest.mark.parametrize("words", [("keys",), ("keys", "--json"), ("scripts", "show", "transcripts.append")])
def test_a_reader_that_has_seen_enough(words: tuple[str, ...]) -> None:
    """A pipe that is closed at the other end, as `head` does, is the end and no failure."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "sessioncache", *words],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            env=clean_environment(),
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
@pytest.mark.parametrize("words", [("keys",), ("keys", "--json"), ("--help",), ("--version",)])
def test_an_output_that_is_full(words: tuple[str, ...]) -> None:
    """Where the output cannot be written to, one line says so, with a code of its own; it is no defect."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sessioncache", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=clean_environment(),
        )
    assert done.returncode == 74
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr
    assert b"defect" not in done.stderr


def test_every_error_has_a_code() -> None:
    """Each exception class ends in a documented code; the most special line of the table comes first."""
    classes = [getattr(errors, name) for name in errors.__all__ if name != "from_script"]
    for kind in classes:
        assert exit_code_for(kind("x")) in MEANINGS
    for index, (kind, _code) in enumerate(BY_CLASS):
        assert not [other for other, _ in BY_CLASS[:index] if issubclass(kind, other)]


def test_without_typer(tmp_path: Path) -> None:
    """Where the extra is missing, the command says how to install it."""
    program = "import sys\nsys.modules['typer'] = None\nimport importlib.util as u\nreal = u.find_spec\n"
    program += "u.find_spec = lambda name, *a: None if name == 'typer' else real(name, *a)\n"
    program += "import sessioncache.cli as cli\ncli.find_spec = u.find_spec\ncli.main()\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
        cwd=tmp_path,
    )
    assert done.returncode == 4
    assert "pip install 'sessioncache[cli]'" in done.stderr
