"""The data folder of a private server, and who may start a server on it.

The rule of this module: at most one server on a folder at any time, decided by locks of the kernel, never by a pid.

```
<folder>/owner.lock     locked by the process that started the server   ── held: "somebody's, keep off"
<folder>/server.lock    locked by the server process itself (inherited) ── held: "a server still runs"
<folder>/running.json   pid and port of that server and pid of its owner, for messages and for cleaning up
<folder>/server.conf  server.log  appendonlydir/ …                         the server's own files
```

What the two locks tell a newcomer:

* owner held: another process (or another object of this one) runs a server here: ConfigurationError naming it.
* owner free, server held: the owner was killed and its server is still there, perhaps just saving. It is *shut down
  cleanly* (SIGTERM, which saves; SIGKILL after a while), not adopted: its options may not be those asked for now.
* both free: start. After a crash, running.json may still lie here and is ignored.

A lock vanishes with its process, so a reused pid can neither block a folder nor be killed by mistake.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sessioncache.errors import ConfigurationError

__all__ = ["DataFolder", "Running"]

STALE_SAVE_S: Final = 10.0
"""How long a server whose owner died may take to save and go, before it is killed."""


@dataclass(frozen=True, slots=True)
class Running:
    """What running.json says about the server on a folder."""

    pid: int
    port: int
    owner: int


class DataFolder:
    """One folder with its two locks."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._owner_lock: int | None = None

    def claim(self) -> int:
        """Become the folder's owner, and return the locked descriptor that the server process must inherit.

        The caller closes the descriptor once the server has it. An owner may claim again: that is a restart.

        Raises:
            ConfigurationError: Another owner, or the folder cannot be used.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._owner_lock is None:
                self._owner_lock = self._lock("owner.lock")
            if self._owner_lock is None:
                raise ConfigurationError(self._describe_owner())
            server_lock = self._lock_server()
        except OSError as error:
            self.release()
            raise ConfigurationError(f"data folder {self.path} cannot be used: {error}") from error
        self.forget()
        return server_lock

    def note(self, pid: int, port: int) -> None:
        """Write down which server runs here."""
        draft = self.path / "running.json.new"
        draft.write_text(json.dumps(asdict(Running(pid, port, os.getpid()))) + "\n")
        draft.replace(self._running_file)

    def running(self) -> Running | None:
        """What was written down, if anything; it may be out of date."""
        try:
            return Running(**json.loads(self._running_file.read_text()))
        except (FileNotFoundError, TypeError, ValueError):
            return None

    def forget(self) -> None:
        """The server has ended: nothing runs here."""
        self._running_file.unlink(missing_ok=True)

    def release(self) -> None:
        """Let others have the folder."""
        if self._owner_lock is not None:
            os.close(self._owner_lock)
            self._owner_lock = None

    @property
    def _running_file(self) -> Path:
        return self.path / "running.json"

    def _lock(self, name: str) -> int | None:
        """Lock one of the files; None if somebody has it."""
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return None
            raise
        return descriptor

    def _lock_server(self) -> int:
        """Lock on behalf of the server to be started; first end one whose owner died."""
        stale: Running | None = None
        for ending in (None, signal.SIGTERM, signal.SIGKILL):
            stale = self.running()
            if ending is not None and stale is not None:
                _signal(stale.pid, ending)
            deadline = time.monotonic() + (0 if ending is None else STALE_SAVE_S)
            while True:
                lock = self._lock("server.lock")
                if lock is not None:
                    return lock
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.02)
        held_by = "unknown pid" if stale is None else f"pid {stale.pid}, port {stale.port}"
        self.release()
        raise ConfigurationError(
            f"data folder {self.path} is held by a server whose owner has died ({held_by}) and that does not end; "
            "end it by hand"
        )

    def _describe_owner(self) -> str:
        running = self.running()
        if running is None:
            return f"data folder {self.path} is in use by another process that is just starting a server on it"
        return (
            f"data folder {self.path} is in use: the server with pid {running.pid} on port {running.port}, started by "
            f"pid {running.owner}, holds it; connect to that one, stop it, or choose another folder"
        )


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a server that holds server.lock; waking it first, as a stopped one would never get the news."""
    for each in (signal.SIGCONT, number):
        try:
            os.kill(pid, each)
        except ProcessLookupError:
            return
