"""The conformance suite as users have it: in a project of their own, over a store of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = """
import pytest
from sessioncache.stores import AsyncTranscriptStore, TranscriptMessage
from sessioncache.testing import fake_cache, fake_server
from sessioncache.testing.conformance import AsyncTranscriptStoreConformance


class Forgetful(AsyncTranscriptStore):
    async def load(self, session_id):
        loaded = await super().load(session_id)
        return loaded and loaded[:2]


class TestSound(AsyncTranscriptStoreConformance):
    STORE = AsyncTranscriptStore

    @pytest.fixture
    def server(self):
        return fake_server()

    @pytest.fixture
    async def store(self, server):
        async with fake_cache(server=server) as cache:
            yield self.STORE(cache)

    @pytest.fixture
    async def other_store(self, server):
        async with fake_cache(server=server) as cache:
            yield self.STORE(cache)


class TestForgetful(TestSound):
    STORE = Forgetful
"""


def test_a_store_of_ones_own_is_judged(tmp_path: Path) -> None:
    """A sound store passes; one that loses messages fails, and the failure shows what was compared."""
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    sound = subprocess.run([*command, "-k", "TestSound"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (sound.returncode, " failed" in sound.stdout) == (0, False), sound.stdout + sound.stderr
    broken = subprocess.run(
        [*command, "-k", "TestForgetful and in_order"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "1 failed" in broken.stdout
    assert "assert ['one', 'two'] == ['one', 'two', 'three']" in broken.stdout


def test_the_suite_is_not_imported_with_the_doubles() -> None:
    """`import sessioncache.testing` imports neither the suite nor pytest."""
    code = (
        "import sys, sessioncache.testing\n"
        "print([name for name in sys.modules if name == 'pytest' or 'conformance' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
