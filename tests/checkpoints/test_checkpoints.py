"""Checkpoints belong to a session, and are found without it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sessioncache import AsyncSessionCache, DecodeError, InvalidArgument, RetentionPolicy, SessionTorn
from sessioncache.testing import AsyncRecordingTransport
from tests.engines import Engine
from tests.engines.caches import lowest_transport
from tests.engines.raw import client_for


async def test_a_checkpoint_is_read_back(cache: AsyncSessionCache) -> None:
    """What was saved under an id is answered by session and id, with the time of the save."""
    saved = await cache.checkpoints.save("s", "c1", {"n": 1})
    assert (saved.created, saved.count) == (True, 1)
    found = await cache.checkpoints.get("s", "c1")
    assert found is not None
    assert (found.id, found.session_id, found.snapshot) == ("c1", "s", {"n": 1})
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.updated_at is not None
    # A server may look at its clock twice in one script.
    assert timedelta() <= found.saved_at - session.updated_at < timedelta(minutes=1)
    assert await cache.checkpoints.get("s", "c2") is None
    assert await cache.checkpoints.get("unknown", "c1") is None


async def test_an_id_is_replaced_in_its_place(cache: AsyncSessionCache) -> None:
    """Saving an id again replaces the snapshot and keeps its place in the list."""
    for name in ("a", "b", "c"):
        await cache.checkpoints.save("s", name, {"n": name})
    await cache.checkpoints.save("s", "a", {"n": "new"})
    found = await cache.checkpoints.list("s")
    assert [one.snapshot["n"] for one in found] == ["new", "b", "c"]
    assert [one.id for one in await cache.checkpoints.list("s", last=2)] == ["b", "c"]
    assert await cache.checkpoints.list("unknown") == []


async def test_the_policy_says_how_many_are_kept(cache: AsyncSessionCache) -> None:
    """With keep_checkpoints, the oldest ones go, and are not found any more."""
    await cache.retention.save(RetentionPolicy(keep_checkpoints=2))
    for name in ("a", "b", "c"):
        await cache.checkpoints.save("s", name, {"n": name})
    assert [one.id for one in await cache.checkpoints.list("s")] == ["b", "c"]
    assert await cache.checkpoints.find("a") is None
    assert [one.id for one in await cache.checkpoints.list_all()] == ["b", "c"]


async def test_a_checkpoint_is_found_without_its_session(cache: AsyncSessionCache) -> None:
    """An id alone finds the checkpoint, in whichever shard its session lies."""
    for number in range(12):
        await cache.checkpoints.save(f"s:{number}", f"c{number}", number)
    for number in range(12):
        found = await cache.checkpoints.find(f"c{number}")
        assert found is not None
        assert (found.session_id, found.snapshot) == (f"s:{number}", number)
    assert await cache.checkpoints.find("c") is None


async def test_of_one_id_in_several_sessions_the_last_saved_is_found(cache: AsyncSessionCache) -> None:
    """One id under several sessions: find and list_all answer the one that the server took last."""
    start = 1_900_000_000_000
    try:
        for step, session in enumerate(("b", "c", "a", "b", "d")):
            cache.keys.now_override_ms = start + step
            await cache.checkpoints.save(session, "same", {"step": step})
            found = await cache.checkpoints.find("same")
            assert found is not None
            assert (found.session_id, found.snapshot) == (session, {"step": step})
        page = await cache.checkpoints.list_all()
        assert [(one.session_id, one.snapshot["step"]) for one in page] == [("d", 4)]
        await cache.checkpoints.delete("d", "same")
        found = await cache.checkpoints.find("same")
        assert found is not None
        assert found.session_id == "b"
    finally:
        cache.keys.now_override_ms = None


async def test_saves_of_one_millisecond_are_told_apart(cache: AsyncSessionCache) -> None:
    """Saves that follow each other at once, under different sessions: the last one is found, each time."""
    for number in range(30):
        await cache.checkpoints.save(f"s{number * 7 % 30}", "same", number)
        found = await cache.checkpoints.find("same")
        assert found is not None
        assert found.snapshot == number


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
async def test_pages_over_all_sessions_are_complete(cache: AsyncSessionCache, limit: int) -> None:
    """Pages of any size list each id exactly once, in the order of the ids."""
    names = [f"c{number:02}" for number in range(17)] + ["ä", "\U0001f600", "C", "c"]
    for number, name in enumerate(names):
        await cache.checkpoints.save(f"s{number % 5}", name, name)
        await cache.checkpoints.save("one more", name, name)
    found: list[str] = []
    cursor = None
    while True:
        page = await cache.checkpoints.list_all(limit=limit, cursor=cursor)
        assert len(page) <= limit
        found += [one.id for one in page]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == sorted(names, key=str.encode)
    assert [one.id async for one in cache.checkpoints.each_all(batch=limit)] == found


async def test_a_deleted_session_takes_its_checkpoints_along(cache: AsyncSessionCache, engine: Engine) -> None:
    """After a delete, or past the deadline, no lookup answers the session's checkpoints, and no row is left."""
    await cache.checkpoints.save("gone", "c1", 1)
    await cache.checkpoints.save("past", "c2", 2)
    await cache.checkpoints.save("here", "c3", 3)
    await cache.retention.update("past", ttl_ms=60_000)
    await cache.retention.update("here", ttl_ms=0)
    assert await cache.sessions.delete("gone")
    session = await cache.sessions.get("past")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 1
    try:
        assert await cache.checkpoints.find("c1") is None
        assert await cache.checkpoints.find("c2") is None
        assert [one.id for one in await cache.checkpoints.list_all()] == ["c3"]
        assert await cache.checkpoints.list("past") == []
    finally:
        cache.keys.now_override_ms = None
    links = cache.keys.session("gone").shard.links
    with client_for(engine, links) as raw:
        assert raw.zscore(links, "c\0c1\0gone") is None


async def test_a_deleted_checkpoint_is_gone(cache: AsyncSessionCache) -> None:
    """A delete answers whether it was there, and the session stays."""
    await cache.checkpoints.save("s", "c1", 1)
    assert await cache.checkpoints.delete("s", "c1")
    assert not await cache.checkpoints.delete("s", "c1")
    assert not await cache.checkpoints.delete("unknown", "c1")
    assert await cache.checkpoints.find("c1") is None
    assert await cache.sessions.exists("s")


async def test_a_repeat_changes_nothing(cache: AsyncSessionCache) -> None:
    """The same operation id again answers the first reply."""
    first = await cache.checkpoints.save("s", "c1", 1, operation_id="op")
    await cache.checkpoints.save("s", "c1", 2)
    again = await cache.checkpoints.save("s", "c1", 1, operation_id="op")
    assert (again.revision, again.repeated) == (first.revision, True)
    found = await cache.checkpoints.find("c1")
    assert found is not None
    assert found.snapshot == 2


async def test_damage_is_no_absence(cache: AsyncSessionCache, engine: Engine) -> None:
    """A snapshot that cannot be read is an error to every reader, and a lost one is SessionTorn."""
    await cache.checkpoints.save("s", "c1", 1)
    items = cache.keys.session("s").room("checkpoints")[0]
    with client_for(engine, items) as raw:
        raw.hset(items, "c1", "16:1900000000000000")
        with pytest.raises(DecodeError):
            await cache.checkpoints.get("s", "c1")
        with pytest.raises(DecodeError):
            await cache.checkpoints.find("c1")
        with pytest.raises(DecodeError):
            await cache.checkpoints.list_all()
        raw.hset(items, "c1", "2:ab1:1")
        with pytest.raises(DecodeError, match="one time"):
            await cache.checkpoints.find("c1")
        raw.delete(items, cache.keys.session("s").room("checkpoints")[1])
    with pytest.raises(SessionTorn):
        await cache.checkpoints.list("s")


@pytest.mark.parametrize("cursor", ["x", "W10"])
async def test_foreign_cursors_are_refused(cache: AsyncSessionCache, cursor: str) -> None:
    """Only a cursor that list_all gave out is taken, and only limits from 1 to 500."""
    with pytest.raises(InvalidArgument):
        await cache.checkpoints.list_all(cursor=cursor)
    with pytest.raises(InvalidArgument):
        await cache.checkpoints.list_all(limit=0)
    with pytest.raises(InvalidArgument):
        await cache.checkpoints.find("")


async def test_lookups_are_round_trips_side_by_side(engine: Engine, namespace: str) -> None:
    """Finding one sends one pipelined batch, listing all sends two, however many sessions there are."""
    lowest, settings = lowest_transport(engine, namespace)
    transport = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(transport, settings) as recorded:
        for number in range(9):
            await recorded.checkpoints.save(f"s{number}", f"c{number}", number)
        transport.clear()
        await recorded.checkpoints.find("c1")
        await recorded.checkpoints.list_all()
        assert len(transport.round_trips) == 3
