"""sessions.list, each, count and by user: order, ties, cursors, movement, deadlines."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, InvalidArgument, RetentionPolicy, SessionSummary
from sessioncache.types import Order

NOW = 1_800_000_000_000


async def _fill(cache: AsyncSessionCache, count: int, *, step_ms: int = 1) -> list[str]:
    """Sessions a000, a001 …, each `step_ms` after the one before."""
    names = [f"a{number:03}" for number in range(count)]
    for number, name in enumerate(names):
        cache.keys.now_override_ms = NOW + number * step_ms
        await cache.transcripts.append(name, {"n": number})
    return names


async def _pages(cache: AsyncSessionCache, order: Order, limit: int, user: str | None = None) -> list[str]:
    found: list[SessionSummary] = []
    cursor = None
    while True:
        page = (
            await cache.sessions.list(order=order, limit=limit, cursor=cursor)
            if user is None
            else await cache.sessions.list(order=order, limit=limit, cursor=cursor, user=user)
        )
        found += page
        cursor = page.cursor
        if cursor is None:
            return [session.id for session in found]


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_both_orders_by_time_of_the_last_write(cache: AsyncSessionCache, limit: int) -> None:
    """Newest or oldest first, over all shards, whatever the size of a page."""
    names = await _fill(cache, 20)

    assert await _pages(cache, "oldest", limit) == names
    assert await _pages(cache, "newest", limit) == names[::-1]


@pytest.mark.parametrize("limit", [1, 4])
async def test_the_id_breaks_ties(cache: AsyncSessionCache, limit: int) -> None:
    """Sessions of one millisecond come in the order of their ids, and pages neither repeat nor skip one."""
    names = await _fill(cache, 20, step_ms=0)

    assert await _pages(cache, "oldest", limit) == names
    assert await _pages(cache, "newest", limit) == names[::-1]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_sessions_that_stay_are_paged_once_while_others_move(cache: AsyncSessionCache, order: Order) -> None:
    """Writes between pages neither repeat nor skip a session that was not written itself."""
    names = await _fill(cache, 20)
    moving = set(names[::3])
    seen: list[str] = []
    cursor = None
    for turn in range(100):
        page = await cache.sessions.list(order=order, limit=3, cursor=cursor)
        seen += [session.id for session in page]
        cursor = page.cursor
        if cursor is None:
            break
        if turn < len(moving):
            await cache.transcripts.append(sorted(moving)[turn], {"again": 1})

    assert sorted(name for name in seen if name not in moving) == sorted(set(names) - moving)


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_each_gives_every_session_once_while_they_move(cache: AsyncSessionCache, order: Order) -> None:
    """Iterating answers every session exactly once, also those written before and behind the reader."""
    names = await _fill(cache, 30)
    seen: list[str] = []
    async for session in cache.sessions.each(order=order, batch=4):
        seen.append(session.id)
        cache.keys.now_override_ms = NOW + 1_000 + len(seen)
        if len(seen) < 20:
            await cache.transcripts.append(names[(len(seen) * 7) % 30], {"moved": 1})

    assert sorted(seen) == names


async def test_a_shard_with_more_than_its_share(cache: AsyncSessionCache) -> None:
    """A page is right although all its sessions lie in one shard."""
    same = [name for name in (f"x{n}" for n in range(400)) if cache.keys.shard_of(name) == 0][:60]
    for number, name in enumerate(same):
        cache.keys.now_override_ms = NOW + number
        await cache.transcripts.append(name, {"n": 1})

    assert await _pages(cache, "newest", 25) == same[::-1]


async def test_sessions_of_one_user(cache: AsyncSessionCache) -> None:
    """A user's sessions are listed and counted alone, in both orders; None is the user `default`."""
    for number in range(9):
        cache.keys.now_override_ms = NOW + number
        await cache.transcripts.append(f"s{number}", {"n": 1}, user=["ada", "bob", None][number % 3])

    assert await _pages(cache, "newest", 2, "ada") == ["s6", "s3", "s0"]
    assert await _pages(cache, "oldest", 2, "bob") == ["s1", "s4", "s7"]
    assert [session.id for session in await cache.sessions.list(user=None)] == ["s8", "s5", "s2"]
    assert await _pages(cache, "newest", 2, "default") == ["s8", "s5", "s2"]
    assert await cache.sessions.count(user="ada") == 3
    assert [session.id async for session in cache.sessions.each(user="ada", order="oldest")] == ["s0", "s3", "s6"]


async def test_users_with_names_that_begin_alike(cache: AsyncSessionCache) -> None:
    """One user's list holds nothing of another whose name begins with the same characters."""
    for user in ["a", "ab", "a b", "é", "a:b"]:
        await cache.transcripts.append(f"of {user}", {"n": 1}, user=user)
    for user in ["a", "ab", "a b", "é", "a:b"]:
        assert [session.id for session in await cache.sessions.list(user=user)] == [f"of {user}"]


async def test_a_passed_deadline_means_absent_at_once(cache: AsyncSessionCache) -> None:
    """Without any worker, a session past its deadline is in no read, list or count, and a write begins a new one."""
    await cache.retention.save(RetentionPolicy(ttl_ms=60_000))
    cache.keys.now_override_ms = NOW
    first = await cache.transcripts.append("old", {"n": 1}, user="ada")
    cache.keys.now_override_ms = NOW + 30_000
    await cache.transcripts.append("young", {"n": 1}, user="ada")
    cache.keys.now_override_ms = NOW + 60_000

    assert not await cache.sessions.exists("old")
    assert await cache.sessions.get("old") is None
    assert not (await cache.transcripts.list("old")).exists
    assert [session.id for session in await cache.sessions.list()] == ["young"]
    assert [session.id for session in await cache.sessions.list(user="ada")] == ["young"]
    assert (await cache.sessions.count(), await cache.sessions.count(user="ada")) == (1, 1)
    assert (await cache.stats.get()).sessions == 1

    again = await cache.transcripts.append("old", {"n": 2})
    assert (again.created, again.first_seq) == (True, 1)
    assert again.gen != first.gen
    assert (await cache.stats.get()).messages == 2
    assert (await cache.transcripts.list("old")).messages == [{"n": 2}]


@pytest.mark.engines("valkey")
async def test_bad_arguments_are_named(cache: AsyncSessionCache) -> None:
    """A negative limit, an unknown order and a cursor of something else are InvalidArgument."""
    await _fill(cache, 3)
    page = await cache.sessions.list(limit=1)
    with pytest.raises(InvalidArgument, match="limit is -1"):
        await cache.sessions.list(limit=-1)
    with pytest.raises(InvalidArgument, match="at most 1000"):
        await cache.sessions.list(limit=1001)
    with pytest.raises(InvalidArgument, match="order must be"):
        await cache.sessions.list(order="sideways")  # type: ignore[arg-type] # the point of the test
    with pytest.raises(InvalidArgument, match="cursor"):
        await cache.sessions.list(cursor="!!")
    with pytest.raises(InvalidArgument, match="another order"):
        await cache.sessions.list(cursor=page.cursor, order="oldest")
    with pytest.raises(InvalidArgument, match=r"belongs to sessions\.list"):
        await cache.transcripts.list("a000", cursor=page.cursor)


async def test_an_empty_namespace(cache: AsyncSessionCache) -> None:
    """Lists, counts and totals of a namespace without sessions are empty."""
    assert (await cache.sessions.list()).items == ()
    assert [session async for session in cache.sessions.each()] == []
    assert await cache.sessions.count() == 0
    assert (await cache.stats.get()).messages == 0
