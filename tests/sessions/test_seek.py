"""The n-th session of a list, however deep, without walking to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessioncache import AsyncSessionCache, InvalidArgument, Session
from sessioncache.sessions.seeking import Seek

START = datetime(2026, 1, 1, tzinfo=UTC)


async def listed_behind(cache: AsyncSessionCache, offset: int) -> list[str]:
    """What a list answers from that offset on."""
    cursor, skip = await cache.sessions.seek(offset)
    page = await cache.sessions.list(order="oldest", cursor=cursor, limit=1_000)
    return [session.id for session in page][skip:]


async def test_every_offset_finds_its_place(cache: AsyncSessionCache) -> None:
    """A list from an offset on is the end of the whole list, also among sessions of one moment and past the end."""
    hours = [0, 1, 1, 1, 1, 2, 500, 500, 20_000]
    for number, hour in enumerate(hours):
        await cache.sessions.save(Session(id=f"s{number}"), updated_at=START - timedelta(hours=hour))
    whole = [session.id for session in await cache.sessions.list(order="oldest")]
    for offset in range(len(hours) + 3):
        assert await listed_behind(cache, offset) == whole[offset:]


async def test_overdue_sessions_do_not_count(cache: AsyncSessionCache) -> None:
    """While sessions past their deadline are in the index, the place is the start, and the list steps over all."""
    for name in ("past", "one", "two"):
        await cache.transcripts.append(name, {"role": "user"})
    await cache.retention.update("past", ttl_ms=60_000)
    session = await cache.sessions.get("past")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 1

    assert await cache.sessions.seek(1) == (None, 1)
    assert await listed_behind(cache, 1) == ["two"]
    cache.keys.now_override_ms = None


async def test_an_empty_namespace_has_no_place(cache: AsyncSessionCache) -> None:
    """With no session at all, the place is the start."""
    assert await cache.sessions.seek(5) == (None, 5)
    with pytest.raises(InvalidArgument):
        await cache.sessions.seek(-1)


@given(st.lists(st.integers(0, 2**45), min_size=1, max_size=50), st.integers(0, 60))
def test_the_search_ends_at_the_place(times: list[int], offset: int) -> None:
    """In few rounds it comes to a time before which at most `offset` sessions were updated, and no later one is so."""
    seek, rounds = Seek(offset), 0
    seek.begin(min(times), max(times))
    while asked := seek.times():
        seek.take(asked, [sum(time < probe for time in times) for probe in asked])
        rounds += 1
    before = sum(time < seek.low for time in times)

    assert rounds <= 10
    assert seek.skip == offset - before >= 0
    assert offset >= len(times) or sum(time <= seek.low for time in times) > offset
