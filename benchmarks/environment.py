"""Environments of the subjects that are not ours: made on demand, pinned, kept.

The rule of this module: what cannot be installed is said, and the others are measured without it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["NotInstalled", "python_for"]

ROOT: Final = Path(__file__).resolve().parents[1]
INSTALL_LIMIT_S: Final = 300


class NotInstalled(Exception):
    """A subject's environment could not be made; the message says why."""


def python_for(requirements: str | None) -> Path:
    """The interpreter that has these pinned requirements; our own if there are none.

    Args:
        requirements: name of a file in `requirements/`, without its ending.

    Raises:
        NotInstalled: pip could not install them.
    """
    if requirements is None:
        return Path(sys.executable)
    file = ROOT / "benchmarks" / "requirements" / f"{requirements}.txt"
    folder = ROOT / f".venv-bench-{requirements}"
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if python.exists() and stamp.exists() and stamp.read_bytes() == file.read_bytes():
        return python
    command: list[str | Path] = [ROOT / "scripts" / "venv.sh", folder, folder / ".made", "-r", file]
    try:
        result = subprocess.run(
            command,
            env=os.environ | {"PYTHON": sys.executable},
            capture_output=True,
            text=True,
            timeout=INSTALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"installing took longer than {INSTALL_LIMIT_S} s") from None
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line] or result.stderr.splitlines()
        raise NotInstalled(errors[0] if errors else "pip failed without a message")
    stamp.write_bytes(file.read_bytes())
    return python
