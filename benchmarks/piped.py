"""A process that answers lines with lines, and ends when nobody can write to it any more.

The rule of this module: it carries lines and knows none of them. What a broken pipe means is said by those who speak.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["Piped"]

ROOT: Final = Path(__file__).resolve().parents[1]
END_LIMIT_S: Final = 10


class Piped:
    """Such a process, from outside: `with Piped(…) as process`."""

    def __init__(self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """Start it in the repository.

        Args:
            command: the program and its arguments.
            environment: all of it; None: this process's own.
        """
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def _tell(self, line: str) -> None:
        """Write it a line.

        Raises:
            BrokenPipeError: it has ended.
        """
        if self._process.stdin is None:
            raise BrokenPipeError
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        """Wait for its next line; empty: it has ended."""
        return self._process.stdout.readline() if self._process.stdout is not None else ""

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    def end(self) -> None:
        """Its standard input ends, and so does it. Once more is allowed."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already
                self._process.stdin.close()
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
