"""promtool, for the tests of expressions and rules."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import need

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs promtool, and answers what it printed; fails where promtool does. Missing: a skip here, a failure in CI."""
    found = need("promtool", "apt-get install prometheus")

    def run(*arguments: str | Path) -> str:
        done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    return run
