"""Sessions of the Brainwires framework: one SQLite file, a row a session, the messages as JSON in it.

The rule of this module: no transaction outlives one row, so that another process can go on writing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sessioncache.importers.models import SourceSession, Unreadable
from sessioncache.importers.sources.reading import (
    WHY_NO_OBJECT,
    Malformed,
    digest_of,
    streamed,
    time_from_s,
    value_from,
)
from sessioncache.types import JSONObject, check_session_id

__all__ = ["BrainwiresSource", "Conversation"]

BUSY_TIMEOUT_S: Final = 10.0
COLUMNS: Final = ("id", "payload", "message_count", "created_at", "updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation(SourceSession):
    """A row of the table."""

    messages: tuple[JSONObject, ...]


class BrainwiresSource:
    """The table `sessions` of an SQLite file, opened read-only."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            Malformed: it cannot be opened, or is not such a file.
        """
        self._path = path
        if not path.is_file():
            raise Malformed(f"{path} is no file")
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
            found = {str(row[1]) for row in self._connection.execute("PRAGMA table_info(sessions)")}
        except sqlite3.Error as error:
            raise Malformed(f"{path} cannot be read as an SQLite file: {error}") from error
        missing = [column for column in COLUMNS if column not in found]
        if missing:
            self._connection.close()
            raise Malformed(f"{path} has no table `sessions` with the columns {', '.join(missing)}")

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    async def count(self) -> int | None:
        """How many rows there are."""
        (count,) = self._connection.execute("SELECT count(*) FROM sessions").fetchone()
        return int(count)

    def sessions(self) -> AsyncIterator[Conversation | Unreadable]:
        """Every row, the oldest first."""
        return streamed(self._rows())

    def notes(self) -> list[str]:
        """Nothing else is in the file."""
        return []

    async def aclose(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self) -> Iterator[Conversation | Unreadable]:
        # Only the row numbers at once: a cursor over everything would hold its lock for as long as the import takes.
        numbers = self._connection.execute("SELECT rowid FROM sessions ORDER BY updated_at, rowid").fetchall()
        for (number,) in numbers:
            row = self._connection.execute(
                "SELECT id, payload, message_count, created_at, updated_at FROM sessions WHERE rowid = ?", (number,)
            ).fetchone()
            if row is not None:  # else it was deleted meanwhile
                yield self._read(number, row)

    def _read(self, number: int, row: tuple[object, ...]) -> Conversation | Unreadable:
        session_id, payload, count, created_at, updated_at = row
        name = f"{self._path.name}, row {session_id!r}" if session_id else f"{self._path.name}, row number {number}"
        try:
            checked = check_session_id(session_id)
            if not isinstance(payload, str | bytes):
                raise Malformed("payload is no text")
            messages = value_from(payload)
            if not isinstance(messages, list):
                raise Malformed("payload is no list of messages")
            for position, message in enumerate(messages):
                if not isinstance(message, dict):
                    raise Malformed(f"message {position} {WHY_NO_OBJECT}")
            times = time_from_s(created_at, "created_at"), time_from_s(updated_at, "updated_at")
        except ValueError as error:
            return Unreadable(name, str(error))
        differs = f"{name}: message_count says {count}, the payload holds {len(messages)}; the payload is taken"
        return Conversation(
            name=name,
            id=checked,
            origin=str(self._path.resolve()),
            digest=digest_of(messages, created_at, updated_at),
            counts={"messages": len(messages)},
            created_at=times[0],
            updated_at=times[1],
            notes=() if count == len(messages) else (differs,),
            messages=tuple(messages),
        )
