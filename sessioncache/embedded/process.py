"""The server's process: started, watched and ended.

The rule of this module: the server lives in its own process group and never outlives its owner for long.

* Own process group: Ctrl-C in the terminal reaches the program, not the server, so a client can finish its writes.
* The owner ends normally: `atexit` of server.py stops the server, which saves.
* The owner is killed, even by SIGKILL: a watcher (`/bin/sh`, sleeping in `read`) holds the read end of a pipe whose
  write end only the owner has. The kernel closes that end, `read` returns, and the watcher sends the server SIGTERM,
  upon which it saves and goes. PR_SET_PDEATHSIG was not taken: it is bound to the *thread* that started the server,
  needs code between fork and exec, and is Linux only. A child that the owner forked without exec holds the pipe as
  well, so then the server lives as long as that child. Should the watcher die too, the next start on the folder cleans
  up (folder.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sessioncache.errors import ConfigurationError

__all__ = ["ServerProcess"]

_WATCHER: Final = """trap '' HUP INT QUIT; read -r word; [ "$word" = done ] || { kill -CONT "$1"; kill -TERM "$1"; }"""
"""Reads "done" when the server was ended in good order, and the end of file when the owner has died."""

_SHELL: Final = "/bin/sh"


class ServerProcess:
    """One run of the server."""

    def __init__(self, argv: Sequence[str], *, folder: Path, log: Path, lock: int) -> None:
        """Start it.

        Args:
            argv: The command line.
            folder: Its working directory.
            log: File that takes what it writes to stdout and stderr.
            lock: Descriptor of the folder's server.lock, which it inherits.
        """
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                pass_fds=(lock,),
                process_group=0,
            )
        try:
            self._watcher = subprocess.Popen(
                [_SHELL, "-c", _WATCHER, "sessioncache-watcher", str(self.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            self._server.kill()
            self._server.wait()
            raise ConfigurationError(f"the embedded server needs {_SHELL} for its watcher: {error}") from error

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._server.pid

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._server.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended does not mind."""
        self._server.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False if it has not within the time."""
        try:
            self._server.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def dismiss_watcher(self) -> None:
        """After the end of the server: end its watcher too."""
        pipe = self._watcher.stdin
        if pipe is not None and not pipe.closed:
            try:
                os.write(pipe.fileno(), b"done\n")
            except BrokenPipeError:
                # Somebody ended the watcher; there is nobody left to dismiss.
                self._watcher.kill()
            pipe.close()
        self._watcher.wait()
