"""One run of everything, for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.observe.stack import Stack


def need(program: str) -> str:
    """The path of a program; missing: a skip here, a failure in CI."""
    found = shutil.which(program)
    if found is None:
        said = f"{program} is missing: apt-get install prometheus"
        if os.environ.get("SESSIONCACHE_REQUIRE_ENGINES"):
            pytest.fail(said)
        pytest.skip(said)
    return found


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Server, replica, two workers, agents and Prometheus."""
    need("prometheus")
    folder: Path = tmp_path_factory.mktemp("observe")
    with Stack(folder, agents=1) as running:
        yield running
