"""Who may use which core."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import cores


def test_clients_never_get_the_servers_core_however_many_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On two cores, four clients share the one that the server leaves; on three, two."""
    given: dict[int, set[int]] = {}
    monkeypatch.setattr(cores, "TASKS", f"{tmp_path}/none-of-{{}}")
    monkeypatch.setattr(os, "sched_setaffinity", given.__setitem__, raising=False)
    for there in ({0, 1}, {2, 4, 5}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, there=there: there, raising=False)
        shared = cores.Cores()
        shared.pin_server(10)
        shared.pin_clients([11, 12, 13, 14])
        assert given[10] == {min(there)}
        assert [given[pid] for pid in (11, 12, 13, 14)] == [there - {min(there)}] * 4
        assert "share all but the server's" in shared.facts(4)


def test_a_single_core_is_not_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one core, nobody is pinned, and the result says so."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0}, raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    shared = cores.Cores()
    shared.pin_clients([1])
    assert shared.facts(4) == "nothing is pinned to a core"
