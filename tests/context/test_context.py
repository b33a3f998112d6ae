"""Updates of a session in the order they came, and its structured state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessioncache import (
    AsyncSessionCache,
    Base,
    DecodeError,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    SessionGone,
    SessionTorn,
    VersionConflict,
)
from tests.engines import Engine
from tests.engines.raw import client_for


async def ids(cache: AsyncSessionCache, session_id: str = "s") -> list[str]:
    """The ids of a session's updates, in order."""
    return [entry.id async for entry in cache.context.each(session_id)]


async def test_updates_keep_the_order_they_came_in(cache: AsyncSessionCache) -> None:
    """Updates are listed in the order of insertion, given as a mapping or as pairs."""
    saved = await cache.context.save("s", {"z": {"n": 1}, "a": {"n": 2}})
    assert saved.created
    await cache.context.save("s", [("m", {"n": 3}), ("b", {"n": 4})])
    page = await cache.context.list("s")
    assert [(entry.id, entry.update["n"]) for entry in page] == [("z", 1), ("a", 2), ("m", 3), ("b", 4)]
    assert (page.exists, page.count, page.cursor, len(page)) == (True, 4, None, 4)


async def test_an_update_saved_again_stays_in_its_place(cache: AsyncSessionCache) -> None:
    """A known id gets its new content where it stood; nothing is doubled."""
    await cache.context.save("s", {"a": 1, "b": 2, "c": 3})
    await cache.context.save("s", {"c": 30, "d": 40, "a": 10})
    page = await cache.context.list("s")
    assert [(entry.id, entry.update) for entry in page] == [("a", 10), ("b", 2), ("c", 30), ("d", 40)]


async def test_the_newest_come_oldest_first(cache: AsyncSessionCache) -> None:
    """`last` answers the newest n in their order; 0 is none, more than there are is all."""
    await cache.context.save("s", {name: name for name in "abcde"})
    assert [entry.id for entry in await cache.context.list("s", last=2)] == ["d", "e"]
    assert len(await cache.context.list("s", last=0)) == 0
    assert [entry.id for entry in await cache.context.list("s", last=9)] == list("abcde")


async def test_pages_lead_through_all_updates(cache: AsyncSessionCache) -> None:
    """Following the cursors lists each update once, also where others are removed and added between two pages."""
    await cache.context.save("s", {f"u{number}": number for number in range(7)})
    page = await cache.context.list("s", limit=3)
    assert [entry.update for entry in page] == [0, 1, 2]
    assert await cache.context.delete("s", ["u1", "u2"]) == 2
    await cache.context.save("s", {"u7": 7})
    page = await cache.context.list("s", limit=3, cursor=page.cursor)
    assert [entry.update for entry in page] == [3, 4, 5]
    page = await cache.context.list("s", limit=3, cursor=page.cursor)
    assert ([entry.update for entry in page], page.cursor) == ([6, 7], None)


async def test_an_unknown_session_has_no_updates(cache: AsyncSessionCache) -> None:
    """Reading creates nothing and answers nothing."""
    page = await cache.context.list("s")
    assert (page.exists, page.items, page.gen, page.count) == (False, (), None, 0)
    assert await ids(cache) == []
    assert await cache.context.get("s", "a") is None
    assert await cache.context.count("s") == 0
    assert await cache.context.delete("s", "a") == 0
    assert await cache.context.get_state("s") is None
    assert not await cache.sessions.exists("s")


async def test_one_update_is_read_and_removed_by_its_id(cache: AsyncSessionCache) -> None:
    """Get answers one update; delete takes one id or several, and says how many were there."""
    await cache.context.save("s", {"a": None, "b": [1], "c": "text"})
    entry = await cache.context.get("s", "b")
    assert entry is not None
    assert (entry.id, entry.update) == ("b", [1])
    assert await cache.context.delete("s", "b") == 1
    assert await cache.context.delete("s", ["a", "b", "x"]) == 1
    assert (await cache.context.count("s"), await ids(cache)) == (1, ["c"])


async def test_the_state_is_a_document(cache: AsyncSessionCache) -> None:
    """The state is set, read and cleared, and is the document `state`."""
    assert (await cache.context.save_state("s", {"open": ["why"]})).created
    assert await cache.context.get_state("s") == {"open": ["why"]}
    assert (await cache.documents.get("s", "state")).values == {"state": {"open": ["why"]}}
    await cache.context.save_state("s", None)
    assert await cache.context.get_state("s") is None
    assert await cache.sessions.exists("s")


async def test_a_repeat_changes_nothing(cache: AsyncSessionCache) -> None:
    """The same operation id again answers the first reply."""
    first = await cache.context.save("s", {"a": 1}, operation_id="op")
    await cache.context.save("s", {"a": 2})
    again = await cache.context.save("s", {"a": 1}, operation_id="op")
    assert (again.revision, again.repeated) == (first.revision, True)
    assert [entry.update async for entry in cache.context.each("s")] == [2]


async def test_writes_may_have_a_base(cache: AsyncSessionCache) -> None:
    """A base that is no longer current refuses the write, and nothing is changed."""
    saved = await cache.context.save("s", {"a": 1})
    await cache.context.save("s", {"b": 1})
    with pytest.raises(VersionConflict):
        await cache.context.save("s", {"c": 1}, base=Base(revision=saved.revision))
    with pytest.raises(VersionConflict):
        await cache.context.delete("s", "a", base=Base(revision=saved.revision))
    await cache.sessions.delete("s")
    with pytest.raises(SessionGone):
        await cache.context.save_state("s", {}, base=Base(gen=saved.gen))
    assert not await cache.sessions.exists("s")


async def test_limits_write_nothing(cache: AsyncSessionCache) -> None:
    """Too many, too large, no JSON, a bad id: refused, and no session is made."""
    with pytest.raises(LimitExceeded):
        await cache.context.save("s", {str(number): 1 for number in range(501)})
    with pytest.raises(LimitExceeded):
        await cache.context.save("s", {"a": "x" * (cache.settings.entry_bytes_max + 1)})
    bad: list[Any] = [{}, {"": 1}, {"a": object()}, {"a\n": 1}, {"a": float("nan")}]
    for updates in bad:
        with pytest.raises(InvalidArgument):
            await cache.context.save("s", updates)
    await cache.retention.save(RetentionPolicy(quota_entries=2))
    with pytest.raises(LimitExceeded):
        await cache.context.save("s", {"a": 1, "b": 2, "c": 3})
    assert not await cache.sessions.exists("s")


async def test_arguments_are_checked(cache: AsyncSessionCache) -> None:
    """Numbers out of range, and cursors of other calls, are refused."""
    wrong: list[dict[str, Any]] = [{"last": -1}, {"last": 501}, {"limit": -1}, {"cursor": "x"}]
    for given in [*wrong, {"last": 1, "cursor": "x"}]:
        with pytest.raises(InvalidArgument):
            await cache.context.list("s", **given)


async def test_damage_is_no_absence(cache: AsyncSessionCache, engine: Engine) -> None:
    """An update that cannot be decoded is a DecodeError, and a lost room is SessionTorn, to readers and writers."""
    await cache.context.save("s", {"a": 1, "b": 2})
    items, order = cache.keys.session("s").room("updates")
    with client_for(engine, items) as raw:
        raw.hset(items, "a", "{")
        with pytest.raises(DecodeError, match="'a'"):
            await cache.context.list("s")
        with pytest.raises(DecodeError):
            await cache.context.get("s", "a")
        raw.delete(items, order)
    with pytest.raises(SessionTorn):
        await cache.context.list("s")
    with pytest.raises(SessionTorn):
        await cache.context.save("s", {"c": 1})


async def test_concurrent_saves_lose_nothing(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """A hundred saves by two clients side by side: each update is there once."""
    both = (cache, other_cache)
    await asyncio.gather(*(both[number % 2].context.save("s", {f"u{number}": number}) for number in range(100)))
    assert sorted(await ids(cache)) == sorted(f"u{number}" for number in range(100))
    assert await cache.context.count("s") == 100


async def test_the_transcript_and_the_updates_share_one_session(cache: AsyncSessionCache) -> None:
    """Updates of a session with messages stand beside them; deleting the session takes both."""
    await cache.transcripts.append("s", {"role": "user"})
    assert not (await cache.context.save("s", {"a": 1})).created
    assert await cache.transcripts.count("s") == 1
    await cache.sessions.delete("s")
    assert await cache.context.count("s") == 0
