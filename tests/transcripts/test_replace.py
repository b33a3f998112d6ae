"""transcripts.save, pop and delete: swaps, staging, numbering."""

from __future__ import annotations

import asyncio

import pytest

from sessioncache import AsyncSessionCache, Base, InvalidArgument, LimitExceeded, VersionConflict
from sessioncache.testing import AsyncGatedTransport
from sessioncache.wire.messages import BATCH_ITEMS_MAX
from tests.engines import Engine, list_keys
from tests.engines.caches import lowest_transport


async def _numbers(cache: AsyncSessionCache) -> list[int]:
    return [entry.message["n"] async for entry in cache.transcripts.each("s")]


async def test_a_replacement_is_whole(cache: AsyncSessionCache) -> None:
    """The old messages are gone, the new ones are there, and their numbers go on."""
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    replaced = await cache.transcripts.save("s", [{"n": 7}, {"n": 8}, {"n": 9}])

    assert (replaced.first_seq, replaced.last_seq, replaced.count) == (3, 5, 3)
    assert (replaced.replaced, replaced.replaced_through) == (2, 2)
    assert await _numbers(cache) == [7, 8, 9]
    assert (await cache.stats.get()).messages == 3


async def test_an_empty_replacement_is_an_empty_transcript(cache: AsyncSessionCache) -> None:
    """Saving no messages creates a session without messages, and empties one that has some."""
    created = await cache.transcripts.save("s", [])
    await cache.transcripts.append("s", {"n": 1})
    await cache.transcripts.save("s", [])

    assert created.created
    assert (await cache.transcripts.list("s")).exists
    assert await _numbers(cache) == []
    assert (await cache.transcripts.append("s", {"n": 2})).first_seq == 2


async def test_what_was_appended_since_stays(cache: AsyncSessionCache) -> None:
    """A swap below a sequence number keeps what follows it, in order and under its numbers."""
    await cache.transcripts.append("s", [{"n": n} for n in range(1, 11)])
    await cache.transcripts.append("s", {"n": 11})
    replaced = await cache.transcripts.save("s", [{"n": 0}], through=10)
    entries = [(entry.seq, entry.message["n"]) async for entry in cache.transcripts.each("s")]

    assert entries == [(10, 0), (11, 11)]
    assert (replaced.replaced, replaced.count) == (10, 2)
    assert (await cache.transcripts.append("s", {"n": 12})).first_seq == 12


async def test_a_swap_can_remove_without_putting_anything(cache: AsyncSessionCache) -> None:
    """Replacing a beginning by nothing leaves what follows."""
    await cache.transcripts.append("s", [{"n": n} for n in range(1, 6)])
    await cache.transcripts.save("s", [], through=3)
    page = await cache.transcripts.list("s", last=10)

    assert [entry.seq for entry in page] == [4, 5]
    assert await cache.transcripts.count("s") == 2


async def test_a_swap_that_does_not_fit_is_refused(cache: AsyncSessionCache) -> None:
    """More messages than there are numbers for is InvalidArgument; nothing changes."""
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}, {"n": 3}])
    with pytest.raises(InvalidArgument, match="do not fit"):
        await cache.transcripts.save("s", [{"n": 8}, {"n": 9}], through=1)
    with pytest.raises(InvalidArgument, match="through is -1"):
        await cache.transcripts.save("s", [], through=-1)
    with pytest.raises(LimitExceeded, match="limit is 500"):
        await cache.transcripts.save("s", [{"n": 1}] * 501, through=1)

    assert await _numbers(cache) == [1, 2, 3]


@pytest.mark.parametrize("count", [BATCH_ITEMS_MAX, BATCH_ITEMS_MAX + 1, 1_234])
async def test_a_long_transcript_goes_in_at_once(cache: AsyncSessionCache, engine: Engine, count: int) -> None:
    """More than one batch is staged out of sight and swapped in whole; nothing of the staging is left."""
    await cache.transcripts.append("s", {"n": -1})
    replaced = await cache.transcripts.save("s", [{"n": n} for n in range(count)])

    assert await _numbers(cache) == list(range(count))
    assert (replaced.count, replaced.first_seq) == (count, 2)
    assert not [key for key in list_keys(engine) if "staging" in key.name]
    assert (await cache.transcripts.append("s", {"n": count})).first_seq == count + 2


async def test_a_long_transcript_can_create_a_session(cache: AsyncSessionCache) -> None:
    """Staging works where there is no session yet."""
    replaced = await cache.transcripts.save("s", [{"n": n} for n in range(700)], user="ada")

    assert (replaced.created, replaced.first_seq, replaced.last_seq) == (True, 1, 700)
    assert await cache.sessions.count(user="ada") == 1


async def test_appends_during_staging_do_not_take_its_numbers(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """What others append while a long transcript is staged is numbered after it, and numbers stay unique."""
    await cache.transcripts.append("s", {"n": 0})
    saving = asyncio.create_task(cache.transcripts.save("s", [{"n": n} for n in range(2_000)]))
    appended = [await other_cache.transcripts.append("s", {"n": -n}) for n in range(20)]
    replaced = await saving
    later = await cache.transcripts.append("s", {"n": 1})
    numbers = [entry.seq async for entry in cache.transcripts.each("s")]

    assert numbers == sorted(set(numbers))
    assert len({one.first_seq for one in appended}) == 20
    assert later.first_seq > max(replaced.last_seq, *(one.first_seq for one in appended))


async def test_a_replacement_can_be_based_on_a_revision(cache: AsyncSessionCache) -> None:
    """A transcript made from an older revision is refused, and what was appended meanwhile is there."""
    page = await cache.transcripts.append("s", {"n": 1})
    await cache.transcripts.append("s", {"n": 2})
    with pytest.raises(VersionConflict):
        await cache.transcripts.save("s", [{"n": 0}], base=Base(revision=page.revision))
    with pytest.raises(VersionConflict):
        await cache.transcripts.save("s", [{"n": 0}] * 600, base=Base(revision=page.revision))

    assert await _numbers(cache) == [1, 2]


async def test_a_repeated_replacement_happens_once(cache: AsyncSessionCache) -> None:
    """The same operation again answers the first reply and spares what was appended since."""
    first = await cache.transcripts.save("s", [{"n": 1}], operation_id="op")
    await cache.transcripts.append("s", {"n": 2})
    again = await cache.transcripts.save("s", [{"n": 1}], operation_id="op")

    assert (again.repeated, again.revision) == (True, first.revision)
    assert await _numbers(cache) == [1, 2]


async def test_a_repeated_long_replacement_happens_once(cache: AsyncSessionCache) -> None:
    """A staged replacement that is sent again after it was executed answers its first reply."""
    messages = [{"n": n} for n in range(600)]
    first = await cache.transcripts.save("s", messages, operation_id="op")
    await cache.transcripts.append("s", {"n": 600})
    again = await cache.transcripts.save("s", messages, operation_id="op")

    assert (again.repeated, again.revision) == (True, first.revision)
    assert await _numbers(cache) == list(range(601))


async def test_pop_takes_the_last_and_its_number_with_it(cache: AsyncSessionCache) -> None:
    """The newest message is removed and answered; the next one gets a new number."""
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    popped = await cache.transcripts.pop("s")
    again = await cache.transcripts.append("s", {"n": 3})

    assert popped is not None
    assert (popped.seq, popped.message) == (2, {"n": 2})
    assert again.first_seq == 3
    assert await _numbers(cache) == [1, 3]
    assert [await cache.transcripts.pop("s") is not None for _ in range(3)] == [True, True, False]
    assert (await cache.transcripts.list("s")).exists
    assert (await cache.stats.get()).bytes == 0


async def test_a_repeated_pop_answers_the_same_message(cache: AsyncSessionCache) -> None:
    """A pop whose answer was lost gives the message when it is sent again, and removes no other."""
    await cache.transcripts.append("s", [{"n": 1}, {"n": "zwei\r\n:$ü"}])
    first = await cache.transcripts.pop("s", operation_id="op")
    again = await cache.transcripts.pop("s", operation_id="op")

    assert first == again
    assert await _numbers(cache) == [1]


async def test_delete_empties_and_keeps_the_session(cache: AsyncSessionCache) -> None:
    """All messages go, the session and its title stay."""
    assert not await cache.transcripts.delete("s")
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    await cache.sessions.update("s", title="kept")
    assert await cache.transcripts.delete("s")
    assert not await cache.transcripts.delete("s")
    session = await cache.sessions.get("s")

    assert session is not None
    assert (session.title, session.messages, session.bytes) == ("kept", 0, 0)
    assert (await cache.transcripts.append("s", {"n": 3})).first_seq == 3


async def test_pop_and_delete_on_nothing(cache: AsyncSessionCache) -> None:
    """Neither creates a session."""
    assert await cache.transcripts.pop("s") is None
    assert not await cache.transcripts.delete("s")
    assert not await cache.sessions.exists("s")


async def test_a_repeated_long_replacement_stages_nothing(engine: Engine, cache: AsyncSessionCache) -> None:
    """A swap that was done is answered when it is sent again; its parts are not put aside, and take no numbers."""
    messages = [{"n": number} for number in range(BATCH_ITEMS_MAX + 1)]
    first = await cache.transcripts.save("s", messages, operation_id="op")
    again = await cache.transcripts.save("s", messages, operation_id="op")

    assert (first.repeated, again.repeated) == (False, True)
    assert [key.name for key in list_keys(engine) if "staging" in key.name] == []
    assert (await cache.transcripts.append("s", {"n": -1})).first_seq == first.last_seq + 1


@pytest.mark.parametrize("event", ["created", "created anew"])
async def test_a_session_that_changes_while_messages_are_staged(
    engine: Engine, namespace: str, other_cache: AsyncSessionCache, event: str
) -> None:
    """Messages whose numbers were reserved in another incarnation, or in none, are staged again: none is shared."""
    lowest, settings = lowest_transport(engine, namespace)
    gated = AsyncGatedTransport(lowest)
    gate = gated.gate("transcripts.save")
    async with AsyncSessionCache(gated, settings) as cache:
        if event == "created anew":
            await other_cache.transcripts.append("s", {"n": "first"})
        saving = asyncio.create_task(cache.transcripts.save("s", [{"n": n} for n in range(600)]))
        await gate.reached()
        await other_cache.sessions.delete("s")
        appended = [await other_cache.transcripts.append("s", {"n": n}) for n in range(3)]
        gate.open()
        replaced = await saving

        assert replaced.first_seq > appended[-1].last_seq
        assert await _numbers(cache) == list(range(600))
        assert (replaced.replaced, replaced.created) == (3, False)
