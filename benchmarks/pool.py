"""Real worker processes, `python -m sessioncache_workers`, that begin at one moment and end at another.

The rule of this module: workers are those of the product, with its settings; what a stage is not about is switched off.
They begin together because this holds the key by which they take turns at looking for work, until all of them run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.cores import Cores
from benchmarks.subject import BenchmarkError
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance.jobs import JOBS

__all__ = ["NICENESS", "Pool", "workers"]

START_LIMIT_S: Final = 120
END_LIMIT_S: Final = 60
POLL_S: Final = 0.05
HOLD_MS: Final = 300_000
NICENESS: Final = 19
STARTED: Final = '"health": '


class Pool:
    """Workers that run, and wait for the word."""

    def __init__(self, server: EmbeddedServer, tick: str) -> None:
        self._server = server
        self._tick = tick

    def begin(self) -> None:
        """Let them look for work, which they do within a second."""
        self._server.command("DEL", self._tick)


@contextmanager
def workers(
    server: EmbeddedServer, namespace: str, count: int, cores: Cores, *, job: str | None = None
) -> Iterator[Pool]:
    """So many workers, held until `begin`.

    Args:
        server: of the sessions and of the queue.
        namespace: the one that they look after.
        count: of processes.
        cores: for what the server leaves.
        job: the only one that they do, each second as long as there is something to do; None: the product's settings.

    Raises:
        BenchmarkError: one of them does not start, or ends.
    """
    variables = {
        "SESSIONCACHE_URL": server.url,
        "SESSIONCACHE_NAMESPACE": namespace,
        "SESSIONCACHE_WORKER_PORT": "0",
        "SESSIONCACHE_WORKER_LOG_LEVEL": "info",
    }
    if job is not None:
        variables["SESSIONCACHE_WORKER_TICK_EVERY_S"] = "1"
        variables |= {f"SESSIONCACHE_WORKER_{name.upper()}_EVERY_S": "0" for name in JOBS if name != job}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONCACHE_")}
    tick = f"sessioncache:queue:{namespace}:tick"
    server.command("SET", tick, "benchmarks", "PX", HOLD_MS)
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / f"{number}.log" for number in range(count)]
        started: list[subprocess.Popen[bytes]] = []
        try:
            for log in logs:
                with log.open("wb") as file:
                    command = [sys.executable, "-m", "sessioncache_workers"]
                    started.append(subprocess.Popen(command, env=inherited | variables, stderr=file))
            _await_start(started, logs)
            for process in started:
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            cores.pin_clients([process.pid for process in started])
            yield Pool(server, tick)
            _check(started, logs)
        finally:
            _end(started)


def _await_start(started: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path]) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not all(STARTED in log.read_text(encoding="utf-8") for log in logs):
        _check(started, logs)
        if time.monotonic() > limit:
            raise BenchmarkError(f"the workers do not start within {START_LIMIT_S} s")
        time.sleep(POLL_S)


def _check(started: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path]) -> None:
    for process, log in zip(started, logs, strict=True):
        if process.poll() is not None:
            raise BenchmarkError(f"a worker ended with {process.returncode}:\n{log.read_text(encoding='utf-8')}")


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """Twice SIGTERM: what they are at is handed back at once, with its leases."""
    for process in started:
        process.send_signal(signal.SIGTERM)
    time.sleep(POLL_S)
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
