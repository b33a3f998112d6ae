"""Interrupted and repeated, overwritten and refused: what is in the store is there once, and whole or marked."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy, testing
from sessioncache.errors import BackendError, BackendUnavailable
from sessioncache.importers.formats import Format
from sessioncache.importers.run import Existing, ImportStopped, OnError
from sessioncache.wire.call import Call
from tests.engines import Engine, list_keys
from tests.engines.caches import lowest_transport
from tests.importers.made import UPDATED_S, imported, make_brainwires, turns

T = TypeVar("T")


def unreachable() -> BackendUnavailable:
    """A fault that no retry mends."""
    error = BackendUnavailable("the server went away")
    error.retryable = False  # type: ignore[misc]  # of this error alone
    return error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three sessions, one of them long."""
    return make_brainwires(tmp_path / "s.db", {"a": turns(2), "b": turns(1_100), "c": turns(3)})


async def contents(cache: AsyncSessionCache) -> dict[str, list[int]]:
    """Every session's messages by their numbers."""
    return {
        session.id: [entry.message["x_number"] async for entry in cache.transcripts.each(session.id)]
        async for session in cache.sessions.each()
    }


WHOLE = {"a": list(range(2)), "b": list(range(1_100)), "c": list(range(3))}


async def test_twice(cache: AsyncSessionCache, path: Path) -> None:
    """A second run finds everything there and writes nothing."""
    await imported(cache, Format.brainwires, path)
    before = {session.id: session.revision async for session in cache.sessions.each()}
    report = await imported(cache, Format.brainwires, path)
    assert report.tally["sessions"] == {"imported": 0, "already_there": 3, "skipped": 0, "failed": 0}
    assert report.tally["messages"]["already_there"] == 1_105
    assert (report.whole, report.verified) == (True, 0)
    assert {session.id: session.revision async for session in cache.sessions.each()} == before


async def calls_of_one_import(engine: Engine, namespace: str, path: Path) -> int:
    """How many calls an import of these sessions makes."""
    transport, settings = lowest_transport(engine, f"{namespace}c")
    recording = testing.AsyncRecordingTransport(transport)
    async with AsyncSessionCache(recording, settings) as cache:
        opened = len(recording.calls)
        await imported(cache, Format.brainwires, path)
        return len(recording.calls) - opened


@pytest.mark.engines("fakeredis", "valkey")
@pytest.mark.parametrize("kind", ["refuse", "lose_reply"])
async def test_interrupted_at_every_call(
    engine: Engine, namespace: str, cache: AsyncSessionCache, tmp_path: Path, kind: str
) -> None:
    """Wherever an import breaks off, before a call or after it was carried out, the next one ends with each once."""
    path = make_brainwires(tmp_path / "s.db", {"a": turns(2), "b": turns(3)})
    total = await calls_of_one_import(engine, namespace, path)
    assert total > 10
    for position in range(total):
        transport, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
        faulty = testing.AsyncFaultyTransport(transport)
        async with AsyncSessionCache(faulty, settings) as breaking:
            getattr(faulty.faults, kind)(skip=position, times=1_000, error=unreachable)
            with pytest.raises(BackendError):
                await imported(breaking, Format.brainwires, path)
        report = await imported(cache, Format.brainwires, path)
        assert report.whole
        assert await contents(cache) == {"a": [0, 1], "b": [0, 1, 2]}
        markers = [(await cache.documents.get(name, "import")).values["import"] for name in ("a", "b")]
        assert [marker["complete"] for marker in markers] == [True, True]
        for name in ("a", "b"):
            await cache.sessions.delete(name)


async def test_a_replayed_call(engine: Engine, namespace: str, cache: AsyncSessionCache, path: Path) -> None:
    """A driver that sends everything twice doubles nothing."""
    transport, settings = lowest_transport(engine, namespace)
    faulty = testing.AsyncFaultyTransport(transport)
    async with AsyncSessionCache(faulty, settings) as repeating:
        faulty.faults.repeat(times=100_000)
        report = await imported(repeating, Format.brainwires, path)
    assert report.whole
    assert await contents(cache) == WHOLE


async def test_deleted_and_imported_again(cache: AsyncSessionCache, path: Path) -> None:
    """A session that people delete is imported again by the next run, also at once."""
    await imported(cache, Format.brainwires, path)
    await cache.sessions.delete("b")
    report = await imported(cache, Format.brainwires, path)
    assert report.tally["sessions"] == {"imported": 1, "already_there": 2, "skipped": 0, "failed": 0}
    assert await contents(cache) == WHOLE


async def test_the_source_went_on(cache: AsyncSessionCache, path: Path) -> None:
    """A session that only changed at its source is brought up to date."""
    await imported(cache, Format.brainwires, path)
    make_brainwires(path, {"a": turns(5)}, updated_s=UPDATED_S + 60)
    report = await imported(cache, Format.brainwires, path)
    assert (report.updated, report.tally["sessions"]["already_there"], report.whole) == (1, 2, True)
    assert await contents(cache) == WHOLE | {"a": list(range(5))}


async def test_both_went_on(cache: AsyncSessionCache, path: Path) -> None:
    """One that changed on both sides is left, and said; `overwrite` takes the source's."""
    await imported(cache, Format.brainwires, path)
    make_brainwires(path, {"a": turns(5)}, updated_s=UPDATED_S + 60)
    await cache.transcripts.append("a", {"role": "user", "content": "here", "x_number": 99})
    report = await imported(cache, Format.brainwires, path)
    assert [conflict.name for conflict in report.conflicts] == ["s.db, row 'a'"]
    assert (report.whole, report.tally["sessions"]["skipped"]) == (False, 1)
    assert (await contents(cache))["a"] == [0, 1, 99]
    report = await imported(cache, Format.brainwires, path, existing=Existing.overwrite)
    assert report.whole
    assert (await contents(cache))["a"] == list(range(5))


async def test_another_source_with_the_same_ids(cache: AsyncSessionCache, path: Path, tmp_path: Path) -> None:
    """A second file with a session of the same id takes nothing from the first, though both are called alike."""
    await imported(cache, Format.brainwires, path)
    (tmp_path / "other").mkdir()
    other = make_brainwires(tmp_path / "other" / "s.db", {"a": turns(7), "c": turns(3)}, updated_s=UPDATED_S + 60)
    report = await imported(cache, Format.brainwires, other)
    assert {conflict.name for conflict in report.conflicts} == {"s.db, row 'a'", "s.db, row 'c'"}
    assert await contents(cache) == WHOLE


async def test_an_older_copy_of_the_source(cache: AsyncSessionCache, path: Path) -> None:
    """A file that was put back from a backup takes nothing away, unless it is told to."""
    await imported(cache, Format.brainwires, path)
    make_brainwires(path, {"a": turns(1)}, updated_s=UPDATED_S - 60)
    report = await imported(cache, Format.brainwires, path)
    assert [conflict.name for conflict in report.conflicts] == ["s.db, row 'a'"]
    assert await contents(cache) == WHOLE
    assert (await imported(cache, Format.brainwires, path, existing=Existing.overwrite)).whole
    assert await contents(cache) == WHOLE | {"a": [0]}


async def test_only_ours_went_on(cache: AsyncSessionCache, path: Path) -> None:
    """What was written here since the import stays, whatever is said of existing sessions."""
    await imported(cache, Format.brainwires, path)
    await cache.transcripts.append("a", {"role": "user", "content": "here", "x_number": 99})
    for existing in Existing:
        report = await imported(cache, Format.brainwires, path, existing=existing)
        assert report.tally["sessions"]["already_there"] == 3
    assert (await contents(cache))["a"] == [0, 1, 99]


async def test_a_session_of_somebody_else(cache: AsyncSessionCache, path: Path) -> None:
    """`skip` leaves it and says so, `fail` ends the import before it is touched, `overwrite` replaces it."""
    await cache.transcripts.append("b", {"role": "user", "content": "mine", "x_number": -1})
    report = await imported(cache, Format.brainwires, path)
    assert [conflict.why for conflict in report.conflicts] == [
        "session 'b' is there already, and not from an import of this source"
    ]
    assert await contents(cache) == WHOLE | {"b": [-1]}
    with pytest.raises(ImportStopped, match="--existing skip leaves such sessions"):
        await imported(cache, Format.brainwires, path, existing=Existing.fail)
    assert await contents(cache) == WHOLE | {"b": [-1]}
    assert (await imported(cache, Format.brainwires, path, existing=Existing.overwrite)).whole
    assert await contents(cache) == WHOLE


async def test_a_dry_run_writes_nothing(engine: Engine, cache: AsyncSessionCache, path: Path) -> None:
    """It says what would happen, and the keys are those from before."""
    await cache.transcripts.append("b", {"role": "user", "content": "mine", "x_number": -1})
    before = {key.name for key in list_keys(engine)}
    revision = (await cache.documents.get("b")).revision
    report = await imported(cache, Format.brainwires, path, dry_run=True)
    assert report.tally["sessions"] == {"imported": 2, "already_there": 0, "skipped": 1, "failed": 0}
    assert (report.dry_run, report.verified) == (True, 0)
    assert {key.name for key in list_keys(engine)} == before
    assert (await cache.documents.get("b")).revision == revision


async def test_what_the_store_would_refuse(engine: Engine, namespace: str, tmp_path: Path) -> None:
    """A message that is too large is found by a dry run, and by a run before it writes anything of the session."""
    big = make_brainwires(tmp_path / "big.db", {"big": [{"role": "user", "content": "x" * 3_000}], "ok": turns(1)})
    transport, settings = lowest_transport(engine, namespace, entry_bytes_max=2_000)
    async with AsyncSessionCache(transport, settings) as cache:
        for dry_run in (True, False):
            report = await imported(cache, Format.brainwires, big, on_error=OnError.skip, dry_run=dry_run)
            assert [problem.name for problem in report.problems] == ["big.db, row 'big'"]
            assert report.tally["sessions"]["imported"] == 1
        assert not await cache.sessions.exists("big")


async def test_a_quota(cache: AsyncSessionCache, path: Path) -> None:
    """A session that is larger than its quota is named and leaves nothing behind; the others come over."""
    await cache.retention.save(RetentionPolicy(quota_messages=1_000))
    report = await imported(cache, Format.brainwires, path, on_error=OnError.skip)
    assert [problem.name for problem in report.problems] == ["s.db, row 'b'"]
    assert await contents(cache) == {"a": [0, 1], "c": [0, 1, 2]}


async def test_somebody_writes_meanwhile(engine: Engine, namespace: str, cache: AsyncSessionCache, path: Path) -> None:
    """Foreign messages between the save and its check fail the session, which stays marked as unfinished."""

    class Busy(testing.AsyncFaultyTransport):
        """Has somebody append to session a once its transcript is saved."""

        async def call(self, call: Call[T]) -> T:
            answer = await super().call(call)
            if call.name == "transcripts.save" and not (await cache.transcripts.list("a")).count > 2:
                await cache.transcripts.append("a", {"role": "user", "content": "now", "x_number": 7})
            return answer

    transport, settings = lowest_transport(engine, namespace)
    async with AsyncSessionCache(Busy(transport), settings) as busy:
        report = await imported(busy, Format.brainwires, path, on_error=OnError.skip)
    assert [problem.name for problem in report.problems] == ["s.db, row 'a'"]
    assert "has 3 messages in the store, and 2 messages at its source" in report.problems[0].why
    assert (await cache.documents.get("a", "import")).values["import"]["complete"] is False


async def test_progress(cache: AsyncSessionCache, path: Path) -> None:
    """Each session is a step, and the source says how many there are."""
    from sessioncache.importers.formats import source_of, target_of
    from sessioncache.importers.run import Import

    steps: list[int] = []
    async with aclosing(source_of(Format.brainwires, path)) as source:
        total = await source.count()
        work: Import[Any] = Import(source, target_of(Format.brainwires, cache), cache, form="brainwires")
        await work.run(lambda: steps.append(1))
    assert (total, len(steps)) == (3, 3)
