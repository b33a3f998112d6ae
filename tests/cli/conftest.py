"""The command line as a test runs it: in this process on a real server, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from sessioncache import SessionCache
from sessioncache.cli.app import app
from tests.engines import Engine
from tests.engines.caches import SHARDS, make_sync_cache


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """Stdout as one JSON object a line; anything else there fails the test."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ended]


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without settings of sessioncache."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SESSIONCACHE_")} | more


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in this process, without settings."""
    for name in list(os.environ):
        if name.startswith("SESSIONCACHE_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, answer: str | None = None) -> Ended:
        result = CliRunner().invoke(app, list(arguments), input=answer, prog_name="sessioncache")
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def command(bare: Command, engine: Engine, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in this process, on the test's engine and namespace."""
    monkeypatch.setenv("SESSIONCACHE_URL", engine.url)
    monkeypatch.setenv("SESSIONCACHE_NAMESPACE", namespace)
    monkeypatch.setenv("SESSIONCACHE_SHARDS", str(SHARDS))
    return bare


@pytest.fixture
def cache(engine: Engine, namespace: str) -> Iterator[SessionCache]:
    """A cache on the same namespace."""
    with make_sync_cache(engine, namespace) as cache:
        yield cache


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command line as a process of its own."""
    options.setdefault("env", clean_environment(PYTHONUNBUFFERED="1"))
    return subprocess.Popen(
        [sys.executable, "-m", "sessioncache", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
