"""Every example runs, in a process of its own, and prints what its text promises."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, text_of
from tests.engines import Engine

PRINTED = {
    "follow.py": ["transcript.appended", "Where is my order?", "session.updated", "On its way."],
    "save_against_rename.py": ["the stored group won", "'Late order'", "does not bring it back"],
    "summarise.py": ["30 messages became one; 12 are there now", "Summary of 30 messages.", "meanwhile"],
    "sync_script.py": ["1 sessions, 1 messages", "example-sync  1 messages"],
    "two_agents.py": ["4 facts considered", "somebody else has answered", "it was paid", "it is late"],
}


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs(engine: Engine, namespace: str, name: str) -> None:
    """The example ends without an error, a warning among them, and prints its lines."""
    environment = os.environ | {"SESSIONCACHE_URL": engine.url, "SESSIONCACHE_NAMESPACE": namespace}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in PRINTED[name] if line not in done.stdout] == []


def test_every_example_is_listed_and_run() -> None:
    """Each example has its line in examples/README.md and its test here."""
    files = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
    assert files == sorted(PRINTED)
    assert [name for name in files if f"[{name}]({name})" not in text_of("examples/README.md")] == []
