"""Processes, workers above all, that a command starts, watches and stops.

The rule of this module: no child outlives its command. One that is killed, even by SIGKILL, leaves a watcher
(`/bin/sh`, waiting at a pipe that only the command holds open) which ends the child.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from sessioncache.cli.root import ChildEnded
from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings

__all__ = ["Child", "Worker", "answers", "how_it_ended", "start_workers", "wait_until_ready"]

WATCHER: Final = """trap '' HUP INT QUIT TERM; read -r word; [ "$word" = done ] || kill -TERM "$1" """
READY_LIMIT_S: Final = 30.0
STOP_LIMIT_S: Final = 30.0
POLL_S: Final = 0.05
LOG_LINES: Final = 12


class Child:
    """A process with a log, which does not outlive this one, however that ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> None:
        """Start it.

        Args:
            name: in messages about it.
            command: the program and its arguments.
            log: the file that takes what it writes.
            environment: all of it.
            folder: the one that it works in; None: this process's own.
        """
        self.name = name
        self.log = log
        with log.open("wb") as output:
            # A process group of its own: Ctrl-C reaches the command alone, which then decides the order of the end.
            self._process = subprocess.Popen(  # noqa: S603 - a command of our own, not a user's
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                process_group=0,
            )
        self._watcher = subprocess.Popen(  # noqa: S603 - a constant script and a number
            ["/bin/sh", "-c", WATCHER, "sessioncache-watcher", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Say so if it has ended.

        Raises:
            ChildEnded: it has; the text carries the end of its log.
        """
        if self.ended is not None:
            raise ChildEnded(f"{self.name} {how_it_ended(self.ended)}; its log ends:\n{self.last_words()}")

    def ask_to_stop(self) -> None:
        """SIGTERM: it finishes what it is at and goes."""
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Stop it, by force if it does not listen, and dismiss the watcher."""
        self.ask_to_stop()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        try:
            self._watcher.communicate(b"done\n")
        except BrokenPipeError:
            self._watcher.wait()

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (its log is empty)"


class Worker(Child):
    """One worker process with its health port and log."""

    def __init__(self, name: str, settings: Settings, *, port: int, log: Path, tick_every_s: int | None) -> None:
        self.port = port
        environment = os.environ | {
            "SESSIONCACHE_URL": settings.url,
            "SESSIONCACHE_NAMESPACE": settings.namespace,
            "SESSIONCACHE_SHARDS": str(settings.shards),
            "SESSIONCACHE_WORKER_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        }
        if tick_every_s is not None:
            environment["SESSIONCACHE_WORKER_TICK_EVERY_S"] = str(tick_every_s)
        # The one namespace above would be outvoted by it.
        environment.pop("SESSIONCACHE_NAMESPACES", None)
        super().__init__(name, [sys.executable, "-m", "sessioncache_workers"], log=log, environment=environment)

    @property
    def url(self) -> str:
        """Where its health and metrics are."""
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        """Whether /readyz says yes now."""
        return answers(f"{self.url}/readyz")


def answers(url: str) -> bool:
    """Whether an address of this machine says 200 within two seconds."""
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - http://127.0.0.1:…, which callers make
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def how_it_ended(code: int) -> str:
    """A child's end in words: `has ended with code 3`, `was killed by SIGKILL`."""
    if code >= 0:
        return f"has ended with code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return f"was killed by {known.get(-code, f'signal {-code}')}"


def start_workers(
    settings: Settings, *, ports: list[int], folder: Path, tick_every_s: int | None = None
) -> list[Worker]:
    """Start a worker a port.

    Args:
        settings: the server and the namespace that they look after.
        ports: for health and metrics.
        folder: takes their logs.
        tick_every_s: how often they look for work; None: as they are set.

    Raises:
        ConfigurationError: the workers' distribution is not installed.
    """
    if not ports:
        return []
    if find_spec("sessioncache_workers") is None:
        raise ConfigurationError(
            "the workers are not installed: pip install sessioncache-workers, or do without them (--workers 0)"
        )
    workers: list[Worker] = []
    try:
        for number, port in enumerate(ports, 1):
            log = folder / f"worker-{number}.log"
            workers.append(Worker(f"worker {number}", settings, port=port, log=log, tick_every_s=tick_every_s))
    except BaseException:
        for worker in workers:
            worker.stop()
        raise
    return workers


def wait_until_ready(workers: list[Worker]) -> None:
    """Return once every worker says that it is ready.

    Raises:
        ChildEnded: one ended, or is not ready in time; the text carries the end of its log.
    """
    deadline = time.monotonic() + READY_LIMIT_S
    for worker in workers:
        while not worker.is_ready():
            worker.check()
            if time.monotonic() > deadline:
                raise ChildEnded(
                    f"{worker.name} is not ready after {READY_LIMIT_S:g} s; its log ends:\n{worker.last_words()}"
                )
            time.sleep(POLL_S)
