"""`sessioncache up`: everything starts, everything stops, and the data stay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sessioncache import SessionCache
from sessioncache.cli.children import how_it_ended
from sessioncache.cli.output import hide_password
from sessioncache.cli.up import free_ports
from sessioncache.embedded.ports import free_port
from tests.cli.conftest import Command, clean_environment, start
from tests.engines import Engine

pytestmark = pytest.mark.timeout(120)


def up(folder: Path, *more: str) -> subprocess.Popen[str]:
    """`sessioncache up` on a folder, told to speak JSON."""
    data = ("--data", str(folder / "data"), "--port", str(free_port(with_bus=True)))
    return start("up", *data, "--health-port", str(free_port()), "--json", *more, cwd=folder)


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it says once everything runs."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    told: dict[str, Any] = json.loads(line)
    assert told["event"] == "ready"
    return told


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_data_survive_a_restart(tmp_path: Path, number: signal.Signals) -> None:
    """What was written is there after Ctrl-C, exit code 0 and the next start; no process is left."""
    with up(tmp_path) as first:
        told = ready(first)
        with SessionCache.from_url(told["url"]) as cache:
            cache.transcripts.append("kept", {"n": 1})
        first.send_signal(number)
        out, errors = first.communicate(timeout=60)
    assert (first.returncode, json.loads(out)["event"], errors) == (0, "stopped", "")
    assert [pid for pid in (told["server_pid"], told["workers"][0]["pid"]) if is_running(pid)] == []
    with up(tmp_path, "--workers", "0") as second:
        told = ready(second)
        with SessionCache.from_url(told["url"]) as cache:
            assert cache.session("kept").transcript.list().messages == [{"n": 1}]
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=60)
    assert second.returncode == 0


def test_a_worker_that_dies(tmp_path: Path) -> None:
    """When a worker dies, it says which and how, stops the rest, and ends with 3."""
    with up(tmp_path) as process:
        told = ready(process)
        os.kill(told["workers"][0]["pid"], signal.SIGKILL)
        _out, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "worker 1 was killed by SIGKILL, and everything else was stopped with it" in json.loads(errors)["message"]
    assert not is_running(told["server_pid"])


def test_a_server_that_dies(tmp_path: Path) -> None:
    """When the server dies, it says so with the end of its log."""
    with up(tmp_path, "--workers", "0") as process:
        told = ready(process)
        os.kill(told["server_pid"], signal.SIGKILL)
        _out, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "the embedded server has ended" in json.loads(errors)["message"]


@pytest.mark.foreign_keys
@pytest.mark.engines("valkey")
def test_a_server_that_is_there(engine: Engine, tmp_path: Path) -> None:
    """With a URL only workers are started, and the server goes on."""
    with start("up", "--url", engine.url, "--health-port", str(free_port()), "--json", cwd=tmp_path) as process:
        told = ready(process)
        assert (told["data"], len(told["workers"])) == (None, 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
    with SessionCache.from_url(engine.url) as cache:
        assert cache.sessions.count() == 0


def test_the_snippet_works(tmp_path: Path) -> None:
    """The three lines that it prints run as they stand."""
    port = str(free_port(with_bus=True))
    with start("up", "--port", port, "--workers", "0", "--namespace", "mine", cwd=tmp_path) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], process.communicate()[1]
        first = next(index for index, line in enumerate(lines) if line.startswith("from sessioncache"))
        program = "".join(lines[first : first + 3])
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=clean_environment()
        )
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert done.returncode == 0, done.stderr
    assert "first_seq=1" in done.stdout
    assert (tmp_path / ".sessioncache-data" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    "words,code,told",
    [
        (("--server", "/no/such/binary"), 4, "does not exist"),
        (("--port", "99999"), 2, "99999"),
        (("--workers", "-1"), 2, "-1"),
    ],
)
def test_what_cannot_start(bare: Command, tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    """A binary, port or number of workers that cannot be is refused before anything starts."""
    refused = bare("up", "--data", str(tmp_path / "data"), *words)
    assert refused.code == code
    assert told in refused.err


def test_a_folder_in_use(bare: Command, tmp_path: Path) -> None:
    """A second start on the same folder is refused, naming it, and the first goes on."""
    with up(tmp_path, "--workers", "0") as process:
        ready(process)
        refused = bare("up", "--data", str(tmp_path / "data"), "--workers", "0")
        assert refused.code == 4
        assert str(tmp_path / "data") in refused.err
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_free_ports_are_different() -> None:
    """So many ports as asked for, each once."""
    assert len(set(free_ports(20_000, 3))) == 3


@pytest.mark.parametrize("code,text", [(3, "has ended with code 3"), (-9, "was killed by SIGKILL")])
def test_how_a_child_ended(code: int, text: str) -> None:
    """The end of a child is told in words."""
    assert how_it_ended(code) == text


def test_passwords_are_hidden() -> None:
    """A shown URL carries no password."""
    assert hide_password("redis://ann:s3cret@h:1/0") == "redis://ann:***@h:1/0"
    assert hide_password("redis://h:1") == "redis://h:1"
