"""Folders of a runtime become runtime sessions, with title, pin, versions, messages and usage."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.importers.formats import Format
from sessioncache.importers.run import ImportStopped, OnError
from sessioncache.importers.sources.bamboo import BambooSource
from sessioncache.importers.sources.reading import Malformed
from sessioncache.stores.runtime_async import AsyncRuntimePersistence
from tests.importers.made import imported

UPDATED = "2026-02-03T04:05:06.123456789Z"


def session(name: str, **more: Any) -> dict[str, Any]:
    """A session as Bamboo writes it, with a field that no model declares."""
    return {
        "id": name,
        "title": f"About {name}",
        "pinned": True,
        "kind": "root",
        "root_session_id": name,
        "spawn_depth": 0,
        "messages": [
            {"id": f"{name}-{n}", "role": "user", "content": f"m{n}", "created_at": UPDATED, "x": n} for n in range(2)
        ],
        "created_at": "2026-02-01T00:00:00Z",
        "updated_at": UPDATED,
        "model": "m-1",
        "metadata": {"gold_config": "{}", "note": "n"},
        "agent_runtime_state": {"bypass_permissions": True, "round": 3},
        "x_later": {"kept": True},
    } | more


def write(
    folder: Path, record: dict[str, Any], *, sidecar: dict[str, Any] | str | None = None, usage: str | None = None
) -> None:
    """One session's folder."""
    folder.mkdir(parents=True)
    (folder / "session.json").write_text(json.dumps(record), encoding="utf-8")
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        (folder / "runtime.json").write_text(text, encoding="utf-8")
    if usage is not None:
        (folder / "token-usage.jsonl").write_text(usage, encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A root with its child; the index is damaged."""
    newer = session("root", title="Renamed", title_version=2, metadata_version=3, messages=[])
    write(
        tmp_path / "sessions" / "root",
        session("root"),
        sidecar=newer,
        usage='{"model": "m-1", "input_tokens": 5}\n{"model": "m-1", "input_tokens": 7}\n{"model": "m-',
    )
    child = session("kid", kind="child", parent_session_id="root", root_session_id="root", spawn_depth=1)
    write(tmp_path / "sessions" / "root" / "children" / "kid", child, sidecar="{torn")
    (tmp_path / "sessions" / "root" / "attachments").mkdir()
    (tmp_path / "sessions" / "root" / "attachments" / "a.png").write_bytes(b"x")
    (tmp_path / "sessions.json").write_text("{damaged", encoding="utf-8")
    return tmp_path


async def test_everything_comes_over(cache: AsyncSessionCache, home: Path) -> None:
    """The sidecar wins for all but the messages; a torn end of the log is left out and noted."""
    report = await imported(cache, Format.bamboo, home)
    assert report.tally["sessions"]["imported"] == report.verified == 2
    assert report.tally["messages"]["imported"] == 4
    assert report.tally["usage"] == {"imported": 2, "already_there": 0, "skipped": 1, "failed": 0}
    assert report.whole
    told = "\n".join(report.notes)
    for text in ("the end of the file is torn off", "kid/runtime.json is no JSON", "sessions.json is no JSON", "1 att"):
        assert text in told
    store = AsyncRuntimePersistence(cache)
    root, kid = await store.load("root"), await store.load("kid")
    assert root is not None
    assert kid is not None
    assert (root.title, root.title_version, root.metadata_version, root.pinned) == ("Renamed", 2, 3, True)
    assert [message.model_dump()["x"] for message in root.messages] == [0, 1]
    assert (root.metadata, root.agent_runtime_state) == (
        {"gold_config": "{}", "note": "n"},
        {"bypass_permissions": True, "round": 3},
    )
    assert (root.model_extra or {})["x_later"] == {"kept": True}
    assert (kid.title, kid.title_version, kid.parent_session_id, kid.kind) == ("About kid", 0, "root", "child")
    assert root.updated_at == datetime(2026, 2, 3, 4, 5, 6, 123_000, UTC)
    assert [entry.payload.decode() for entry in (await cache.usage.list("root")).items] == [
        '{"model": "m-1", "input_tokens": 5}',
        '{"model": "m-1", "input_tokens": 7}',
    ]


async def test_twice(cache: AsyncSessionCache, home: Path) -> None:
    """A second run adds no message and no line."""
    await imported(cache, Format.bamboo, home)
    report = await imported(cache, Format.bamboo, home)
    assert (report.tally["sessions"]["already_there"], report.tally["usage"]["already_there"]) == (2, 2)
    assert await cache.usage.count("root") == 2


async def test_many_messages_and_lines(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """More than a thousand of each come over in their order."""
    messages = [{"role": "user", "content": f"m{n}"} for n in range(1_100)]
    usage = "".join(f'{{"n": {n}}}\n' for n in range(1_100))
    write(tmp_path / "sessions" / "long", session("long", messages=messages), usage=usage)
    report = await imported(cache, Format.bamboo, tmp_path)
    assert (report.verified, report.whole) == (1, True)
    assert [entry.message["content"] async for entry in cache.transcripts.each("long")] == [
        message["content"] for message in messages
    ]
    assert [json.loads(entry.payload)["n"] async for entry in cache.usage.each("long")] == list(range(1_100))


async def test_a_policy_that_keeps_fewer(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """Where the namespace keeps only the newest lines, those are imported, and the others are noted as left out."""
    await cache.retention.save(RetentionPolicy(keep_usage=3))
    write(tmp_path / "sessions" / "s", session("s"), usage="".join(f'{{"n": {n}}}\n' for n in range(7)))
    report = await imported(cache, Format.bamboo, tmp_path)
    assert (report.whole, report.verified) == (True, 1)
    assert report.tally["usage"] == {"imported": 3, "already_there": 0, "skipped": 4, "failed": 0}
    assert report.notes == ["sessions/s: by the retention policy the oldest 4 usage are not kept"]
    assert [json.loads(entry.payload)["n"] async for entry in cache.usage.each("s")] == [4, 5, 6]


async def test_a_bad_line(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """A damaged line within the log is named; with `skip` the session comes over without it."""
    write(tmp_path / "sessions" / "s", session("s"), usage='{"n": 1}\nnonsense\n{"n": 3}')
    with pytest.raises(ImportStopped, match=r"sessions/s/token-usage\.jsonl, line 2"):
        await imported(cache, Format.bamboo, tmp_path)
    report = await imported(cache, Format.bamboo, tmp_path, on_error=OnError.skip)
    assert report.tally["usage"] == {"imported": 2, "already_there": 0, "skipped": 0, "failed": 1}
    assert report.tally["sessions"]["imported"] == 1
    assert not report.whole


@pytest.mark.parametrize(
    "record,why",
    [
        (session("other"), "its folder is 's'"),
        (session("s", messages=7), "messages is no list"),
        (session("s", messages=[{"content": "nobody"}]), "role"),
        (session("s", updated_at="yesterday"), "updated_at is no ISO 8601 time"),
        (session("s", title_version=-1), "title_version"),
    ],
)
async def test_bad_sessions(cache: AsyncSessionCache, tmp_path: Path, record: dict[str, Any], why: str) -> None:
    """A session that cannot be imported is named by its folder, and nothing of it is written."""
    write(tmp_path / "sessions" / "s", record)
    report = await imported(cache, Format.bamboo, tmp_path, on_error=OnError.skip)
    assert [problem.name for problem in report.problems] == ["sessions/s"]
    assert why in report.problems[0].why
    assert not await cache.sessions.exists("s")


async def test_the_index_names_what_is_gone(tmp_path: Path) -> None:
    """Sessions that only the index knows are noted; without an index nothing is said."""
    write(tmp_path / "sessions" / "s", session("s"))
    assert BambooSource(tmp_path).notes() == []
    index = {"version": 2, "sessions": {"s": {}, "gone": {}}}
    (tmp_path / "sessions.json").write_text(json.dumps(index), encoding="utf-8")
    assert BambooSource(tmp_path).notes() == ["sessions.json lists 1 sessions that have no session.json any more: gone"]
    assert await BambooSource(tmp_path / "sessions").count() == 1
    with pytest.raises(Malformed):
        BambooSource(tmp_path / "nowhere")
