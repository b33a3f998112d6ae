"""Which core does what: the server has one of its own, clients the others, where the system lets us say so.

The rule of this module: what cannot be pinned is left where it is, and the result says so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Cores"]

TASKS: Final = "/proc/{}/task"


class Cores:
    """The cores of this process, shared out."""

    def __init__(self) -> None:
        """Look which there are."""
        found = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        self.pinned = len(found) > 1
        """Whether there is anything to share out."""
        self._server = set(found[:1])
        self._client = set(found[1:2])
        self._clients = set(found[1:])

    def pin_server(self, pid: int) -> None:
        """The server and its threads get the first core."""
        self._pin(pid, self._server)

    def pin_client(self, pid: int) -> None:
        """A client that works alone gets the second one."""
        self._pin(pid, self._client)

    def pin_clients(self, pids: list[int]) -> None:
        """Processes that work at once share what the server leaves, however many they are: its core is never theirs."""
        for pid in pids:
            self._pin(pid, self._clients)

    def facts(self, processes: int) -> str:
        """What was done, for the result; 0 processes: those that are pinned beside the server."""
        if not self.pinned:
            return "nothing is pinned to a core"
        if not processes:
            return f"the server is pinned to core {min(self._server)}, agents and workers share the others"
        return (
            f"the server is pinned to core {min(self._server)}, a single client to core {min(self._client)}; "
            f"{processes} clients at once share all but the server's, the delay proxy may use any"
        )

    def _pin(self, pid: int, cores: set[int]) -> None:
        if not self.pinned:
            return
        threads = Path(TASKS.format(pid))
        ids = [int(thread.name) for thread in threads.iterdir()] if threads.is_dir() else [pid]
        for thread in ids:
            with suppress(OSError):  # a thread may have ended
                os.sched_setaffinity(thread, cores)
