"""transcripts.list and each: windows, cursors, damage."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, DecodeError, InvalidArgument, SessionTorn
from tests.engines import Engine
from tests.engines.raw import client_for


async def _fill(cache: AsyncSessionCache, count: int) -> None:
    for start in range(0, count, 500):
        await cache.transcripts.append("s", [{"n": n + 1} for n in range(start, min(start + 500, count))])


async def test_unknown_and_empty_are_told_apart(cache: AsyncSessionCache) -> None:
    """An unknown session has no page that exists; one whose messages were removed has an empty page."""
    unknown = await cache.transcripts.list("s")
    await cache.transcripts.save("s", [])
    empty = await cache.transcripts.list("s")

    assert (unknown.exists, unknown.messages) == (False, [])
    assert (empty.exists, empty.messages, empty.count) == (True, [], 0)


async def test_reading_creates_nothing(cache: AsyncSessionCache) -> None:
    """No read of an unknown session brings it into being."""
    await cache.transcripts.list("s")
    await cache.transcripts.count("s")
    await cache.sessions.get("s")

    assert not await cache.sessions.exists("s")
    assert await cache.sessions.count() == 0


async def test_the_last_n_are_oldest_first(cache: AsyncSessionCache) -> None:
    """The newest n messages come oldest first; their cursor leads to older ones, to the very first."""
    await _fill(cache, 10)
    page = await cache.transcripts.list("s", last=4)
    older = await cache.transcripts.list("s", cursor=page.cursor)
    oldest = await cache.transcripts.list("s", cursor=older.cursor)

    assert [m["n"] for m in page.messages] == [7, 8, 9, 10]
    assert [m["n"] for m in older.messages] == [3, 4, 5, 6]
    assert ([m["n"] for m in oldest.messages], oldest.cursor) == ([1, 2], None)


async def test_zero_is_none(cache: AsyncSessionCache) -> None:
    """The last 0 messages, or a page of 0, is the empty list."""
    await _fill(cache, 3)

    assert (await cache.transcripts.list("s", last=0)).messages == []
    assert (await cache.transcripts.list("s", limit=0)).messages == []


async def test_a_range_is_inclusive(cache: AsyncSessionCache) -> None:
    """A range by sequence holds both its ends, and pages onwards within itself."""
    await _fill(cache, 10)
    page = await cache.transcripts.list("s", start=3, stop=8, limit=4)
    rest = await cache.transcripts.list("s", cursor=page.cursor)

    assert [entry.seq for entry in page] == [3, 4, 5, 6]
    assert ([entry.seq for entry in rest], rest.cursor) == ([7, 8], None)
    assert (await cache.transcripts.list("s", start=0, stop=0)).messages == []
    assert (await cache.transcripts.list("s", start=11)).messages == []


class Few(IntEnum):
    """A number that says of itself what it likes."""

    TWO = 2

    def __str__(self) -> str:
        return "two"


async def test_an_unusual_number_is_a_number(cache: AsyncSessionCache) -> None:
    """A member of an enumeration is a number where one is asked for, and the number itself is answered alike."""
    await _fill(cache, 5)
    for two in (Few.TWO, 2):
        page = await cache.transcripts.list("s", last=two)
        ranged = await cache.transcripts.list("s", start=two, stop=two, limit=two)
        older = await cache.transcripts.list("s", cursor=page.cursor)
        assert [one.messages for one in (page, ranged, older)] == [
            [{"n": 4}, {"n": 5}],
            [{"n": 2}],
            [{"n": 2}, {"n": 3}],
        ]


async def test_each_reads_all_in_batches(cache: AsyncSessionCache) -> None:
    """Iterating answers every message once, in order, whatever the batch."""
    await _fill(cache, 23)

    assert [entry.seq async for entry in cache.transcripts.each("s", batch=5)] == list(range(1, 24))
    assert [entry.seq async for entry in cache.transcripts.each("s", start=20)] == [20, 21, 22, 23]
    assert [entry async for entry in cache.transcripts.each("unknown")] == []


@pytest.mark.engines("valkey")
@pytest.mark.parametrize(
    "arguments,text",
    [
        ({"last": -1}, "last is -1"),
        ({"last": 1.5}, "whole number"),
        ({"last": True}, "whole number"),
        ({"limit": -1}, "limit is -1"),
        ({"start": -2}, "start is -2"),
        ({"last": 3, "start": 1}, "not both"),
        ({"cursor": "nonsense"}, "cursor 'nonsense'"),
        ({"cursor": "WyJzZXNzaW9ucy5saXN0Iix7fV0", "limit": 3}, "belongs to sessions.list"),
        ({"cursor": "x", "last": 3}, "not both"),
    ],
)
async def test_bad_arguments_are_named(cache: AsyncSessionCache, arguments: dict[str, object], text: str) -> None:
    """A negative or contradictory argument, or a broken cursor, is InvalidArgument that names it."""
    with pytest.raises(InvalidArgument, match=text):
        await cache.transcripts.list("s", **arguments)  # type: ignore[arg-type] # the point of the test


@pytest.mark.foreign_keys
async def test_damage_is_told_with_its_sequence(cache: AsyncSessionCache, engine: Engine) -> None:
    """A payload that cannot be decoded is DecodeError with its number, or left out and named if the caller says so."""
    await _fill(cache, 2)
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.xadd(keys.transcript, {"m": b"{damaged"}, id="3-1")
        client.hset(keys.record, mapping={"messages": 3, "last_seq": 3, "seq": 3})
    with pytest.raises(DecodeError) as caught:
        await cache.transcripts.list("s")
    page = await cache.transcripts.list("s", on_corrupt="skip")

    assert caught.value.seq == 3
    assert ([entry.seq for entry in page], page.skipped) == ([1, 2], (3,))


@pytest.mark.foreign_keys
@pytest.mark.parametrize("lost", ["transcript", "record", "entry"])
async def test_a_torn_session_is_never_a_shorter_one(cache: AsyncSessionCache, engine: Engine, lost: str) -> None:
    """Where a part of the session is missing, reads and writes say SessionTorn; deleting it works."""
    await _fill(cache, 3)
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        if lost == "entry":
            client.xtrim(keys.transcript, maxlen=2, approximate=False)
        else:
            client.delete(getattr(keys, lost))
    with pytest.raises(SessionTorn):
        await cache.transcripts.list("s", last=1)
    with pytest.raises(SessionTorn):
        await cache.sessions.get("s")
    with pytest.raises(SessionTorn):
        await cache.transcripts.append("s", {"n": 4})

    assert await cache.sessions.delete("s")
    assert not await cache.sessions.exists("s")


@pytest.mark.parametrize("damage", [b'{"n":', b'{"n":1},{"n":2}', b"[1]", b"\x05zip", b'{"n":"\\ud800"}'])
@pytest.mark.foreign_keys
async def test_a_page_is_decoded_together_or_one_by_one(
    cache: AsyncSessionCache, engine: Engine, damage: bytes
) -> None:
    """What stops a page from being parsed in one go harms no other message of it, and is named where it is damage."""
    await cache.transcripts.append("s", [{"n": n} for n in range(4)])
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        entries: Any = client.xrange(keys.transcript)
        client.delete(keys.transcript)
        for (entry_id, fields), payload in zip(entries, (None, None, None, damage), strict=True):
            client.xadd(keys.transcript, fields if payload is None else {"m": payload}, id=entry_id)
    page = await cache.transcripts.list("s", on_corrupt="skip")
    assert page.messages[:3] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert (page.messages[3:], page.skipped) == (([{"n": "\ud800"}], ()) if b"ud800" in damage else ([], (4,)))
