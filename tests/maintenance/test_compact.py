"""The job that seals: what it takes, what it leaves, and how it goes on."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from sessioncache import AsyncSessionCache, LeaseLost, RetentionPolicy, Session
from sessioncache.maintenance import Report, compact, dictionary, prune
from tests.engines import Engine, list_keys
from tests.engines.caches import make_async_cache
from tests.engines.raw import client_for

HOUR_MS = 3_600_000


def start(cache: AsyncSessionCache) -> int:
    """Stop the clock at now; the keys' own expiry goes on."""
    cache.keys.now_override_ms = int(time.time() * 1000)
    return cache.keys.now_override_ms


def later(cache: AsyncSessionCache, ms: int) -> None:
    """Let time pass."""
    assert cache.keys.now_override_ms is not None
    cache.keys.now_override_ms += ms


async def run(cache: AsyncSessionCache, limit: int = 1_000) -> Report:
    """One run."""
    return await compact.run(cache, 0, limit=limit)


def names(engine: Engine, ending: str) -> set[str]:
    """Sessions that have a key that ends so."""
    found = [key.name for key in list_keys(engine) if key.name.endswith(ending)]
    return {name.partition(":s:")[2].removesuffix(ending) for name in found}


async def test_idle_sessions_are_sealed_whole(cache: AsyncSessionCache, engine: Engine) -> None:
    """A session that nobody has written to for an hour has no stream any more; the others have theirs."""
    start(cache)
    for name, count in (("a", 500), ("b", 5)):
        await cache.transcripts.append(name, [{"n": n} for n in range(count)])
    later(cache, HOUR_MS)
    await cache.sessions.update("b", title="written")
    report = await run(cache)

    assert (report.job, report.changed, report.details) == ("compact", 1, {"sealed": 1, "sealed_messages": 500})
    assert (names(engine, ":sealed"), names(engine, ":transcript"), names(engine, ":operations")) == (
        {"a"},
        {"b"},
        {"b"},
    )
    assert [entry.message["n"] async for entry in cache.transcripts.each("a")] == list(range(500))


async def test_heads_of_long_transcripts_are_sealed(cache: AsyncSessionCache, engine: Engine) -> None:
    """Of a session in use the newest 256 messages stay, and what lies before them in whole chunks is sealed."""
    start(cache)
    for part in range(2):
        await cache.transcripts.append("long", [{"n": part * 320 + n} for n in range(320)])
    await cache.transcripts.append("short", [{"n": n} for n in range(300)])
    report = await run(cache)

    assert report.details == {"sealed": 1, "sealed_messages": 384}
    key = cache.keys.session("long").transcript
    with client_for(engine, key) as client:
        assert client.xlen(key) == 256
    assert [entry.message["n"] async for entry in cache.transcripts.each("long")] == list(range(640))
    assert (await run(cache)).details == {}


async def test_no_tool_call_is_parted_from_its_result(cache: AsyncSessionCache) -> None:
    """A chunk ends where the next message does not continue the one before it; so does what is trimmed."""
    start(cache)
    messages = [{"role": "tool" if n % 3 else "assistant", "n": n} for n in range(480)]
    await cache.transcripts.append("s", messages)
    later(cache, HOUR_MS)
    await run(cache)
    await cache.upkeep.trim(0, ["s"], RetentionPolicy(keep_messages=200))

    page = await cache.transcripts.list("s", limit=1)
    assert page.messages[0]["role"] == "assistant"
    assert 200 <= page.count < 480


async def test_a_session_that_woke_up_sleeps_again(cache: AsyncSessionCache, engine: Engine) -> None:
    """What was written since lies in the last chunk, if that was small: many short days do not make many chunks."""
    start(cache)
    for day in range(20):
        await cache.transcripts.append("s", [{"day": day}, {"role": "tool", "day": day}])
        later(cache, HOUR_MS)
        assert (await run(cache)).details == {"sealed": 1, "sealed_messages": 2}
    key = cache.keys.session("s").sealed
    with client_for(engine, key) as client:
        assert client.llen(key) == 2
    assert [entry.message["day"] async for entry in cache.transcripts.each("s")] == [n // 2 for n in range(40)]


async def test_a_run_goes_on_where_the_last_one_came_to(cache: AsyncSessionCache) -> None:
    """A limit stops a run; the next one looks at others, and sessions that were looked at are looked at no more."""
    start(cache)
    for name in range(10):
        await cache.transcripts.append(f"s{name}", {"n": 1})
        later(cache, 1 if name % 3 else 0)
    later(cache, HOUR_MS)
    reports = [await run(cache, limit=4) for _ in range(3)]

    assert [(report.examined, report.done) for report in reports] == [(4, False), (4, False), (2, True)]
    assert sum(report.details["sealed"] for report in reports) == 10
    assert (await run(cache)).examined == 0
    await cache.transcripts.append("s1", {"n": 2})
    later(cache, HOUR_MS)
    assert (await run(cache)).details == {"sealed": 1, "sealed_messages": 1}


async def test_a_session_from_the_past_was_written_just_now(cache: AsyncSessionCache, engine: Engine) -> None:
    """What a caller says of the time of a write does not make its session idle: its operation ids are remembered."""
    now = start(cache)
    for name in ("old", "imported"):
        past = datetime.fromtimestamp(now / 1000 - 999_999, UTC)
        await cache.sessions.save(Session(id=name), messages=[{"n": 1}], updated_at=past, operation_id="one")
        await run(cache)
        repeated = await cache.sessions.save(Session(id=name), messages=[{"n": 1}], updated_at=past, operation_id="one")
        assert repeated.repeated
    later(cache, 2 * 86_400_000)
    assert (await run(cache)).details == {"sealed": 2, "sealed_messages": 2}
    assert names(engine, ":operations") == set()


async def test_the_policy_decides(cache: AsyncSessionCache) -> None:
    """Nothing is sealed where the policy says so, and nothing earlier than after ten minutes."""
    await cache.retention.save(RetentionPolicy(seal_idle_ms=0, seal_keep=0))
    start(cache)
    await cache.transcripts.append("s", [{"n": n} for n in range(500)])
    later(cache, HOUR_MS)
    assert (await run(cache)).examined == 0
    await cache.retention.save(RetentionPolicy(seal_idle_ms=1, seal_keep=0))
    await cache.transcripts.append("s", {"n": 1})
    later(cache, 599_999)
    assert (await run(cache)).details == {}
    later(cache, 1)
    assert (await run(cache)).details == {"sealed": 1, "sealed_messages": 501}


async def test_whoever_lost_the_shard_seals_nothing(cache: AsyncSessionCache) -> None:
    """A worker whose lease was taken over is refused, and nothing has changed."""
    start(cache)
    await cache.transcripts.append("s", {"n": 1})
    later(cache, HOUR_MS)
    lease = await cache.upkeep.acquire(0, "compact", holder="one", ttl_ms=1_000)
    later(cache, 1_001)
    assert await cache.upkeep.acquire(0, "compact", holder="two", ttl_ms=1_000)
    with pytest.raises(LeaseLost):
        await compact.run(cache, 0, limit=10, lease=lease)
    assert (await run(cache)).details["sealed"] == 1


async def test_a_namespace_gets_a_dictionary_of_its_own(cache: AsyncSessionCache, engine: Engine) -> None:
    """Short sessions that resemble each other get small; a new dictionary leaves old chunks readable."""
    start(cache)
    for n in range(600):
        greeting = {"role": "user", "content": f"Good morning, where is my order number {n * 7919 % 9973} now?"}
        answer = {
            "role": "assistant",
            "content": f"Order {n * 7919 % 9973} was sent on day {n % 28}, it will arrive soon.",
        }
        await cache.transcripts.append(f"s{n}", [greeting, answer])
    later(cache, HOUR_MS)
    report = await run(cache)
    assert report.details["sealed"] == 600
    first = await cache.upkeep.current_dictionary()
    assert first.data is not None
    key = cache.keys.session("s7").sealed
    with client_for(engine, key) as client:
        assert len(client.execute_command("LINDEX", key, 1)) * 2 < (await cache.sessions.list(limit=1)).items[0].bytes

    made = await dictionary.train(cache, size=2_048)
    assert made is not None
    assert made[0] != first.name
    await cache.transcripts.append("s7", {"role": "user", "content": "Good evening, where is my order number 12 now?"})
    later(cache, HOUR_MS)
    await run(cache)
    stored = cache.keys.shard(0).dictionaries
    with client_for(engine, stored) as client:
        assert set(client.execute_command("HKEYS", stored)) == {first.name.encode(), made[0].encode()}
    assert [len(await cache.transcripts.list(f"s{n}")) for n in (6, 7)] == [2, 3]


async def test_a_namespace_with_a_dictionary_can_be_opened(
    cache: AsyncSessionCache, engine: Engine, namespace: str
) -> None:
    """A process that starts when the dictionary is there opens the namespace, though its bytes are no text."""
    for n in range(600):
        await cache.transcripts.append(f"s{n}", [{"role": "user", "content": f"Where is my order {n * 7919 % 9973}?"}])
    made = await dictionary.train(cache, size=2_048)
    assert made is not None
    async with make_async_cache(engine, namespace, shards=1) as late:
        assert len(await late.transcripts.list("s7")) == 1


async def test_no_dictionary_is_made_of_what_a_codec_wrote(engine: Engine, namespace: str) -> None:
    """Payloads of a codec may be secrets: they are compressed as they are, and never taken for a dictionary."""
    from tests.maintenance.conftest import make_cache

    class Secret:
        header = b"\x02"

        def encode(self, json_bytes: bytes) -> bytes:
            return self.header + bytes(byte ^ 0x5A for byte in json_bytes)

        def decode(self, payload: bytes) -> bytes:
            return bytes(byte ^ 0x5A for byte in payload[1:])

    async with make_cache(engine, namespace, shards=1, codec=Secret()) as cache:
        start(cache)
        for n in range(400):
            await cache.transcripts.append(f"s{n}", [{"role": "user", "content": "a secret of a few words " * 8}])
        later(cache, HOUR_MS)
        assert (await run(cache)).details["sealed"] == 400
        assert (await cache.upkeep.current_dictionary()).data is None
        assert (await dictionary.train(cache, size=1_024)) is None
        assert (await cache.transcripts.list("s9")).messages[0]["role"] == "user"


@pytest.mark.engines("valkey", "redis")
async def test_sealed_sessions_take_a_fraction_of_the_memory(cache: AsyncSessionCache, engine: Engine) -> None:
    """Sessions of two short messages take a third of what they took, counted with all their keys."""
    start(cache)
    for n in range(300):
        await cache.transcripts.append(f"s{n}", [{"role": "user", "content": f"hello {n}"}, {"content": "hi"}])

    def memory() -> int:
        record = cache.keys.session("s").record[:-1]
        with client_for(engine, record) as client:
            keys = [key.name for key in list_keys(engine) if key.name.startswith(record)]
            return sum(int(client.execute_command("MEMORY", "USAGE", key)) for key in keys)

    before = memory()
    later(cache, HOUR_MS)
    await run(cache)
    assert memory() * 3 < before


async def test_messages_that_are_too_old_go_though_they_are_sealed(cache: AsyncSessionCache) -> None:
    """With an age to keep, the old part of a chunk goes, and no result is parted from its call."""
    now = start(cache)
    for hour in range(6):
        messages = [{"role": "tool" if n % 2 else "assistant", "hour": hour, "n": n} for n in range(4)]
        await cache.transcripts.append("s", messages)
        await cache.transcripts.append("whole", messages[:2])
        later(cache, HOUR_MS)
    later(cache, HOUR_MS)
    await run(cache)
    before = await cache.stats.get()
    await cache.retention.save(RetentionPolicy(keep_age_ms=4 * HOUR_MS + 1))
    report = await prune.run(cache, 0, limit=10)

    page = await cache.transcripts.list("s")
    assert [entry.message["hour"] for entry in page] == [3] * 4 + [4] * 4 + [5] * 4
    assert all(entry.ms >= now + 3 * HOUR_MS for entry in page)
    assert [entry.seq for entry in page] == list(range(13, 25))
    assert report.details["messages"] == 12 + 6
    after = await cache.stats.get()
    assert (before.messages - after.messages, after.bytes) == (18, sum(len(e.payload) for e in page) * 3 // 2)
    assert (await prune.run(cache, 0, limit=10)).details == {}
    popped = await cache.transcripts.pop("s")
    assert popped is not None
    assert popped.seq == 24
