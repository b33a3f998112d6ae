"""What a machine may lack: a test says what it needs, and this decides what its absence means."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

__all__ = ["missing", "need"]


def missing(text: str) -> NoReturn:
    """Skip on a laptop; fail in continuous integration, where everything has to be there."""
    if os.environ.get("CI") or os.environ.get("SESSIONCACHE_REQUIRE_ENGINES"):
        pytest.fail(text)
    pytest.skip(text)


def need(program: str, how: str) -> str:
    """The path of a program; where there is none, `how` says how to install it."""
    found = shutil.which(program)
    return found if found is not None else missing(f"{program} is missing: {how}")
