"""Waiting for a server to reach a state.

The rule of this module: wait for a condition, with a limit, and say at the limit what was waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sessioncache.errors import BackendUnavailable

__all__ = ["wait_for"]

POLL_S: Final = 0.01
"""Pause between two looks: short beside a server's start (30 ms), long beside a look (0.2 ms)."""


def wait_for(condition: Callable[[], bool], what: str, *, timeout_s: float) -> None:
    """Return once the condition holds.

    Args:
        condition: Looked at until it is true. A server that cannot be reached counts as "not yet".
        what: What is waited for, for the error: "cluster_state:ok on every node".
        timeout_s: The limit.

    Raises:
        BackendUnavailable: It did not hold within the limit.
    """
    deadline = time.monotonic() + timeout_s
    last: OSError | None = None
    while True:
        try:
            if condition():
                return
        except OSError as error:
            last = error
        if time.monotonic() >= deadline:
            raise BackendUnavailable(f"waited {timeout_s:g} s in vain for {what}") from last
        time.sleep(POLL_S)
