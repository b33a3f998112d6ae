"""Rows of an SQLite file become transcripts, whole, once, with their times."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.importers.formats import Format
from sessioncache.importers.run import ImportStopped, OnError
from sessioncache.importers.sources.brainwires import BrainwiresSource
from sessioncache.importers.sources.reading import Malformed
from sessioncache.stores.transcript_async import AsyncTranscriptStore
from tests.importers.made import CREATED_S, UPDATED_S, imported, make_brainwires, turns


async def test_everything_comes_over(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """Each row is a transcript of the same messages, with the time of its last update; the marker keeps the other."""
    path = make_brainwires(tmp_path / "s.db", {"user-42": turns(3), "discord:1{*}": [], "ü": turns(1)})
    report = await imported(cache, Format.brainwires, path)
    assert (report.tally["sessions"]["imported"], report.tally["messages"]["imported"]) == (3, 4)
    assert (report.verified, report.whole, report.notes) == (3, True, [])
    loaded = await AsyncTranscriptStore(cache).load("user-42")
    assert loaded is not None
    assert [message.model_dump(mode="json") for message in loaded] == turns(3)
    assert await AsyncTranscriptStore(cache).load("discord:1{*}") == []
    session = await cache.sessions.get("user-42")
    assert session is not None
    assert session.updated_at == datetime.fromtimestamp(UPDATED_S, UTC)
    marker = (await cache.documents.get("user-42", "import")).values["import"]
    assert (marker["complete"], marker["created_at"]) == (True, datetime.fromtimestamp(CREATED_S, UTC).isoformat())


async def test_a_long_transcript(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """More than a thousand messages come over in their order."""
    path = make_brainwires(tmp_path / "s.db", {"long": turns(1_234)})
    report = await imported(cache, Format.brainwires, path)
    assert (report.verified, report.tally["messages"]["imported"]) == (1, 1_234)
    assert [entry.message["x_number"] async for entry in cache.transcripts.each("long")] == list(range(1_234))


@pytest.mark.parametrize(
    "payload,why",
    [
        ("[", "is no JSON"),
        ("{}", "payload is no list of messages"),
        ("[1]", "message 0 is no JSON object"),
        ('[{"role": "user", "content": NaN}]', "holds NaN"),
        ('[{"content": "nobody says so"}]', "role"),
        ('[{"role": "user", "content": "\\ud800"}]', "lone surrogate"),
    ],
)
async def test_a_bad_row_is_named(cache: AsyncSessionCache, tmp_path: Path, payload: str, why: str) -> None:
    """It stops the import, which names row and reason; with `skip` the others come over and it is counted."""
    path = make_brainwires(tmp_path / "s.db", {"good": turns(2), "bad one": payload, "last": turns(1)})
    with pytest.raises(ImportStopped, match=r"s\.db, row 'bad one'.*--on-error skip") as stopped:
        await imported(cache, Format.brainwires, path)
    assert why in str(stopped.value)
    assert not await cache.sessions.exists("last")
    report = await imported(cache, Format.brainwires, path, on_error=OnError.skip)
    assert report.tally["sessions"] == {"imported": 1, "already_there": 1, "skipped": 0, "failed": 1}
    assert [problem.name for problem in report.problems] == ["s.db, row 'bad one'"]
    assert not report.whole
    assert not await cache.sessions.exists("bad one")


async def test_an_empty_id(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """A row whose id no session can have is named by its number."""
    path = make_brainwires(tmp_path / "s.db", {"": turns(1)})
    report = await imported(cache, Format.brainwires, path, on_error=OnError.skip)
    assert [problem.name for problem in report.problems] == ["s.db, row number 1"]


async def test_a_count_that_is_wrong(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """The payload is right, the column beside it is noted."""
    path = make_brainwires(tmp_path / "s.db", {"s": '[{"role": "user", "content": "hi"}]'})
    report = await imported(cache, Format.brainwires, path)
    assert report.whole
    assert report.tally["messages"]["imported"] == 1
    assert "message_count says" in report.notes[0]


async def test_another_process_goes_on_writing(tmp_path: Path) -> None:
    """Between two rows nothing is locked, and a row that goes meanwhile is passed over."""
    path = make_brainwires(tmp_path / "s.db", {"a": turns(1), "b": turns(1), "c": turns(1)})
    source = BrainwiresSource(path)
    rows = source.sessions()
    first = await anext(rows)
    with sqlite3.connect(path, timeout=0.1) as writer:
        writer.execute("DELETE FROM sessions WHERE id = 'b'")
    writer.close()
    rest = [row.name async for row in rows]
    await source.aclose()
    assert (first.name, rest) == ("s.db, row 'a'", ["s.db, row 'c'"])


@pytest.mark.parametrize("content", [None, b"no database, and long enough to be told from one" * 30, b""])
def test_no_such_file(tmp_path: Path, content: bytes | None) -> None:
    """What is no such file is refused with its path."""
    path = tmp_path / "s.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Malformed, match=r"s\.db"):
        BrainwiresSource(path)
