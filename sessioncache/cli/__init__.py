"""The command `sessioncache`: one file a command group.

The rule of this package: it prints and asks; what it knows comes from the public API. Nothing of typer or rich is
imported before somebody runs a command, so that the library works without them.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the command line; ends the process with one of the codes in `exits.py`."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"error: the command line needs {' and '.join(missing)}: pip install 'sessioncache[cli]' brings what is "
            "missing\n"
        )
        sys.exit(4)
    if os.getpid() == 1:
        # The first process of a container hears of no signal that it has not asked for, SIGTERM among them.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    from sessioncache.cli.app import app

    app(prog_name="sessioncache")
