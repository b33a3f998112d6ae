"""Sending again: under the same operation id, only what may pass, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from sessioncache import AsyncSessionCache, SessionCache, telemetry
from sessioncache.client.build import make_settings
from sessioncache.errors import (
    AccessDenied,
    BackendFull,
    BackendReadOnly,
    BackendTimeout,
    BackendUnavailable,
    NotReplicated,
    ScriptFailure,
    SessionCacheError,
)
from sessioncache.testing import (
    AsyncFaultyTransport,
    AsyncRecordingTransport,
    FaultyTransport,
    fake_cache,
    fake_cache_sync,
)
from sessioncache.transport.base import AsyncTransport
from sessioncache.wire.call import Call

T = TypeVar("T")

PATIENT = {"call_timeout_ms": 60_000, "retry_wait_max_ms": 1}


class Hook:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.retries: list[tuple[str, str]] = []

    def on_call(self, record: telemetry.CallRecord) -> None:
        """Calls are not of interest here."""

    def on_retry(self, name: str, error: str) -> None:
        self.retries.append((name, error))


class Bench:
    """A cache whose lowest transport can be made to fail, and counts."""

    def __init__(self, **options: object) -> None:
        self.sent = AsyncRecordingTransport(fake_cache()._lowest)
        self.faulty = AsyncFaultyTransport(self.sent)
        self.asked = AsyncRecordingTransport(self.faulty)
        self.hook = Hook()
        settings = make_settings(None, "test", PATIENT | options)
        self.cache = AsyncSessionCache(self.asked, settings, hooks=[self.hook])

    def count(self, name: str) -> tuple[int, int]:
        """How often a call was tried, and how often it reached the server."""
        return self.asked.names().count(name), self.sent.names().count(name)


@pytest.fixture
def bench() -> Bench:
    """A new one."""
    return Bench()


@pytest.mark.parametrize("kind", [BackendUnavailable, BackendTimeout, BackendReadOnly])
async def test_what_may_pass_is_sent_again(bench: Bench, kind: type[SessionCacheError]) -> None:
    """After a failure that may pass, the same call goes out again under its operation id, and says since when."""
    bench.faulty.faults.refuse("transcripts.append", times=3, error=lambda: kind("for a while"))
    appended = await bench.cache.transcripts.append("chat", {"n": 1})
    tried = [call for call in bench.asked.calls if call.name == "transcripts.append"]
    assert (appended.last_seq, appended.repeated, len(tried)) == (1, False, 4)
    assert {(call.keys, call.args[:2], call.args[3:]) for call in tried} == {
        (tried[0].keys, tried[0].args[:2], tried[0].args[3:])
    }
    assert [bool(call.args[2]) for call in tried] == [False, True, True, True]


@pytest.mark.parametrize("kind", [BackendFull, AccessDenied, ScriptFailure, NotReplicated])
async def test_what_does_not_pass_is_not_sent_again(bench: Bench, kind: type[SessionCacheError]) -> None:
    """A failure that stays is raised at once."""
    bench.faulty.faults.refuse("transcripts.append", error=lambda: kind("stays"))
    with pytest.raises(kind, match="stays"):
        await bench.cache.transcripts.append("chat", {"n": 1})
    assert bench.count("transcripts.append") == (1, 0)


async def test_an_answer_of_a_script_is_not_sent_again(bench: Bench) -> None:
    """What a script refuses is final."""
    with pytest.raises(LookupError):
        await bench.cache.sessions.update("nobody", title="x")
    assert bench.count("sessions.update") == (1, 1)


@pytest.mark.parametrize(
    "write",
    [
        lambda cache: cache.transcripts.append("chat", {"n": 2}),
        lambda cache: cache.transcripts.pop("chat"),
        lambda cache: cache.transcripts.save("chat", [{"n": 3}]),
        lambda cache: cache.transcripts.delete("chat"),
        lambda cache: cache.sessions.update("chat", title="x"),
        lambda cache: cache.sessions.delete("chat"),
        lambda cache: cache.retention.update("chat", ttl_ms=1_000_000),
    ],
    ids=["append", "pop", "save", "delete", "update", "delete-session", "retain"],
)
async def test_a_write_whose_reply_is_lost_happens_once(
    bench: Bench, write: Callable[[AsyncSessionCache], object]
) -> None:
    """Executed, not answered, sent again: the feed has one change more, and the answer is that of the first time."""
    cache = bench.cache
    await cache.transcripts.append("chat", [{"n": 0}, {"n": 1}])
    (before,) = [shard.feed_seq for shard in await cache.stats.shards() if shard.feed_seq]
    bench.faulty.faults.lose_reply(times=3)
    await write(cache)  # type: ignore[misc]  # a coroutine of some type
    (after,) = [shard.feed_seq for shard in await cache.stats.shards() if shard.feed_seq]
    assert after == before + 1


class Overtaken(AsyncFaultyTransport):
    """Loses the answer to the first append, and lets everybody else go on before it is sent again."""

    others: asyncio.Task[None]
    tried = 0

    def __init__(self, inner: AsyncTransport) -> None:
        super().__init__(inner)
        self.is_repeated = asyncio.Event()

    async def call(self, call: Call[T]) -> T:
        """Send a call, when its time has come."""
        if call.name != "transcripts.append":
            return await super().call(call)
        self.tried += 1
        if self.tried == 1:
            await super().call(call)
            raise BackendTimeout("the answer was lost")
        if self.tried == 2:
            self.is_repeated.set()
            for _ in range(5_000):
                await asyncio.sleep(0)
        return await super().call(call)


async def test_nobody_overtakes_a_write_that_is_repeated() -> None:
    """A write whose answer was lost happens once, though forty others of its session come before it is sent again."""
    lowest = Overtaken(fake_cache()._lowest)
    cache = AsyncSessionCache(lowest, make_settings(None, "test", PATIENT))
    await cache.open()

    async def others() -> None:
        await lowest.is_repeated.wait()
        for number in range(1, 41):
            await cache.transcripts.append("chat", {"n": number})

    lowest.others = asyncio.create_task(others())
    await cache.transcripts.append("chat", {"n": 0})
    await lowest.others
    page = await cache.transcripts.list("chat", last=100)
    assert [message["n"] for message in page.messages] == list(range(41))


async def test_trying_ends_when_the_time_is_up() -> None:
    """A failure that stays for longer than the call may take is raised as it was."""
    bench = Bench(call_timeout_ms=50)
    await bench.cache.open()
    fault = bench.faulty.faults.refuse("transcripts.append", times=1_000_000)
    with pytest.raises(BackendUnavailable, match="refused by the test"):
        await bench.cache.transcripts.append("chat", {"n": 1})
    assert fault.hit >= 2
    assert bench.count("transcripts.append") == (fault.hit, 0)


async def test_of_calls_sent_together_only_the_failed_are_repeated(bench: Bench) -> None:
    """The second round trip holds the calls that failed, and no others."""
    await bench.cache.open()
    bench.asked.clear()
    bench.faulty.faults.refuse("stats.read", skip=5, times=2)
    bench.faulty.faults.lose_reply("stats.read", skip=20, times=1)
    shards = await bench.cache.stats.shards()
    assert [shard.shard for shard in shards] == list(range(64))
    assert [len(names) for names in bench.asked.round_trips] == [64, 3]


async def test_of_calls_sent_together_the_first_failure_is_raised(bench: Bench) -> None:
    """A failure that stays is raised after the others were answered, and nothing is repeated."""
    await bench.cache.open()
    bench.asked.clear()
    bench.faulty.faults.refuse("stats.read", skip=5, error=lambda: AccessDenied("stays"))
    with pytest.raises(AccessDenied, match="stays"):
        await bench.cache.stats.shards()
    assert [len(names) for names in bench.asked.round_trips] == [64]


async def test_every_repeat_is_told(bench: Bench) -> None:
    """The telemetry hook hears of each repeat, with the call's name and the error's code."""
    bench.faulty.faults.refuse("transcripts.append", times=2)
    await bench.cache.transcripts.append("chat", {"n": 1})
    assert bench.hook.retries == [("transcripts.append", "backend_unavailable")] * 2


async def test_opening_happens_once(bench: Bench) -> None:
    """However many tasks begin at once, the namespace is opened by one of them, before all else."""
    import asyncio

    await asyncio.gather(*[bench.cache.sessions.exists(f"chat {number}") for number in range(20)])
    assert bench.count("namespaces.open") == (1, 1)
    assert bench.asked.names()[0] == "namespaces.open"


async def test_opening_is_tried_again_after_a_failure(bench: Bench) -> None:
    """A cache that could not be opened is opened by the next call."""
    bench.faulty.faults.refuse("namespaces.open", error=lambda: AccessDenied("not yet"))
    with pytest.raises(AccessDenied):
        await bench.cache.sessions.exists("chat")
    assert not await bench.cache.sessions.exists("chat")
    assert bench.count("namespaces.open") == (2, 1)


async def test_opening_is_patient_too(bench: Bench) -> None:
    """A failure that passes while the cache is opened is repeated within the same call."""
    bench.faulty.faults.refuse("namespaces.open", times=2)
    assert not await bench.cache.sessions.exists("chat")
    assert bench.count("namespaces.open") == (3, 1)


async def test_opening_is_patient_for_calls_sent_together(bench: Bench) -> None:
    """Calls that could not be sent at all, because opening failed for a reason that passes, are sent again too."""
    bench.faulty.faults.refuse("namespaces.open", times=2)
    assert len(await bench.cache.stats.shards()) == 64
    assert bench.count("namespaces.open") == (3, 1)
    assert bench.hook.retries == [("call_many", "backend_unavailable")] * 2


async def test_an_append_is_one_round_trip(bench: Bench) -> None:
    """Once the cache is open, an append is one call in one round trip; so are the reads."""
    await bench.cache.transcripts.append("chat", {"n": 0})
    bench.sent.clear()
    await bench.cache.transcripts.append("chat", [{"n": 1}, {"n": 2}])
    await bench.cache.transcripts.list("chat", last=10)
    await bench.cache.sessions.get("chat")
    assert [names[0].split(".")[0] for names in bench.sent.round_trips] == ["transcripts", "transcripts", "sessions"]
    assert bench.sent.round_trips[0] == ("transcripts.append",)


def test_the_sync_side_repeats_alike() -> None:
    """The generated twin repeats under the same operation id, and ends when the time is up."""
    faulty = FaultyTransport(fake_cache_sync()._lowest)
    cache = SessionCache(faulty, make_settings(None, "test", PATIENT))
    fault = faulty.faults.lose_reply("transcripts.append", times=2)
    assert cache.transcripts.append("chat", {"n": 1}).repeated
    assert (fault.hit, cache.transcripts.count("chat")) == (2, 1)
    faulty.faults.refuse("stats.read", skip=5, times=2)
    assert sum(shard.messages for shard in cache.stats.shards()) == 1
    hasty = SessionCache(faulty, make_settings(None, "test", PATIENT | {"call_timeout_ms": 50}))
    faulty.faults.refuse("transcripts.append", times=1_000_000)
    with pytest.raises(BackendUnavailable):
        hasty.transcripts.append("chat", {"n": 2})
