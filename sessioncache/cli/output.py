"""What is printed: tables and colour for people, one JSON object a line for programs, errors in one sentence.

The rule of this module: nothing that came from Redis reaches a terminal unescaped, and under `--json` nothing but JSON
reaches stdout.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

__all__ = ["Output", "ago_text", "bytes_text", "duration_text", "hide_password", "plain", "safe", "time_text"]

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that move the cursor, change colours, reorder text or show nothing."""

KIB = 1_024
PIPE_WIDTH = 200
FIRST_COLUMN_WIDTH = 14


def safe(text: object, *, limit: int | None = None) -> str:
    r"""Text fit for a terminal: characters that could move the cursor or hide become `\x1b`, `\u202e` and so on.

    Args:
        text: what to show.
        limit: longest text; what is cut off is marked by `…`.
    """
    shown = "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in INVISIBLE else character
        for character in str(text)
    )
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """The value in words of JSON: models and dataclasses become objects, times ISO 8601 text."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def hide_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    return url if parts.password is None else url.replace(f":{parts.password}@", ":***@", 1)


def time_text(value: datetime | None) -> str:
    """A time as people read it, in this machine's zone."""
    return "never" if value is None else value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago_text(value: datetime | None) -> str:
    """A time as a distance from now: `3 s ago`, `in 6.9 d`."""
    if value is None:
        return "never"
    distance_ms = round((value - datetime.now(UTC)).total_seconds() * 1000)
    text = duration_text(abs(distance_ms), digits=2)
    return f"in {text}" if distance_ms > 0 else f"{text} ago"


def bytes_text(value: int) -> str:
    """A size in the unit that keeps it short."""
    size = float(value)
    for unit in ("B", "KiB", "MiB"):
        if size < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} GiB"


def duration_text(milliseconds: int, *, digits: int = 4) -> str:
    """A length of time in the unit that keeps it short."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if milliseconds >= size:
            value = milliseconds / size
            return f"{value:.0f} {unit}" if value >= 10**digits else f"{value:.{digits}g} {unit}"
    return f"{milliseconds} ms"


class Screen(Console):
    """A console whose reader may have seen enough: no failure of the command, as rich would have it."""

    def on_broken_pipe(self) -> None:
        """The other end of the pipe is closed."""
        raise BrokenPipeError


class Output:
    """Where a command prints to."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # A pipe has no width; wrapping at 80 columns would part what a program, or grep, looks for.
        width = None if sys.stdout.isatty() else PIPE_WIDTH
        self.console = Screen(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)
        self.errors = Screen(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def live(self) -> bool:
        """Whether somebody watches, so that progress bars make sense."""
        return self.console.is_terminal and not self.as_json

    def emit(self, value: object) -> None:
        """One JSON object on a line of its own, and out at once."""
        self.write(json.dumps(plain(value), ensure_ascii=True) + "\n")

    def write(self, text: str) -> None:
        """Text as it is, and out at once."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            # Without its number, which typer would take for a failure of the command.
            raise BrokenPipeError from None

    def say(self, text: str, style: str = "") -> None:
        """A line for people; not under `--json`."""
        if not self.as_json:
            self.console.print(Text(text, style=style))

    def note(self, text: str) -> None:
        """A line beside the answer, on stderr."""
        self.errors.print(Text(text, style="dim"))

    def bar(self, behind: ProgressColumn | None = None) -> Progress:
        """A bar on stderr where somebody watches, which goes when its work is done; behind it how much that is."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            behind or MofNCompleteColumn(),
            console=self.errors,
            disable=not self.live,
            transient=True,
        )

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
        """A table for people; a column whose name begins with `#` holds numbers."""
        table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
        table.show_header = any(columns)
        for column in columns:
            numbers = column.startswith("#")
            # What people copy stands first, and is the last to be folded.
            width = None if numbers or table.columns else FIRST_COLUMN_WIDTH
            justify: Literal["right", "left"] = "right" if numbers else "left"
            table.add_column(column.removeprefix("#"), justify=justify, overflow="fold", min_width=width)
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(safe(cell)) for cell in row))
        self.console.print(table, soft_wrap=False)

    def pairs(self, pairs: Mapping[str, object], *, title: str | None = None) -> None:
        """Names and values, one a line."""
        if title is not None:
            self.say(title, "bold")
        width = max(map(len, pairs), default=0)
        for name, value in pairs.items():
            self.console.print(Text.assemble((f"{name:<{width}}  ", "cyan"), safe(value)))

    def warn(self, text: str) -> None:
        """A warning on stderr."""
        if self.as_json:
            sys.stderr.write(json.dumps({"warning": text}) + "\n")
        else:
            self.errors.print(Text.assemble(("warning: ", "yellow"), safe(text)))

    def fail(self, text: str, *, code: str, exit_code: int) -> None:
        """The one sentence that an error prints on stderr; where that cannot be written to, the code has to do."""
        with suppress(OSError):
            if self.as_json:
                sys.stderr.write(json.dumps({"error": code, "message": text, "exit_code": exit_code}) + "\n")
            else:
                lines = "\n".join(safe(line) for line in text.splitlines())
                self.errors.print(Text.assemble(("error: ", "bold red"), lines))
