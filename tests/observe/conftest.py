"""One run of everything, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.observe.stack import Stack
from tests.programs import need

INSTALLED_BY = "apt-get install prometheus"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Server, replica, two workers, agents and Prometheus."""
    need("prometheus", INSTALLED_BY)
    folder: Path = tmp_path_factory.mktemp("observe")
    with Stack(folder, agents=1) as running:
        yield running
