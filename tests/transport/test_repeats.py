"""A write whose answer is lost, while others write to its session: done once, or an error that says so."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from sessioncache import NO_BASE, AsyncSessionCache, OutcomeUnknown, Session, SessionCache
from sessioncache.client.build import make_settings
from sessioncache.errors import BackendError, BackendFull, BackendTimeout
from sessioncache.maintenance import compact
from sessioncache.testing import fake_cache, fake_cache_sync
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.repeats import CLOCKS_APART_MS, UNKNOWN_MAX, First, Repeats
from sessioncache.wire.call import Call, Write
from sessioncache.wire.script import load_script
from tests.engines import Engine
from tests.engines.raw import client_for

T = TypeVar("T")
Deed = Callable[[AsyncSessionCache], Awaitable[Any]]

DEEDS: dict[str, Deed] = {
    "append": lambda cache: cache.transcripts.append("chat", {"mine": 1}),
    "save": lambda cache: cache.transcripts.save("chat", [{"mine": 1}]),
    "pop": lambda cache: cache.transcripts.pop("chat"),
    "clear": lambda cache: cache.transcripts.delete("chat"),
    "save-session": lambda cache: cache.sessions.save(Session(id="chat", status="mine"), messages=[{"mine": 1}]),
    "room": lambda cache: cache.usage.append("chat", {"input_tokens": 1}),
    "delete": lambda cache: cache.sessions.delete("chat"),
}


class Cut:
    """Sends on, but loses one answer, of a call that was done or was not; then others have their time."""

    def __init__(self, inner: AsyncTransport) -> None:
        self._inner = inner
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.is_done = True
        self.error: type[BackendError] = BackendTimeout
        self.only = ""

    async def call(self, call: Call[T]) -> T:
        """Send one call."""
        if self.meanwhile is None or not _is_a_write(call) or not call.name.startswith(self.only):
            return await self._inner.call(call)
        meanwhile, self.meanwhile = self.meanwhile, None
        if self.is_done:
            await self._inner.call(call)
        await meanwhile()
        raise self.error("the answer was lost")

    async def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls together; all or none of their answers are lost."""
        if self.meanwhile is None or not any(map(_is_a_write, calls)):
            return await self._inner.call_many(calls, return_errors=return_errors)
        meanwhile, self.meanwhile = self.meanwhile, None
        if self.is_done:
            await self._inner.call_many(calls, return_errors=return_errors)
        await meanwhile()
        return [BackendTimeout("the answer was lost") for _ in calls]

    async def listen(self, *args: Any, **options: Any) -> None:
        """Wait for changes."""
        await self._inner.listen(*args, **options)

    async def aclose(self) -> None:
        """Whoever made what is inside closes it."""


def _is_a_write(call: Call[Any]) -> bool:
    return call.writes and not call.name.startswith("namespaces.")


def behind(cut: Cut, cache: AsyncSessionCache) -> AsyncSessionCache:
    """Another cache on the same namespace, as another process would have it, whose answers can be lost."""
    given = {"call_timeout_ms": 60_000, "retry_wait_max_ms": 1, "shards": cache.keys.shards}
    return AsyncSessionCache(cut, make_settings(None, cache.keys.namespace, given))


async def others_write(cache: AsyncSessionCache, count: int) -> None:
    """Somebody else writes to the session, later than clocks can be apart."""
    for number in range(count):
        await cache.transcripts.append("chat", {"other": number})


async def changes(cache: AsyncSessionCache, count: int, *, is_done: bool, deed: Deed) -> tuple[int, Any]:
    """The deed's answer is lost while others write: how many changes it made itself, and what it answered or raised."""
    await others_write(cache, 20)
    # What was there before the first attempt is as old as it would be outside of a test.
    await asyncio.sleep(1.5 * CLOCKS_APART_MS / 1000)
    before = sum(shard.feed_seq for shard in await cache.stats.shards())
    cut = Cut(cache._lowest)
    cut.is_done = is_done
    cut.meanwhile = lambda: others_write(cache, count)
    mine = behind(cut, cache)
    try:
        answer = await deed(mine)
    except OutcomeUnknown as error:
        answer = error
    after = sum(shard.feed_seq for shard in await cache.stats.shards())
    return after - before - count, answer


@pytest.mark.parametrize("name", DEEDS)
async def test_a_write_is_known_while_fifteen_others_come(cache: AsyncSessionCache, name: str) -> None:
    """Done, not answered, and repeated behind fifteen writes of others: it happens once, and gets its first reply."""
    made, answer = await changes(cache, 15, is_done=True, deed=DEEDS[name])
    assert made == 1
    assert not isinstance(answer, OutcomeUnknown)


@pytest.mark.parametrize("count", [16, 40])
@pytest.mark.parametrize("name", [name for name in DEEDS if name != "delete"])
async def test_a_write_that_may_be_forgotten_is_an_error(cache: AsyncSessionCache, name: str, count: int) -> None:
    """Done, not answered, and repeated behind sixteen writes of others: it is done once, and the error says so."""
    made, answer = await changes(cache, count, is_done=True, deed=DEEDS[name])
    assert made == 1
    assert isinstance(answer, OutcomeUnknown)
    assert not answer.retryable
    assert "chat" in str(answer)
    assert "This repeat wrote nothing" in str(answer)


@pytest.mark.parametrize("count", [16, 40])
@pytest.mark.parametrize("name", DEEDS)
async def test_a_write_that_was_not_done_may_be_unknown_too(cache: AsyncSessionCache, name: str, count: int) -> None:
    """Not done, and repeated behind sixteen writes of others: nobody can tell, so nothing is written."""
    made, answer = await changes(cache, count, is_done=False, deed=DEEDS[name])
    assert (made, type(answer)) == (0, OutcomeUnknown)


@pytest.mark.parametrize("count", [0, 1, 15])
@pytest.mark.parametrize("name", DEEDS)
async def test_a_write_that_was_not_done_is_done_then(cache: AsyncSessionCache, name: str, count: int) -> None:
    """Not done, and repeated behind fifteen writes of others or fewer: it is done once."""
    made, answer = await changes(cache, count, is_done=False, deed=DEEDS[name])
    assert (made, isinstance(answer, OutcomeUnknown)) == (1, False)


async def test_a_deletion_is_known_however_much_comes_after_it(cache: AsyncSessionCache) -> None:
    """The tombstone remembers it, though others have created the session anew and written forty times."""
    made, answer = await changes(cache, 40, is_done=True, deed=DEEDS["delete"])
    assert (made, answer) == (1, True)
    assert await cache.transcripts.count("chat") == 40


async def test_what_was_buried_and_forgotten_is_unknown(cache: AsyncSessionCache) -> None:
    """A write whose session others have deleted and created until its tombstone was full is not done once more."""

    async def incarnations() -> None:
        for _ in range(10):
            await others_write(cache, 2)
            await cache.sessions.delete("chat")

    cut = Cut(cache._lowest)
    cut.meanwhile = incarnations
    with pytest.raises(OutcomeUnknown):
        await behind(cut, cache).transcripts.append("chat", {"mine": 1})
    assert not await cache.sessions.exists("chat")


async def test_what_is_buried_is_known(cache: AsyncSessionCache) -> None:
    """A write is recognised in the tombstone of its session, beside a new one that is full of others' writes."""

    async def another() -> None:
        await cache.sessions.delete("chat")
        await others_write(cache, 20)

    cut = Cut(cache._lowest)
    cut.meanwhile = another
    assert (await behind(cut, cache).transcripts.append("chat", {"mine": 1})).repeated
    assert await cache.transcripts.count("chat") == 20


async def test_a_repeat_of_the_callers_own_is_told_apart_too(cache: AsyncSessionCache) -> None:
    """A caller who repeats his write under his own id, after the cache gave up, hears that its outcome is unknown."""
    cut = Cut(cache._lowest)
    cut.meanwhile = lambda: others_write(cache, 16)
    cut.error = BackendError
    mine = behind(cut, cache)
    with pytest.raises(BackendError, match="was lost"):
        await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")
    assert await cache.transcripts.count("chat") == 17
    assert not (await mine.transcripts.append("chat", {"mine": 1}, operation_id="another")).repeated


async def test_a_cancelled_write_is_told_apart_too(cache: AsyncSessionCache) -> None:
    """The same after the caller lost patience: the id that he gave is not done twice."""
    await cache.open()

    async def for_ever() -> None:
        await others_write(cache, 16)
        await asyncio.Event().wait()

    cut = Cut(cache._lowest)
    cut.meanwhile = for_ever
    mine = behind(cut, cache)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")
    messages = (await cache.transcripts.list("chat", last=100)).messages
    if sum("other" in message for message in messages) == 16:
        with pytest.raises(OutcomeUnknown):
            await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")


async def test_one_id_for_many_sessions_is_told_apart_by_session(cache: AsyncSessionCache) -> None:
    """Writes under the same id to two sessions, both without an answer: each repeat is known as one."""
    cut = Cut(cache._lowest)
    cut.error = BackendError
    mine = behind(cut, cache)
    for session in ("chat", "quiet"):
        cut.meanwhile = lambda: asyncio.sleep(0)
        with pytest.raises(BackendError, match="was lost"):
            await mine.transcripts.append(session, {"mine": 1}, operation_id="own")
    await others_write(cache, 16)
    with pytest.raises(OutcomeUnknown):
        await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")
    assert (await mine.transcripts.append("quiet", {"mine": 1}, operation_id="own")).repeated


async def test_a_long_save_is_told_apart_after_its_parts(cache: AsyncSessionCache) -> None:
    """Parts of a long transcript carry the id of the save behind them, which is known to be a repeat all the same."""
    messages = [{"mine": number} for number in range(501)]
    cut = Cut(cache._lowest)
    cut.error, cut.only = BackendError, "transcripts.save"
    cut.meanwhile = lambda: others_write(cache, 16)
    mine = behind(cut, cache)
    with pytest.raises(BackendError, match="was lost"):
        await mine.transcripts.save("chat", messages, operation_id="own")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await mine.transcripts.save("chat", messages, operation_id="own")
    assert await cache.transcripts.count("chat") == 517


async def test_a_full_server_leaves_nothing_unknown(cache: AsyncSessionCache) -> None:
    """What a full server has refused was not done: the same id is done later, however much others write."""
    cut = Cut(cache._lowest)
    cut.is_done, cut.error = False, BackendFull
    cut.meanwhile = lambda: others_write(cache, 16)
    mine = behind(cut, cache)
    with pytest.raises(BackendFull):
        await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")
    assert not (await mine.transcripts.append("chat", {"mine": 1}, operation_id="own")).repeated


async def test_a_sleep_of_the_machine_counts(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock stands still while the client's machine sleeps; what others write then counts."""

    async def sleep() -> None:
        await others_write(cache, 16)
        await asyncio.sleep(1.5 * CLOCKS_APART_MS / 1000)
        monkeypatch.setattr("sessioncache.transport.repeats.time.monotonic", lambda: began)

    cut = Cut(cache._lowest)
    mine = behind(cut, cache)
    await mine.open()
    cut.meanwhile = sleep
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        await mine.transcripts.append("chat", {"mine": 1})
    assert await cache.transcripts.count("chat") == 17


async def test_a_late_repeat_does_not_bring_a_deleted_session_back(cache: AsyncSessionCache) -> None:
    """A repeat is unknown once the tombstone of its session may be gone; while there would be one, it is done."""
    at = 1_900_000_000_000
    await cache.open()
    with pytest.raises(OutcomeUnknown):
        await cache._lowest.call(_append(cache, at + 3_600_000).again(at, ""))
    assert not await cache.sessions.exists("chat")
    assert (await cache._lowest.call(_append(cache, at + 3_599_999).again(at, ""))).startswith(b"0 1 ")


async def test_a_first_write_beside_a_repeat_is_none(cache: AsyncSessionCache) -> None:
    """Of calls sent together, one may be the repeat of an earlier one; the others are sent as they are."""
    cut = Cut(cache._lowest)
    mine = behind(cut, cache)
    calls = [_append_by(mine, name) for name in ("chat", "quiet")]
    cut.error, cut.meanwhile = BackendError, lambda: asyncio.sleep(0)
    with pytest.raises(BackendError, match="was lost"):
        await mine._transport.call(calls[0])
    with patch.object(cut, "call_many", wraps=cut.call_many) as sent:
        await mine._transport.call_many(calls)
    repeat, first = sent.call_args.args[0]
    assert (bool(repeat.args[2]), first.args[2]) == (True, "")


async def test_one_cache_alone_is_never_refused(cache: AsyncSessionCache) -> None:
    """However fast one cache writes, a write that was not done is done: the one before it is still remembered."""
    cut = Cut(cache._lowest)
    cut.is_done = False
    mine = behind(cut, cache)
    for number in range(30):
        if number > 16:
            cut.meanwhile = lambda: asyncio.sleep(0)
        await mine.transcripts.append("chat", {"n": number})
    page = await cache.transcripts.list("chat", last=100)
    assert [message["n"] for message in page.messages] == list(range(30))


async def test_what_was_kept_without_a_time_counts_as_old(cache: AsyncSessionCache, engine: Engine) -> None:
    """A list that an earlier release has filled refuses nothing, and its replies can be read."""
    await cache.transcripts.append("chat", {"n": 0}, operation_id="first")
    await others_write(cache, 15)
    operations = cache.keys.session("chat").operations
    with client_for(engine, operations) as client:
        kept: Any = client.lrange(operations, 0, -1)
        client.delete(operations)
        client.rpush(operations, *[item.lstrip(b"0123456789") if at % 2 else item for at, item in enumerate(kept)])
        client.pexpireat(operations, client.pexpiretime(cache.keys.session("chat").record))
    assert (await cache.transcripts.append("chat", {"n": 0}, operation_id="first")).repeated
    cut = Cut(cache._lowest)
    cut.is_done = False
    cut.meanwhile = lambda: others_write(cache, 3)
    assert not (await behind(cut, cache).transcripts.append("chat", {"mine": 1})).repeated


async def test_sealing_a_session_whole_makes_a_late_repeat_unknown(cache: AsyncSessionCache) -> None:
    """A repeat that comes after the workers have dropped the ids of an idle session is not done once more."""
    at = 1_900_000_000_000
    cache.keys.now_override_ms = at
    await cache.transcripts.append("chat", {"n": 0})
    call = _append(cache, at)
    await cache._lowest.call(call)
    cache.keys.now_override_ms = at + 4_000_000
    await compact.run(cache, cache.keys.shard_of("chat"), limit=10)
    late = _append(cache, at + 4_000_000)
    with pytest.raises(OutcomeUnknown):
        await cache._lowest.call(late.again(at, ""))
    assert await cache.transcripts.count("chat") == 2


async def test_a_clock_that_was_set_back_makes_a_repeat_unknown(cache: AsyncSessionCache) -> None:
    """Where the server's clock shows less than before the first attempt, a full list proves nothing."""
    at = 1_900_000_000_000
    for number in range(20):
        cache.keys.now_override_ms = at + number
        await cache.transcripts.append("chat", {"n": number})
    with pytest.raises(OutcomeUnknown):
        await cache._lowest.call(_append(cache, at + 30).again(at + 60, ""))


def _append(cache: AsyncSessionCache, at_ms: int) -> Call[Any]:
    keys = cache.keys.session("chat")
    args = Write("00000000000000aa", now_override_ms=at_ms).args(keys)
    return Call(
        "transcripts.append",
        load_script("transcripts.append"),
        keys.group,
        (*args, "", "m", b"{}"),
        decode=bytes,
        writes=True,
    )


async def test_of_calls_sent_together_each_is_told_apart(cache: AsyncSessionCache) -> None:
    """Of two writes sent together, the one that others have overtaken is an error, and the other is done once."""
    await others_write(cache, 20)
    await asyncio.sleep(1.5 * CLOCKS_APART_MS / 1000)
    cut = Cut(cache._lowest)
    cut.meanwhile = lambda: others_write(cache, 16)
    mine = behind(cut, cache)
    calls = [_append_by(mine, name) for name in ("chat", "quiet")]
    refused, done = await mine._transport.call_many(calls, return_errors=True)
    assert isinstance(refused, OutcomeUnknown)
    assert done.startswith(b"1 ")
    assert (await cache.transcripts.count("chat"), await cache.transcripts.count("quiet")) == (37, 1)


def _append_by(cache: AsyncSessionCache, session: str) -> Call[Any]:
    keys = cache.keys.session(session)
    args = (*Write.of(cache.keys, "transcripts.append", NO_BASE, None).args(keys), "", "m", b"{}")
    return Call("transcripts.append", load_script("transcripts.append"), keys.group, args, decode=bytes, writes=True)


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_ever_done_twice(seed: int) -> None:
    """Two caches write by chance, and lose answers of what was done or was not: what they hear is what has happened."""
    chance = random.Random(seed)
    plain = fake_cache()
    cuts = [Cut(plain._lowest), Cut(plain._lowest)]
    caches = [behind(cut, plain) for cut in cuts]
    heard: dict[str, bool | None] = {}
    count = 0

    async def write(who: int, operation: str | None = None) -> None:
        nonlocal count
        count += 1
        name = f"{who}-{count}"
        try:
            await caches[who].transcripts.append("chat", {"n": name}, operation_id=operation)
        except OutcomeUnknown:
            heard[name] = None
        else:
            heard[name] = True
        if chance.random() < 0.1:
            await asyncio.sleep(0.01)

    async def interlude() -> None:
        for _ in range(chance.choice([0, 3, 14, 15, 16, 17, 30])):
            await write(1)

    for _ in range(15):
        for _ in range(chance.randrange(4)):
            await write(0)
        cuts[0].is_done = chance.random() < 0.5
        cuts[0].meanwhile = interlude
        await write(0)
    page = await plain.transcripts.list("chat", last=500)
    stored = Counter(message["n"] for message in page.messages)
    assert max(stored.values()) == 1
    assert {name for name, answer in heard.items() if answer} <= set(stored)
    assert set(stored) <= set(heard)


def test_threads_hear_of_it_too() -> None:
    """The generated twin is told apart alike."""
    plain = fake_cache_sync()

    class CutSync:
        is_lost = False

        def call(self, call: Call[T]) -> T:
            result = plain._lowest.call(call)
            if self.is_lost and call.name == "transcripts.append":
                self.is_lost = False
                for number in range(16):
                    plain.transcripts.append("chat", {"other": number})
                raise BackendTimeout("the answer was lost")
            return result

        def __getattr__(self, name: str) -> object:
            return getattr(plain._lowest, name)

    cut: Any = CutSync()
    mine = SessionCache(cut, make_settings(None, plain.keys.namespace, {"retry_wait_max_ms": 1}))
    mine.open()
    cut.is_lost = True
    with pytest.raises(OutcomeUnknown):
        mine.transcripts.append("chat", {"mine": 1})
    assert plain.transcripts.count("chat") == 17


def test_threads_fail_together() -> None:
    """More writes without an answer than are kept, in many threads: the oldest are forgotten, without an error."""
    repeats = Repeats()
    session = fake_cache_sync().keys.session("chat").record

    def fail(thread: int) -> None:
        for number in range(UNKNOWN_MAX):
            first = First(f"{thread}-{number}", session, "")
            repeats.fail(first, BackendTimeout("the answer was lost"))
            if number % 3 == 0:
                repeats.end(first)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(fail, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(repeats._unknown) <= UNKNOWN_MAX


def test_the_earliest_time_counts() -> None:
    """Of several answers of servers whose clocks are apart, a repeat carries the earliest."""
    keys = fake_cache_sync().keys.session("chat")
    args = (*Write("00000000000000aa").args(keys), "", "m", b"{}")
    call = Call("transcripts.append", load_script("transcripts.append"), keys.group, args, decode=bytes, writes=True)
    first = First("00000000000000aa", call.route, "bb")
    for told in (5_000, 3_000, 4_000):
        first.learn(told)
    marked = str(first.marked(call).args[2]).split(" ")
    assert 2_000 < int(marked[3]) <= 3_000 - CLOCKS_APART_MS
    assert (marked[4], marked[5]) == ("bb", "")


def test_a_call_without_an_operation_id_is_none_of_its_business() -> None:
    """Plain commands, and scripts of workers, are repeated as they are."""
    keys = fake_cache_sync().keys.session("chat")
    call: Call[Any] = Call("x.y", "DEL", (keys.record,), (), decode=int, writes=True)
    assert Repeats().begin(call) is None
