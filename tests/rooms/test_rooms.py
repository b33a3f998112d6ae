"""What every room does: order, places, editing by field, counting, limits, removal with the session."""

from __future__ import annotations

import asyncio

import pytest

from sessioncache import (
    NO_BASE,
    AsyncSessionCache,
    Base,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    Session,
    SessionGone,
    SessionTorn,
    VersionConflict,
)
from sessioncache.rooms._async import AsyncRoom
from sessioncache.wire.keys import ROOMS
from sessioncache.wire.values import ValueEncoder, pack_fields, unpack_fields
from tests.engines import Engine, list_keys
from tests.engines.raw import client_for

VALUES = ValueEncoder(entry_bytes_max=1_000_000)


def room_of(cache: AsyncSessionCache, *, keep: str = "") -> AsyncRoom:
    """The room of checkpoints, which has links."""
    return AsyncRoom(cache._transport, cache.keys, "checkpoints", kind="c", keep=keep)


async def put(room: AsyncRoom, *names: str, session: str = "s", payload: bytes = b"1:a1:1") -> None:
    """Save entries of these ids."""
    await room.save(session, [(name, payload) for name in names], user=None, base=NO_BASE, operation_id=None)


async def ids(room: AsyncRoom, session: str = "s") -> list[str]:
    """The ids in their order."""
    return [entry.id async for entry in room.each(session, batch=2)]


async def test_entries_keep_the_order_in_which_they_came(cache: AsyncSessionCache) -> None:
    """New entries go to the end; a known one is replaced in its place."""
    room = room_of(cache)
    await put(room, "b", "a")
    await put(room, "c", "b", payload=b"1:a1:2")

    assert await ids(room) == ["b", "a", "c"]
    found = await room.get("s", "b")
    assert found is not None
    assert found.payload == b"1:a1:2"


async def test_the_last_ones_come_oldest_first(cache: AsyncSessionCache) -> None:
    """The newest n, in their order; all of them where there are fewer."""
    room = room_of(cache)
    await put(room, *(f"{number:04}" for number in range(500)))
    await put(room, *(f"{number:04}" for number in range(500, 700)))

    assert [entry.id for entry in await room.last("s", 3)] == ["0697", "0698", "0699"]
    assert len(await room.last("s", 650)) == 650
    assert [entry.id for entry in await room.last("s", 9_000)] == [f"{number:04}" for number in range(700)]
    assert await room.last("s", 0) == []


async def test_an_unknown_session_has_an_empty_room(cache: AsyncSessionCache) -> None:
    """Reading, editing and deleting in a session that is not there find nothing and create nothing."""
    room = room_of(cache)
    page = await room.list("nobody")

    assert (page.exists, page.count, len(page)) == (False, 0, 0)
    assert await room.get("nobody", "a") is None
    assert not (await room.update("nobody", "a", ["a", "1"], base=NO_BASE, operation_id=None)).found
    assert (await room.delete("nobody", ["a"], base=NO_BASE, operation_id=None)).removed == 0
    assert not await cache.sessions.exists("nobody")


async def test_a_first_entry_creates_the_session(cache: AsyncSessionCache) -> None:
    """The session is there, is its user's, is listed and is in the feed."""
    room = room_of(cache)
    async with cache.feed.subscribe() as changes:
        saved = await room.save("s", [("a", b"x")], user="ann", base=NO_BASE, operation_id=None)
        seen = await changes.read()

    assert (saved.created, saved.count) == (True, 1)
    session = await cache.sessions.get("s")
    assert session is not None
    assert (session.user, session.messages) == ("ann", 0)
    assert [summary.id for summary in await cache.sessions.list()] == ["s"]
    assert [(change.kind, change.details["room"], change.details["last"]) for change in seen] == [
        ("room.saved", "checkpoints", "a")
    ]


async def test_two_editors_of_different_fields_both_keep_theirs(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """Fields are set one by one on the server, whatever else the entry holds; unknown ones stay."""
    fields = {"question": "q", "answer": "a", "unknown": {"deep": [1, 2]}}
    await put(room_of(cache), "e", payload=VALUES.encode_fields("entry", fields))
    edits = [
        room_of(one).update("s", "e", [f"f{number}", str(number)], base=NO_BASE, operation_id=None)
        for number, one in enumerate([cache, other_cache] * 10)
    ]
    updated = await asyncio.gather(*edits)
    entry = await room_of(cache).get("s", "e")

    assert all(one.found and one.changed for one in updated)
    assert entry is not None
    assert VALUES.decode_fields("entry", entry.payload) == fields | {f"f{number}": number for number in range(20)}


async def test_clearing_a_field_clears_its_parts(cache: AsyncSessionCache) -> None:
    """An empty value removes a field and those that are parts of it; setting in the same edit comes after."""
    room = room_of(cache)
    names = ["map\x1fone", "map\x1ftwo", "mapped", "map"]
    await put(room, "e", payload=pack_fields((name, b"1") for name in names))
    await room.update("s", "e", ["map\x1fthree", "3", "map", ""], base=NO_BASE, operation_id=None)
    entry = await room.get("s", "e")

    assert entry is not None
    assert unpack_fields("entry", entry.payload) == {"mapped": b"1", "map\x1fthree": b"3"}


async def test_an_edit_that_changes_nothing_writes_nothing(cache: AsyncSessionCache) -> None:
    """Neither the revision nor the feed moves; a missing entry is told apart."""
    room = room_of(cache)
    await put(room, "e")
    before = await cache.sessions.get("s")
    same = await room.update("s", "e", ["a", "1"], base=NO_BASE, operation_id=None)
    nothing = await room.update("s", "e", [], base=NO_BASE, operation_id=None)
    missing = await room.update("s", "f", ["a", "1"], base=NO_BASE, operation_id=None)

    assert [(one.found, one.changed) for one in (same, nothing, missing)] == [
        (True, False),
        (True, False),
        (False, False),
    ]
    assert await cache.sessions.get("s") == before


async def test_deleted_entries_are_gone_and_the_rest_stays(cache: AsyncSessionCache) -> None:
    """Ids that are not there are passed over; the answer counts those that were."""
    room = room_of(cache)
    await put(room, "a", "b", "c")
    removed = await room.delete("s", ["b", "nobody"], base=NO_BASE, operation_id=None)

    assert (removed.removed, removed.count) == (1, 2)
    assert await ids(room) == ["a", "c"]
    assert (await room.delete("s", ["b"], base=NO_BASE, operation_id=None)).removed == 0
    await put(room, "b")
    assert await ids(room) == ["a", "c", "b"]


async def test_the_policy_says_how_many_are_kept(cache: AsyncSessionCache) -> None:
    """A further entry removes the oldest one, and its links."""
    await cache.retention.save(RetentionPolicy(keep_checkpoints=2))
    room = room_of(cache, keep="keep_checkpoints")
    for name in "abc":
        await put(room, name)

    assert await ids(room) == ["b", "c"]
    assert await room.get("s", "a") is None


async def test_a_room_has_a_quota(cache: AsyncSessionCache) -> None:
    """One entry too many is refused and writes nothing; replacing a known one, or one of the call, is not one more."""
    await cache.retention.save(RetentionPolicy(quota_entries=2))
    room = room_of(cache)
    await put(room, "a", "b")
    with pytest.raises(LimitExceeded, match="would hold 3 checkpoints; its quota is 2"):
        await put(room, "b", "c")
    await put(room, "b", payload=b"new")
    await room.delete("s", ["a"], base=NO_BASE, operation_id=None)
    await put(room, "c", "c")

    assert await ids(room) == ["b", "c"]


async def test_numbers_are_not_given_out_twice(cache: AsyncSessionCache) -> None:
    """Who goes on behind the newest entry does not miss the next one, though the newest was removed meanwhile."""
    room = room_of(cache)
    await put(room, "a", "b", "c")
    after = (await room.list("s")).items[-1].number
    await room.delete("s", ["c", "a"], base=NO_BASE, operation_id=None)
    await put(room, "d")
    assert [entry.id for entry in await room.list("s", after=after)] == ["d"]
    after = (await room.list("s", after=after)).items[-1].number
    await room.delete("s", ["b", "d"], base=NO_BASE, operation_id=None)
    await put(room, "b", "e")
    assert [entry.id for entry in await room.list("s", after=after)] == ["b", "e"]


async def test_numbers_of_updates_are_not_given_out_twice(cache: AsyncSessionCache) -> None:
    """A whole save that removes the newest update and adds another hides it from no reader."""
    session = Session(id="s")
    await cache.sessions.save(session, updates={"a": 1, "b": 1})
    page = await cache.context.list("s", limit=2)
    await cache.sessions.save(session, updates={"b": None})
    await cache.sessions.save(session, updates={"c": 1})
    assert [update.id for update in await cache.context.list("s", cursor=page.cursor)] == ["c"]


async def test_what_the_policy_drops_is_not_held_against_the_quota(cache: AsyncSessionCache) -> None:
    """A room that keeps as many entries as its quota allows goes on taking new ones, as logs do."""
    await cache.retention.save(RetentionPolicy(quota_entries=2, keep_checkpoints=2))
    room = room_of(cache, keep="keep_checkpoints")
    await put(room, "a", "b")
    await put(room, "c")
    await put(room, "d", "e", "f")

    assert await ids(room) == ["e", "f"]
    assert (await cache.stats.get()).rooms["checkpoints"] == 2


@pytest.mark.parametrize("entries", [[], [("", b"x")], [("a\n", b"x")], [("x" * 513, b"x")]])
async def test_bad_ids_and_empty_calls_are_refused(cache: AsyncSessionCache, entries: list[tuple[str, bytes]]) -> None:
    """Nothing is sent for an empty list of entries, or for an id that is none."""
    with pytest.raises(InvalidArgument):
        await room_of(cache).save("s", entries, user=None, base=NO_BASE, operation_id=None)
    assert not await cache.sessions.exists("s")


async def test_a_call_takes_500_entries(cache: AsyncSessionCache) -> None:
    """501 are refused before anything is sent."""
    with pytest.raises(LimitExceeded, match="501 checkpoints in one call; the limit is 500"):
        await put(room_of(cache), *map(str, range(501)))


async def test_bases_hold_in_rooms(cache: AsyncSessionCache) -> None:
    """A write on an older revision, or on a session that was deleted, is refused and changes nothing."""
    room = room_of(cache)
    saved = await room.save("s", [("a", b"x")], user=None, base=NO_BASE, operation_id=None)
    await put(room, "b")
    with pytest.raises(VersionConflict):
        await room.save("s", [("c", b"x")], user=None, base=Base(revision=saved.revision), operation_id=None)
    await cache.sessions.delete("s")
    with pytest.raises(SessionGone):
        await room.save("s", [("c", b"x")], user=None, base=Base(gen=saved.gen), operation_id=None)

    assert not await cache.sessions.exists("s")


async def test_a_repeat_answers_the_first_reply(cache: AsyncSessionCache) -> None:
    """The same operation id again changes nothing, in each of the three writes."""
    room = room_of(cache)
    first = await room.save("s", [("a", b"1:a1:1")], user=None, base=NO_BASE, operation_id="one")
    await put(room, "b")
    again = await room.save("s", [("a", b"1:a1:1")], user=None, base=NO_BASE, operation_id="one")
    edit = [await room.update("s", "a", ["n", str(n)], base=NO_BASE, operation_id="two") for n in (1, 2)]
    gone = [await room.delete("s", ["a"], base=NO_BASE, operation_id="three") for _ in range(2)]

    assert (again.repeated, again.count, again.revision) == (True, 1, first.revision)
    assert [(one.found, one.changed, one.repeated) for one in edit] == [(True, True, False), (True, True, True)]
    assert [(one.removed, one.repeated) for one in gone] == [(1, False), (1, True)]


@pytest.mark.parametrize("lost", ["items", "order"])
async def test_a_lost_part_is_no_empty_room(cache: AsyncSessionCache, engine: Engine, lost: str) -> None:
    """Where a key of the room is gone, every call says so, and none takes it for an empty room."""
    room = room_of(cache)
    await put(room, "a", "b")
    items, order = cache.keys.session("s").room("checkpoints")
    with client_for(engine, cache.keys.session("s").record) as raw:
        if lost == "items":
            raw.hdel(items, "a")
            raw.zrem(order, "a")
        else:
            raw.delete(order)
    for call in (
        lambda: room.list("s"),
        lambda: room.get("s", "a"),
        lambda: put(room, "c"),
        lambda: room.update("s", "a", ["x", "1"], base=NO_BASE, operation_id=None),
        lambda: room.delete("s", ["b"], base=NO_BASE, operation_id=None),
    ):
        with pytest.raises(SessionTorn, match="checkpoints"):
            await call()
    assert await cache.sessions.delete("s")


async def test_all_rooms_go_with_their_session(cache: AsyncSessionCache, engine: Engine) -> None:
    """Deleting the session leaves none of its keys, links and totals; only the tombstone is there, for an hour."""
    await put(room_of(cache), "a", "b")
    keys = cache.keys.session("s")
    with client_for(engine, cache.keys.session("s").record) as raw:
        # Rooms that no call of this test makes: removal goes by the catalogue.
        for room in ROOMS:
            for key in keys.room(room):
                if not raw.exists(key):
                    raw.set(key, "x", ex=1_000)
        assert raw.zcard(keys.shard.links) == 2
        assert raw.hmget(keys.shard.totals, ["checkpoints"]) == [b"2"]
        await cache.sessions.delete("s")

        assert raw.zcard(keys.shard.links) == 0
        assert raw.hmget(keys.shard.totals, ["checkpoints"]) == [b"0"]
    left = {key.name for key in list_keys(engine) if f":s:{keys.escaped}" in key.name}
    assert left == {keys.tombstone}


async def test_rooms_expire_with_their_session(cache: AsyncSessionCache, engine: Engine) -> None:
    """All keys have one expiry, also after the deadline has moved by a write that does not touch the room."""
    await put(room_of(cache), "a")
    await cache.documents.save("s", {"d": 1})
    await cache.retention.update("s", ttl_ms=900_000_000)
    keys = [key for key in list_keys(engine) if ":s:s" in key.name]

    assert len(keys) == 5
    assert len({key.expires_at_ms for key in keys}) == 1
    await cache.sessions.update("s", pinned=True)
    assert {key.pttl_ms for key in list_keys(engine) if ":s:s" in key.name} == {-1}


async def test_an_overdue_session_is_absent_in_its_rooms(cache: AsyncSessionCache) -> None:
    """Past the deadline a room is empty, and the next write begins a session that shares nothing with it."""
    room = room_of(cache)
    await put(room, "old")
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 1
    assert not (await room.list("s")).exists
    await put(room, "new")

    assert await ids(room) == ["new"]
    assert await room.get("s", "old") is None
    cache.keys.now_override_ms = None
