"""sessions.delete: everything goes, once, and nothing comes back."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, Base, Session, SessionGone
from sessioncache.wire.keys import kind_of
from tests.engines import Engine, list_keys


async def test_only_a_tombstone_is_left(cache: AsyncSessionCache, engine: Engine) -> None:
    """After a delete no key, index entry or total of the session is there, but its tombstone."""
    session = Session(id="s", user="ada", title="t", pinned=True, metadata={"a": 1})
    await cache.sessions.save(session, messages=[{"n": 1}, {"n": 2}])
    deleted = await cache.sessions.delete("s")
    kinds = {kind.name for key in list_keys(engine) if (kind := kind_of(key.name)) and ":s:" in key.name}

    assert deleted
    assert kinds == {"tombstone"}
    assert not [key.name for key in list_keys(engine) if "by-" in key.name or "deadlines" in key.name]
    stats = await cache.stats.get()
    assert (stats.sessions, stats.messages, stats.bytes) == (0, 0, 0)


async def test_an_unknown_session_is_false(cache: AsyncSessionCache) -> None:
    """Deleting what is not there answers False and leaves nothing behind."""
    assert not await cache.sessions.delete("s")
    await cache.transcripts.append("s", {"n": 1})
    assert await cache.sessions.delete("s")
    assert not await cache.sessions.delete("s")


async def test_a_repeated_delete_answers_the_first_reply(cache: AsyncSessionCache) -> None:
    """A delete that is sent again after it was executed still says that the session was there, and spares a new one."""
    await cache.transcripts.append("s", {"n": 1})
    first = await cache.sessions.delete("s", operation_id="op")
    await cache.transcripts.append("s", {"n": 2})
    again = await cache.sessions.delete("s", operation_id="op")

    assert (first, again) == (True, True)
    assert await cache.sessions.exists("s")


async def test_a_delete_can_be_based_on_an_incarnation(cache: AsyncSessionCache) -> None:
    """A delete of a former incarnation does not touch the present one."""
    first = await cache.transcripts.append("s", {"n": 1})
    await cache.sessions.delete("s")
    await cache.transcripts.append("s", {"n": 2})
    with pytest.raises(SessionGone):
        await cache.sessions.delete("s", base=Base(gen=first.gen))

    assert await cache.sessions.exists("s")


async def test_incarnations_do_not_mix(cache: AsyncSessionCache) -> None:
    """A session with the id of a deleted one begins at 1 and has a gen of its own."""
    first = await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    await cache.sessions.delete("s")
    second = await cache.transcripts.append("s", {"n": 3})

    assert second.first_seq == 1
    assert second.gen != first.gen


async def test_two_deletes_within_the_hour_keep_both_memories(cache: AsyncSessionCache) -> None:
    """A late repeat of a write to the incarnation before the last does not bring the session back either."""
    for number in range(2):
        await cache.transcripts.append("s", {"n": number}, operation_id=f"append {number}")
        await cache.sessions.delete("s", operation_id=f"delete {number}")

    for number in range(2):
        assert (await cache.transcripts.append("s", {"n": number}, operation_id=f"append {number}")).repeated
        assert await cache.sessions.delete("s", operation_id=f"delete {number}")
    assert not await cache.sessions.exists("s")


async def test_a_tombstone_remembers_the_last_sixteen(cache: AsyncSessionCache) -> None:
    """However many incarnations come and go, the last 16 operations are known, and the list does not grow."""
    for incarnation in range(3):
        for number in range(15):
            await cache.transcripts.append("s", {"n": number}, operation_id=f"{incarnation} {number}")
        await cache.sessions.delete("s")

    for number in range(15):
        assert (await cache.transcripts.append("s", {"n": number}, operation_id=f"2 {number}")).repeated
    assert not (await cache.transcripts.append("s", {"n": 0}, operation_id="0 0")).repeated
