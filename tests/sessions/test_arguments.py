"""Arguments of a wrong kind are refused by name, before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, Base, InvalidArgument, Session, VersionConflict

pytestmark = pytest.mark.engines("fakeredis")

Attempt = Callable[[AsyncSessionCache, Any], Awaitable[object]]
"""A call with something in it that its signature does not allow."""

ATTEMPTS: dict[str, tuple[Attempt, Any]] = {
    "pinned must be True or False, not 'yes'": (lambda cache, bad: cache.sessions.update("s", pinned=bad), "yes"),
    "pinned must be True or False, not None": (lambda cache, bad: cache.sessions.update("s", pinned=bad), None),
    "title must be a string, not int": (lambda cache, bad: cache.sessions.update("s", title=bad), 5),
    "session must be a Session, not str": (lambda cache, bad: cache.sessions.save(bad), "s"),
    "base must be a Base, not int": (lambda cache, bad: cache.sessions.update("s", base=bad), 5),
    "operation_id must be a string or None, not int": (
        lambda cache, bad: cache.transcripts.append("s", {}, operation_id=bad),
        5,
    ),
    "shard is -1": (lambda cache, bad: cache.upkeep.acquire(bad, "job", holder="me", ttl_ms=1), -1),
    "shard is 99": (lambda cache, bad: cache.upkeep.acquire(bad, "job", holder="me", ttl_ms=1), 99),
}
"""Attempts, by what the error says."""


@pytest.mark.parametrize("said", ATTEMPTS)
async def test_a_wrong_argument_is_named(cache: AsyncSessionCache, said: str) -> None:
    """The error says which argument is wrong and what it was, and no session came to be."""
    attempt, bad = ATTEMPTS[said]
    with pytest.raises(InvalidArgument, match=said):
        await attempt(cache, bad)
    assert await cache.sessions.count() == 0


@pytest.mark.parametrize("part", ["gen", "revision", "fence"])
def test_a_base_holds_only_what_the_server_compares(part: str) -> None:
    """A base of another kind is refused when it is made; the server would pass it over as if there were none."""
    bad: dict[str, Any] = {"gen": 5, "revision": "x", "fence": -1}
    with pytest.raises(InvalidArgument, match=f"base.{part}"):
        Base(**{part: bad[part]})


@pytest.mark.parametrize("part", ["revision", "fence"])
def test_a_base_holds_only_numbers_that_scripts_count_with(part: str) -> None:
    """A number beyond 2^53 is refused: scripts would compare, and store, another one."""
    with pytest.raises(InvalidArgument, match=f"base.{part}"):
        Base(**{part: 2**53})  # type: ignore[arg-type] # only the numbers of a base are given


async def test_a_huge_revision_is_a_conflict(cache: AsyncSessionCache) -> None:
    """The error names both revisions, also where a script would print the expected one with an exponent."""
    await cache.transcripts.append("s", {})
    with pytest.raises(VersionConflict) as caught:
        await cache.transcripts.append("s", {}, base=Base(revision=2**53 - 1))

    assert (caught.value.expected, caught.value.actual) == (2**53 - 1, 1)


async def test_a_range_ends_where_numbers_do(cache: AsyncSessionCache) -> None:
    """A sequence number that no stream can have is refused by name; one that is only large finds nothing."""
    await cache.transcripts.append("s", {})
    with pytest.raises(InvalidArgument, match="start"):
        await cache.transcripts.list("s", start=2**64)
    with pytest.raises(InvalidArgument, match="stop"):
        await cache.transcripts.list("s", stop=2**64)

    assert len(await cache.transcripts.list("s", start=2**53 - 1)) == 0
    assert len(await cache.transcripts.list("s", start=1, stop=2**53 - 1)) == 1


async def test_members_of_enumerations_are_numbers(cache: AsyncSessionCache) -> None:
    """A base or a number of a save may be a member of an enumeration of numbers, whatever its text is."""

    class Number(int, Enum):
        ONE = 1
        TWO = 2

    await cache.transcripts.append("s", {"role": "user"})
    await cache.transcripts.append("s", {"role": "user"}, base=Base(revision=Number.ONE))
    with pytest.raises(VersionConflict):
        await cache.transcripts.append("s", {"role": "user"}, base=Base(revision=Number.ONE))
    saved = await cache.sessions.save(Session(id="s"), messages=[{"role": "user"}], through=Number.TWO)
    page = await cache.transcripts.list("s")
    assert [entry.seq for entry in page] == [saved.first_seq]
