"""A save that replaces messages: up to a number, in the same write as the record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sessioncache import AsyncSessionCache, InvalidArgument, LimitExceeded, RetentionPolicy, Session


async def numbers(cache: AsyncSessionCache) -> list[int]:
    """What the messages hold."""
    return [message["n"] for message in (await cache.transcripts.list("s")).messages]


async def test_messages_up_to_a_number_are_replaced(cache: AsyncSessionCache) -> None:
    """What was appended after that number stays and follows, with its number."""
    await cache.transcripts.append("s", [{"n": n} for n in range(1, 6)])
    session = await cache.sessions.get("s")
    assert session is not None
    await cache.transcripts.append("s", {"n": 6})
    saved = await cache.sessions.save(session, messages=[{"n": 45}, {"n": 50}], through=5)
    page = await cache.transcripts.list("s")

    assert [(entry.seq, entry.message["n"]) for entry in page] == [(4, 45), (5, 50), (6, 6)]
    assert (saved.first_seq, saved.last_seq) == (4, 6)
    assert (session.messages, session.first_seq, session.last_seq) == (3, 4, 6)
    stats = await cache.stats.get()
    assert (stats.messages, stats.bytes) == (3, session.bytes)


async def test_all_messages_are_replaced(cache: AsyncSessionCache) -> None:
    """Where nothing follows, new messages are numbered after the old ones; replacing by nothing empties."""
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    await cache.sessions.save(Session(id="s"), messages=[{"n": 3}], through=2)
    assert [(entry.seq, entry.message["n"]) for entry in await cache.transcripts.list("s")] == [(3, 3)]
    await cache.sessions.save(Session(id="s"), through=3)
    assert await numbers(cache) == []
    await cache.transcripts.append("s", {"n": 4})
    assert [entry.seq for entry in await cache.transcripts.list("s")] == [4]


async def test_a_refused_replacement_changes_nothing(cache: AsyncSessionCache) -> None:
    """Too few numbers, or too many messages for the quota: record and transcript stay as they are."""
    await cache.transcripts.append("s", [{"n": n} for n in (1, 2, 3)])
    before = await cache.sessions.get("s")
    with pytest.raises(InvalidArgument, match="do not fit"):
        await cache.sessions.save(Session(id="s", title="new"), messages=[{"n": 0}] * 3, through=2)
    await cache.retention.save(RetentionPolicy(quota_messages=3))
    with pytest.raises(LimitExceeded, match="quota"):
        await cache.sessions.save(Session(id="s", title="new"), messages=[{"n": 0}] * 4, through=3)

    assert await cache.sessions.get("s") == before
    assert await numbers(cache) == [1, 2, 3]


async def test_the_callers_time_is_kept(cache: AsyncSessionCache) -> None:
    """A save that gives a time is listed by it; a time in the future counts as now."""
    now = datetime.now(UTC).replace(microsecond=0)
    for days, name in ((3, "old"), (1, "new"), (2, "middle")):
        await cache.sessions.save(Session(id=name), updated_at=now - timedelta(days=days))
    future = Session(id="future")
    await cache.sessions.save(future, updated_at=now + timedelta(days=9))

    assert [summary.id for summary in await cache.sessions.list()] == ["future", "new", "middle", "old"]
    assert future.updated_at is not None
    assert future.updated_at < now + timedelta(days=1)
    middle = await cache.sessions.get("middle")
    assert middle is not None
    assert middle.updated_at == now - timedelta(days=2)


@pytest.mark.parametrize("bad", [datetime(2026, 1, 1), datetime(1960, 1, 1, tzinfo=UTC)])  # noqa: DTZ001 - it is bad
async def test_a_time_without_a_zone_is_refused(cache: AsyncSessionCache, bad: datetime) -> None:
    """A time that could mean several moments, or none that Redis counts, is refused."""
    with pytest.raises(InvalidArgument):
        await cache.sessions.save(Session(id="s"), updated_at=bad)
