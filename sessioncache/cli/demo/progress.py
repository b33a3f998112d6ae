"""What is shown while the demonstration runs: bars on a terminal, a line a stage elsewhere, nothing under `--json`.

The rule of this module: it shows and counts nothing itself.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sessioncache.cli.output import Output

__all__ = ["Stages"]

STEPS = 4


class Stages:
    """The stages of one demonstration."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said: set[str] = set()
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=output.console,
            disable=not output.live,
        )
        self._messages = self._progress.add_task("agents write messages", total=None)
        self._edits = self._progress.add_task("the person edits", total=None)
        self._swept = self._progress.add_task("the worker sweeps", total=None, visible=False)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()

    def replayed(self, messages: int, total: int, edits: int) -> None:
        """So many messages of all are written, and so many edits made."""
        self._progress.update(self._messages, completed=messages, total=total)
        self._progress.update(self._edits, completed=edits)
        self._say_once(f"{messages * STEPS // total * (100 // STEPS)} % of {total:,} messages written")

    def reading(self) -> None:
        """Everything is written and is read back."""
        completed = self._progress.tasks[self._edits].completed
        self._progress.update(self._edits, total=completed)
        self._say_once("reading everything back through a new client")
        if self._output.live:
            self._progress.console.print("reading everything back through a new client")

    def swept(self, swept: int, total: int) -> None:
        """So many of the short-lived sessions are swept."""
        self._progress.update(self._swept, completed=swept, total=total, visible=True)
        if swept in {0, total}:
            self._say_once(f"{swept} of {total} expired sessions swept by the worker")

    def _say_once(self, text: str) -> None:
        if not self._output.live and text not in self._said:
            self._said.add(text)
            self._output.say(text)
