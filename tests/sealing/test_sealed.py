"""Sealed transcripts on a server: nobody sees a difference, whoever comes in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest

from sessioncache import (
    AsyncSessionCache,
    BackendFull,
    DecodeError,
    RetentionPolicy,
    Session,
    SessionCache,
    SessionTorn,
)
from sessioncache.sealing import dictionaries
from sessioncache.sealing.chunks import dictionary_id
from sessioncache.sealing.models import Sealable, Swap
from sessioncache.sealing.plan import plan_swap
from sessioncache.testing import AsyncFaultyTransport, AsyncGatedTransport, AsyncRecordingTransport
from sessioncache.upkeep import Trimmed
from tests.engines import Engine, list_keys
from tests.engines.caches import lowest_transport, make_async_cache
from tests.engines.raw import client_for
from tests.sealing.sealing import CHUNK, seal

Side = Literal["before", "after"]
Do = Callable[[AsyncSessionCache], Awaitable[object]]


async def prepare(cache: AsyncSessionCache, session_id: str = "s", count: int = 10) -> None:
    """A session with numbered messages."""
    await cache.transcripts.append(session_id, [{"role": "user", "n": n} for n in range(1, count + 1)])


async def seen(cache: AsyncSessionCache, session_id: str = "s") -> tuple[object, ...]:
    """All that a reader sees of a session, times left out."""
    session = await cache.sessions.get(session_id)
    page = await cache.transcripts.list(session_id)
    stats = await cache.stats.get()
    entries = [(entry.seq, entry.payload, entry.message) for entry in page]
    counters = session and (session.revision, session.messages, session.bytes, session.first_seq, session.last_seq)
    return (counters, entries, page.count, page.revision, stats.messages, stats.bytes, stats.sessions, stats.changes)


@pytest.mark.parametrize("keep", [0, 3])
async def test_sealing_is_invisible(cache: AsyncSessionCache, sync_cache: SessionCache, keep: int) -> None:
    """Record, messages, totals and feed are the same after sealing as before; the stream has lost what was sealed."""
    await prepare(cache)
    before = await seen(cache)
    assert set(await seal(cache, "s", keep=keep)) == {"sealed"}

    assert await seen(cache) == before
    assert await cache.transcripts.count("s") == 10
    assert (len(await cache.transcripts.list("s", limit=0)), await cache.transcripts.count("nobody")) == (0, 0)
    assert [entry.seq for entry in sync_cache.transcripts.list("s", last=4)] == [7, 8, 9, 10]
    assert [entry.seq for entry in sync_cache.transcripts.each("s", batch=3)] == list(range(1, 11))
    page = await cache.transcripts.list("s", last=3)
    seqs = [[entry.seq for entry in page]]
    while page.cursor:
        page = await cache.transcripts.list("s", cursor=page.cursor)
        seqs.append([entry.seq for entry in page])
    assert seqs == [[8, 9, 10], [5, 6, 7], [2, 3, 4], [1]]


async def test_an_idle_session_has_no_stream_and_no_operations(cache: AsyncSessionCache, engine: Engine) -> None:
    """Sealed whole, a session consists of its record and its chunks; the next write makes the others anew."""
    await prepare(cache)
    await seal(cache, "s")
    record = cache.keys.session("s").record
    assert {key.name for key in list_keys(engine) if key.name.startswith(record)} == {record, f"{record}:sealed"}

    appended = await cache.transcripts.append("s", {"n": 11}, operation_id="one")
    repeated = await cache.transcripts.append("s", {"n": 11}, operation_id="one")
    assert (appended.first_seq, appended.count) == (11, 11)
    assert (repeated.repeated, repeated.first_seq) == (True, 11)
    await cache.sessions.delete("s")
    assert not [key.name for key in list_keys(engine) if key.name.startswith(record) and "tombstone" not in key.name]


WRITES: dict[str, Do] = {
    "append": lambda cache: cache.transcripts.append("s", {"n": "new"}),
    "pop": lambda cache: cache.transcripts.pop("s"),
    "replace": lambda cache: cache.transcripts.save("s", [{"n": "new"}]),
    "replace by many": lambda cache: cache.transcripts.save("s", [{"n": n} for n in range(501)]),
    "replace all of it": lambda cache: cache.transcripts.save("s", [{"n": "new"}], through=10),
    "replace a part": lambda cache: cache.transcripts.save("s", [{"n": "new"}, {"n": "newer"}], through=6),
    "replace the first": lambda cache: cache.transcripts.save("s", [{"n": "new"}], through=1),
    "insert": lambda cache: cache.transcripts.save("s", [], through=0),
    "save": lambda cache: cache.sessions.save(Session(id="s"), messages=[{"n": "new"}]),
    "save over": lambda cache: cache.sessions.save(Session(id="s"), messages=[{"n": "new"}], through=6),
    "title": lambda cache: cache.sessions.update("s", title="new"),
    "delete the messages": lambda cache: cache.transcripts.delete("s"),
    "delete": lambda cache: cache.sessions.delete("s"),
}
"""Every kind of write that meets sealed messages."""


async def plain_outcome(engine: Engine, *names: str) -> tuple[object, ...]:
    """What writes do to a session of which nothing is sealed."""
    async with make_async_cache(engine, "t-plain") as cache:
        await prepare(cache)
        for name in names:
            await WRITES[name](cache)
        outcome = await seen(cache)
        await cache.sessions.delete_all()
    return outcome


@pytest.mark.parametrize("keep", [0, 3])
@pytest.mark.parametrize("name", WRITES)
async def test_writes_do_what_they_do_to_others(cache: AsyncSessionCache, engine: Engine, name: str, keep: int) -> None:
    """Each write leaves what it would leave where nothing is sealed."""
    await prepare(cache)
    await seal(cache, "s", keep=keep)
    await WRITES[name](cache)
    assert await seen(cache) == await plain_outcome(engine, name)


async def read_for_seal(cache: AsyncSessionCache, keep: int) -> Swap:
    """What a worker is about to swap."""
    (found,) = await cache.upkeep.sealable(["s"], limits=[501])
    assert isinstance(found, Sealable)
    swap = plan_swap(found.state, found.entries, [], keep=keep, dictionary=None, chunk_messages=CHUNK)
    assert swap is not None
    return swap


async def swap_in(cache: AsyncSessionCache, swap: Swap) -> object:
    """Do it."""
    idle_ms = 0 if swap.count == swap.state.tail else None
    return (await cache.upkeep.seal(cache.keys.shard_of("s"), {"s": (swap, idle_ms)}))[0]


@pytest.mark.parametrize("keep", [0, 3])
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_between_reading_and_sealing(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache, engine: Engine, *, name: str, keep: int
) -> None:
    """Whatever somebody writes after a worker has read and before it seals is there afterwards, and nothing else."""
    await prepare(cache)
    swap = await read_for_seal(cache, keep)
    await WRITES[name](other_cache)
    outcome = await swap_in(cache, swap)
    harmless = {"append", "save", "title", "pop"} if keep else {"title"}
    assert outcome == ("sealed" if name in harmless else "changed")
    assert await seen(cache) == await plain_outcome(engine, name)


async def test_a_chunk_that_came_between_two_reads(cache: AsyncSessionCache) -> None:
    """Where the last chunk was read after somebody had sealed the messages that were read before, nothing is done."""
    await prepare(cache, count=5)
    await cache.transcripts.pop("s")
    await prepare(cache, count=1)
    before = await seen(cache)
    (found,) = await cache.upkeep.sealable(["s"], limits=[501])
    await seal(cache, "s")
    (later,) = await cache.upkeep.sealable(["s"], limits=[501])
    assert isinstance(found, Sealable)
    assert isinstance(later, Sealable)
    swap = plan_swap(found.state, found.entries, later.last, keep=0, dictionary=None, chunk_messages=CHUNK)
    assert swap is not None
    assert await swap_in(cache, swap) == "changed"
    assert await seen(cache) == before


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("name", WRITES)
async def test_what_was_sealed_whole_is_read_by_one_script(
    other_cache: AsyncSessionCache, engine: Engine, namespace: str, name: str
) -> None:
    """The second read of a session that is sealed whole is one call, also where somebody has written since."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as cache:
        await prepare(cache)
        await seal(cache, "s")
        before = await cache.transcripts.list("s")
        recording.clear()
        assert await cache.transcripts.list("s") == before
        await WRITES[name](other_cache)
        after = await cache.transcripts.list("s", last=5)
        assert recording.names() == ["transcripts.list", "transcripts.list"]
        assert after == await other_cache.transcripts.list("s", last=5)
        assert await cache.transcripts.list("s") == await other_cache.transcripts.list("s")


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("step", [("sealing.open", "after"), ("sealing.unseal", "before"), ("sealing.unseal", "after")])
@pytest.mark.parametrize("other", [*(other for other in WRITES if "many" not in other), "seal", "seal the head"])
@pytest.mark.parametrize("name", ["pop", "replace a part", "save over"])
async def test_whoever_comes_while_messages_are_opened(
    engine: Engine,
    other_cache: AsyncSessionCache,
    *,
    name: str,
    other: str,
    step: tuple[str, Literal["before", "after"]],
) -> None:
    """A writer that is held up at any step of opening leaves what it would have left after the one that overtook it."""
    first = [] if other.startswith("seal") else [other]
    expected = await plain_outcome(engine, *first, name)
    lowest, settings = lowest_transport(engine, other_cache.settings.namespace)
    gated = AsyncGatedTransport(lowest)
    async with AsyncSessionCache(gated, settings) as cache:
        await prepare(cache)
        await seal(cache, "s", keep=0)
        gate = gated.gate(*step)
        writer = asyncio.create_task(_do(cache, name))
        await gate.reached()
        if other.startswith("seal"):
            await seal(other_cache, "s", keep=3 if other == "seal the head" else 0)
        else:
            await WRITES[other](other_cache)
        gate.open()
        await writer
        assert await seen(cache) == expected


async def _do(cache: AsyncSessionCache, name: str) -> object:
    return await WRITES[name](cache)


async def test_two_workers_seal_once(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Of two who read the same messages, the second changes nothing; nor does it seal what was opened."""
    await prepare(cache)
    before = await seen(cache)
    first, second = await read_for_seal(cache, 3), await read_for_seal(other_cache, 3)
    assert [await swap_in(cache, first), await swap_in(other_cache, second)] == ["sealed", "changed"]
    assert await seen(cache) == before
    await cache.transcripts.save("s", [{"n": "sum"}], through=4)
    replaced = await seen(cache)
    assert await swap_in(other_cache, second) == "changed"
    assert await seen(cache) == replaced


@pytest.mark.parametrize("name", ["pop", "replace a part", "save over"])
@pytest.mark.parametrize(
    "lost", ["sealing.open", "sealing.unseal", "transcripts.pop", "transcripts.save", "sessions.save"]
)
async def test_answers_that_are_lost_around_opening(engine: Engine, namespace: str, name: str, lost: str) -> None:
    """A write that has to open messages first happens once, whichever answer is lost on the way and asked for again."""
    expected = await plain_outcome(engine, name)
    lowest, settings = lowest_transport(engine, namespace)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        await prepare(cache)
        await seal(cache, "s")
        for skip in (0, 1):
            faulty.faults.lose_reply(lost, skip=skip)
        await WRITES[name](cache)
        faulty.faults.clear()
        assert await seen(cache) == expected


@pytest.mark.parametrize("step", ["sealing.open", "sealing.unseal", "transcripts.pop"])
async def test_a_writer_that_dies_while_it_opens(engine: Engine, namespace: str, step: str) -> None:
    """Nothing is lost and nothing is written, and the next writer goes on."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=20, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        await prepare(cache)
        await seal(cache, "s")
        before = await seen(cache)
        faulty.faults.refuse(step, skip=int(step == "transcripts.pop"), times=10_000)
        with pytest.raises(Exception, match=r".+"):
            await cache.transcripts.pop("s")
        faulty.faults.clear()
        assert await seen(cache) == before
        popped = await cache.transcripts.pop("s")
        assert popped is not None
        assert popped.seq == 10


async def test_a_long_rest_behind_a_replacement_is_refused_before_it_is_opened(
    cache: AsyncSessionCache, engine: Engine
) -> None:
    """A replacement that would leave more than 500 messages is refused as ever, and nothing is opened for it."""
    for _ in range(2):
        await cache.transcripts.append("s", [{"n": n} for n in range(300)])
    await seal(cache, "s", chunk=128)
    with pytest.raises(ValueError, match="more than 500 messages follow 50"):
        await cache.transcripts.save("s", [{"n": 1}], through=50)
    assert not [key for key in list_keys(engine) if key.name.endswith(":transcript")]
    replaced = await cache.transcripts.save("s", [{"n": 1}], through=590)
    assert (replaced.count, replaced.first_seq, replaced.last_seq) == (11, 590, 600)


def _damage(value: bytes) -> bytes:
    return value[:-3] + bytes([value[-3] ^ 0xFF]) + value[-2:]


async def test_a_damaged_chunk_is_named_and_the_others_are_read(cache: AsyncSessionCache, engine: Engine) -> None:
    """A message of a damaged chunk is a DecodeError with its number, or left out on request; others are unharmed."""
    await prepare(cache, count=12)
    await prepare(cache, "other")
    await seal(cache, "s")
    await seal(cache, "other")
    key = cache.keys.session("s").sealed
    with client_for(engine, key) as client:
        chunk: Any = client.lindex(key, 3)
        client.execute_command("LSET", key, 3, _damage(chunk))
    with pytest.raises(DecodeError, match="message 5 cannot be decoded: its chunk, 5 to 8, is damaged") as caught:
        await cache.transcripts.list("s")
    assert caught.value.seq == 5
    page = await cache.transcripts.list("s", on_corrupt="skip")
    assert [entry.seq for entry in page] == [1, 2, 3, 4, 9, 10, 11, 12]
    assert page.skipped == (5, 6, 7, 8)
    assert [entry.seq for entry in await cache.transcripts.list("s", last=4)] == [9, 10, 11, 12]
    with pytest.raises(DecodeError, match="message 5 is sealed and cannot be read"):
        await cache.transcripts.save("s", [], through=6)
    assert len(await cache.transcripts.list("other")) == 10
    assert (await cache.transcripts.save("s", [{"n": 1}], through=12)).count == 1


async def test_a_damaged_end_with_gaps_is_left_out(cache: AsyncSessionCache, engine: Engine) -> None:
    """Where the last chunk has gaps and cannot be read, the messages before it can, and the transcript is not torn."""
    await prepare(cache, count=7)
    await cache.transcripts.pop("s")
    await cache.transcripts.append("s", {"n": 8})
    await seal(cache, "s")
    key = cache.keys.session("s").sealed
    with client_for(engine, key) as client:
        client.execute_command("LSET", key, 3, b"damaged")
    page = await cache.transcripts.list("s", last=5, on_corrupt="skip")
    assert ([entry.seq for entry in page], page.skipped[-1]) == ([3, 4], 8)
    with pytest.raises(DecodeError, match="message 5 cannot be decoded"):
        await cache.transcripts.list("s", last=5)


async def test_a_chunk_without_its_place_stays(cache: AsyncSessionCache, engine: Engine) -> None:
    """Workers leave a session alone whose first place is damaged, and go on with others; nothing else of it is lost."""
    ids = [session_id for session_id in map(str, range(100)) if cache.keys.shard_of(session_id) == 0][:2]
    for session_id in ids:
        await prepare(cache, session_id, count=12)
        await seal(cache, session_id, keep=4)
    key = cache.keys.session(ids[0]).sealed
    before = await cache.transcripts.list(ids[0], start=5)
    with client_for(engine, key) as client:
        client.execute_command("LSET", key, 0, b"damaged")
    policy = RetentionPolicy(keep_messages=6, keep_age_ms=86_400_000)
    damaged, other = await cache.upkeep.trim(0, ids, policy)
    assert isinstance(damaged, Trimmed)
    assert isinstance(other, Trimmed)
    assert (damaged.messages, other.messages) == (0, 4)
    assert await cache.transcripts.list(ids[0], start=5) == before
    refused, shortened = await cache.upkeep.shorten(0, dict.fromkeys(ids, 1))
    assert isinstance(refused, DecodeError)
    assert shortened == Trimmed(0, 0, more=False)
    with client_for(engine, key) as client:
        client.ltrim(key, 0, 0)
    read = await cache.upkeep.sealable(ids, limits=[9, 9])
    assert [type(one) for one in read] == [DecodeError, Sealable]


async def test_a_part_that_was_lost_is_not_absence(cache: AsyncSessionCache, engine: Engine) -> None:
    """Where chunks that the record counts are gone, every call says SessionTorn; deleting works."""
    await prepare(cache)
    await seal(cache, "s", keep=3)
    key = cache.keys.session("s").sealed
    with client_for(engine, key) as client:
        client.delete(key)
    for do in (cache.transcripts.list, cache.transcripts.pop, cache.sessions.get):
        with pytest.raises(SessionTorn, match="chunks of its sealed messages are missing"):
            await do("s")
    assert await cache.sessions.delete("s")


async def test_chunks_of_an_old_dictionary_are_read(
    cache: AsyncSessionCache, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old chunks need the old dictionary, new ones the new; a process that knows neither asks the shard."""
    shard = cache.keys.shard_of("s")
    await prepare(cache, count=4)
    names = []
    for version in (b'{"role":"user","n":1}' * 9, b'{"n":"x","role":"tool"}' * 9):
        name = dictionary_id(version)
        names.append(name)
        (found,) = await cache.upkeep.sealable(["s"], limits=[501])
        assert isinstance(found, Sealable)
        dictionary = (name, dictionaries.remember_dictionary(name, version))
        swap = plan_swap(found.state, found.entries, [], keep=0, dictionary=dictionary, chunk_messages=CHUNK)
        assert swap is not None
        assert await swap_in(cache, swap) == "dictionary"
        await cache.upkeep.save_dictionary(shard, name, version)
        assert await swap_in(cache, swap) == "sealed"
        await prepare(cache, count=4)
    monkeypatch.setattr(dictionaries, "_known", {})
    assert [entry.message["n"] for entry in await cache.transcripts.list("s")] == [1, 2, 3, 4] * 3
    with client_for(engine, cache.keys.shard(shard).dictionaries) as client:
        client.hdel(cache.keys.shard(shard).dictionaries, names[0])
    monkeypatch.setattr(dictionaries, "_known", {})
    assert [entry.seq for entry in await cache.transcripts.list("s", start=5)] == list(range(5, 13))
    with pytest.raises(DecodeError, match=f"message 1 cannot be decoded: .*its dictionary {names[0]} is missing"):
        await cache.transcripts.list("s")


@pytest.mark.engines("valkey", "redis")
async def test_a_full_server_seals_but_does_not_open(cache: AsyncSessionCache, engine: Engine) -> None:
    """Sealing and trimming free memory and go through; opening is refused before anything has changed."""
    start_ms = cache.keys.now_override_ms = int(time.time() * 1000)
    await prepare(cache, count=2)
    cache.keys.now_override_ms += 10
    await prepare(cache, count=8)
    swap = await read_for_seal(cache, 0)
    before = await seen(cache)
    shard = cache.keys.shard_of("s")
    with client_for(engine, cache.keys.session("s").record) as client:
        client.config_set("maxmemory", 1)
        try:
            assert await swap_in(cache, swap) == "sealed"
            with pytest.raises(BackendFull):
                await cache.transcripts.pop("s")
            assert await seen(cache) == before
            assert await cache.upkeep.shorten(shard, {"s": start_ms + 5}) == [Trimmed(2, 42, more=False)]
            trimmed = await cache.upkeep.trim(shard, ["s"], RetentionPolicy(keep_messages=4))
        finally:
            client.config_set("maxmemory", 0)
    assert isinstance(trimmed[0], Trimmed)
    assert [entry.seq for entry in await cache.transcripts.list("s")] == list(range(3 + trimmed[0].messages, 11))
    assert trimmed[0].messages


@pytest.mark.foreign_keys
@pytest.mark.parametrize("foreign", ["text", "list"])
async def test_a_foreign_key_in_the_place_of_chunks_is_told(
    cache: AsyncSessionCache, engine: Engine, foreign: str
) -> None:
    """Where something else lies under the key for chunks, whoever seals hears of it, and no message is touched."""
    await prepare(cache)
    keys = cache.keys.session("s")
    read = (await cache.upkeep.sealable(["s"], limits=[501]))[0]
    assert isinstance(read, Sealable)
    swap = plan_swap(read.state, read.entries, [], keep=0, dictionary=None, chunk_messages=CHUNK)
    assert swap is not None
    with client_for(engine, keys.sealed) as client:
        if foreign == "text":
            client.set(keys.sealed, "not chunks")
        else:
            client.rpush(keys.sealed, "place", "chunk")
        assert isinstance((await cache.upkeep.sealable(["s"], limits=[501]))[0], DecodeError)
        [outcome] = await cache.upkeep.seal(cache.keys.shard_of("s"), {"s": (swap, None)})
        assert isinstance(outcome, SessionTorn)
        assert client.xlen(keys.transcript) == 10
        assert client.hget(keys.record, "sealed") is None
        client.delete(keys.sealed)
    assert [message["n"] for message in (await cache.transcripts.list("s")).messages] == list(range(1, 11))
    assert set(await seal(cache, "s", keep=0)) == {"sealed"}
