"""Small made-up sources in the formats of other stores, and runs of an import."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from sessioncache import AsyncSessionCache
from sessioncache.importers.formats import Format, source_of, target_of
from sessioncache.importers.report import Report
from sessioncache.importers.run import Existing, Import, OnError

CREATED_S = 1_700_000_000
UPDATED_S = 1_700_003_600


def turns(count: int) -> list[dict[str, Any]]:
    """Messages of two speakers by turns, with a field that no model declares."""
    return [
        {"role": "assistant" if number % 2 else "user", "content": f"turn {number} é", "x_number": number}
        for number in range(count)
    ]


def make_brainwires(path: Path, sessions: dict[str, Sequence[Any] | str], *, updated_s: int = UPDATED_S) -> Path:
    """An SQLite file with these sessions; a text stands for a payload as it is."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, payload TEXT NOT NULL,"
            " message_count INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)"
        )
        for number, (name, messages) in enumerate(sessions.items()):
            payload = messages if isinstance(messages, str) else json.dumps(messages)
            connection.execute(
                "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)",
                (name, payload, len(messages), CREATED_S, updated_s + number),
            )
    connection.close()
    return path


async def imported(
    cache: AsyncSessionCache,
    form: Format,
    path: Path | None,
    *,
    existing: Existing = Existing.skip,
    on_error: OnError = OnError.stop,
    dry_run: bool = False,
    **source: Any,
) -> Report:
    """One import from its start to its end."""
    async with aclosing(source_of(form, path, **source)) as opened:
        target = target_of(form, cache)
        work: Import[Any] = Import(
            opened, target, cache, form=form, existing=existing, on_error=on_error, dry_run=dry_run
        )
        return await work.run()
