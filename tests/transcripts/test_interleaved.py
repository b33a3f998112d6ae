"""Reads whose two halves are parted by somebody's write: what is answered is one moment, never a mixture."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.transport.base import AsyncTransport
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from tests.engines import Engine
from tests.engines.caches import lowest_transport
from tests.sealing.sealing import seal

T = TypeVar("T")
Interference = Callable[[AsyncSessionCache], Awaitable[object]]


class Parting:
    """Sends calls one by one, and lets somebody write after the first."""

    def __init__(self, inner: AsyncTransport) -> None:
        self._inner = inner
        self.in_between: Callable[[], Awaitable[object]] | None = None

    async def call(self, call: Call[T]) -> T:
        return await self._inner.call(call)

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        first = await self._inner.call_many(calls[:1], return_errors=return_errors)
        if self.in_between is not None:
            await self.in_between()
        return first + await self._inner.call_many(calls[1:], return_errors=return_errors)

    async def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        await self._inner.listen(streams, wait_ms=wait_ms)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _trim(cache: AsyncSessionCache) -> object:
    return await cache.upkeep.trim(cache.keys.shard_of("s"), ["s"], RetentionPolicy(keep_messages=3))


INTERFERENCES: dict[str, Interference] = {
    "append": lambda cache: cache.transcripts.append("s", {"n": 11}),
    "pop": lambda cache: cache.transcripts.pop("s"),
    "replace": lambda cache: cache.transcripts.save("s", [{"n": 1}]),
    "empty": lambda cache: cache.transcripts.delete("s"),
    "delete": lambda cache: cache.sessions.delete("s"),
    "trim": _trim,
    "seal": lambda cache: seal(cache, "s"),
    "seal the head": lambda cache: seal(cache, "s", keep=3),
}

BEFORE: dict[str, Interference] = {
    "nothing": lambda cache: cache.sessions.exists("s"),
    "all": lambda cache: seal(cache, "s"),
    "the head": lambda cache: seal(cache, "s", keep=5),
}
"""What was sealed before the read began."""


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("name", INTERFERENCES)
@pytest.mark.parametrize("window", [{"last": 4}, {"last": 50}, {"start": 0}, {"start": 1, "limit": 2}, {"start": 4}])
@pytest.mark.parametrize("before", BEFORE)
async def test_a_read_is_one_moment(
    engine: Engine, other_cache: AsyncSessionCache, *, name: str, window: dict[str, Any], before: str
) -> None:
    """Whoever writes between the record and the entries, the page is what a read afterwards would give.

    Of what is sealed it is, now and then, what a read before would have given.
    """
    lowest, settings = lowest_transport(engine, other_cache.settings.namespace)
    parting = Parting(lowest)
    async with AsyncSessionCache(parting, settings) as cache:
        await cache.transcripts.append("s", [{"n": n} for n in range(1, 11)])
        await BEFORE[before](other_cache)
        earlier = await cache.transcripts.list("s", **window)
        parting.in_between = lambda: INTERFERENCES[name](other_cache)
        page = await cache.transcripts.list("s", **window)
        parting.in_between = None
        afterwards = await cache.transcripts.list("s", **window)

    seen = [[(entry.seq, entry.message) for entry in one] for one in (page, afterwards, earlier)]
    assert seen[0] == seen[1] or (seen[0] == seen[2] and before != "nothing")
    assert (page.exists, page.revision) in {(one.exists, one.revision) for one in (afterwards, earlier)}


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("window", [{"last": 50}, {"last": 8}, {"start": 0}, {"start": 2, "stop": 9}])
@pytest.mark.parametrize("count", [4, 5])
async def test_what_is_sealed_is_not_joined_to_its_replacement(
    engine: Engine, other_cache: AsyncSessionCache, *, window: dict[str, Any], count: int
) -> None:
    """A replacement that uses the number behind the seam again is not answered together with what it replaced."""
    lowest, settings = lowest_transport(engine, other_cache.settings.namespace)
    parting = Parting(lowest)
    async with AsyncSessionCache(parting, settings) as cache:
        await cache.transcripts.append("s", [{"n": n} for n in range(1, 11)])
        await seal(other_cache, "s", keep=5)
        earlier = await cache.transcripts.list("s", **window)
        other_cache.keys.now_override_ms = earlier.items[-1].ms + 1
        new = [{"new": n} for n in range(count)]
        parting.in_between = lambda: other_cache.transcripts.save("s", new, through=7)
        page = await cache.transcripts.list("s", **window)
        parting.in_between = None
        assert page == await cache.transcripts.list("s", **window)
    assert page != earlier


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("name", INTERFERENCES)
async def test_a_whole_transcript_is_as_long_as_it_says(
    engine: Engine, namespace: str, other_cache: AsyncSessionCache, name: str
) -> None:
    """A page of the whole transcript counts the messages that it has, and leads to no other page."""
    lowest, settings = lowest_transport(engine, namespace)
    parting = Parting(lowest)
    async with AsyncSessionCache(parting, settings) as cache:
        await cache.transcripts.append("s", [{"n": n} for n in range(1, 11)])
        parting.in_between = lambda: INTERFERENCES[name](other_cache)
        page = await cache.transcripts.list("s")

    assert page.count == len(page)
    assert page.cursor is None


@pytest.mark.engines("valkey")
async def test_a_session_that_comes_between_is_whole(
    engine: Engine, namespace: str, other_cache: AsyncSessionCache
) -> None:
    """A session that is created between the two halves is either unknown or complete."""
    lowest, settings = lowest_transport(engine, namespace)
    parting = Parting(lowest)
    async with AsyncSessionCache(parting, settings) as cache:
        parting.in_between = lambda: other_cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
        page = await cache.transcripts.list("s", last=5)

    assert page.exists
    assert [entry.seq for entry in page] == [1, 2]
