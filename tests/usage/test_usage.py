"""The usage log: lines byte for byte, sums by model, what can be told from them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sessioncache import (
    NO_BASE,
    AsyncSessionCache,
    Base,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    SessionGone,
    SessionTorn,
)
from sessioncache.usage import UsageSums
from tests.engines import Engine, list_keys
from tests.engines.caches import make_async_cache
from tests.engines.raw import client_for

NOW = 1_800_000_000_000


def line(model: object = "m", **fields: Any) -> bytes:
    """A line as an agent writes it."""
    return json.dumps({"model": model, **fields}).encode()


async def payloads(cache: AsyncSessionCache, session: str = "s") -> list[bytes]:
    """All lines, read in small pages."""
    return [entry.payload async for entry in cache.usage.each(session, batch=2)]


async def test_lines_come_back_byte_for_byte(cache: AsyncSessionCache) -> None:
    """Two lines in are two lines out: in order, each with its place and time, only the newline at the end is gone."""
    given: list[bytes | str | dict[str, Any]] = [
        b'{ "model" : "x" ,  "input_tokens":1 }\n',
        '{"a":"\u00e4"}\n\n',
        {"b": 1},
        b"\x01no json\xff",
        b"  ",
    ]
    done = await cache.usage.append("s", given)
    page = await cache.usage.list("s")

    assert (done.stored, done.created, done.count, done.position) == (True, True, 5, 5)
    assert [entry.payload for entry in page] == [
        b'{ "model" : "x" ,  "input_tokens":1 }',
        '{"a":"\u00e4"}'.encode(),
        b'{"b":1}',
        b"\x01no json\xff",
        b"  ",
    ]
    assert [entry.position for entry in page] == [1, 2, 3, 4, 5]
    assert len({entry.ms for entry in page}) == 1
    assert [entry.record for entry in page][1:4] == [{"a": "\u00e4"}, {"b": 1}, None]


@pytest.mark.parametrize("bad", [b"", "", "\n", b"a\nb", [], [b"{}", b"a\nb"], 7, [7], "\ud800", {"a": float("nan")}])
async def test_bad_lines_are_refused(cache: AsyncSessionCache, bad: Any) -> None:  # noqa: ANN401 - bad on purpose
    """An empty line, one with a newline inside, or no line at all is refused, and nothing of the call is written."""
    with pytest.raises(InvalidArgument):
        await cache.usage.append("s", bad)
    assert not await cache.sessions.exists("s")


async def test_limits(engine: Engine, namespace: str) -> None:
    """A line that is too large, too many of them, or more than the quota, is LimitExceeded."""
    async with make_async_cache(engine, namespace, entry_bytes_max=1_024) as cache:
        await cache.retention.save(RetentionPolicy(quota_entries=3))
        await cache.usage.append("s", [b"{}"] * 2)
        with pytest.raises(LimitExceeded, match="1025 bytes"):
            await cache.usage.append("s", b"x" * 1_025)
        with pytest.raises(LimitExceeded, match="501 lines"):
            await cache.usage.append("s", [b"{}"] * 501)
        with pytest.raises(LimitExceeded, match="4 usage"):
            await cache.usage.append("s", [b"{}"] * 2)
        assert (await cache.usage.totals("s")).lines == 2


async def test_an_unknown_session_can_be_left_alone(cache: AsyncSessionCache) -> None:
    """With create=False nothing is written for a session that is not there, and the answer says so."""
    done = await cache.usage.append("s", line(), create=False)
    assert (done.stored, done.gen) == (False, None)
    assert not await cache.sessions.exists("s")

    await cache.transcripts.append("s", {"role": "user"})
    assert (await cache.usage.append("s", line(), create=False)).stored
    assert await cache.usage.count("s") == 1


async def test_an_unknown_session_is_empty(cache: AsyncSessionCache) -> None:
    """Reading creates nothing; pages and sums say that there is no session."""
    page = await cache.usage.list("nobody", last=3)
    totals = await cache.usage.totals("nobody")
    assert (page.exists, page.count, page.items, page.cursor) == (False, 0, (), None)
    assert (totals.exists, totals.lines, totals.all, totals.by_model) == (False, 0, UsageSums(), {})
    assert await cache.usage.over_time("nobody", 1_000) == []
    assert not await cache.sessions.exists("nobody")


async def test_sums_are_kept_by_model(cache: AsyncSessionCache) -> None:
    """Known numbers are added up by model and together; what is no JSON counts as a line and adds nothing."""
    await cache.usage.append(
        "s",
        [
            line("a:b", input_tokens=10, output_tokens=1, cache_read_input_tokens=30, cache_creation_input_tokens=60),
            line("a:b", input_tokens=10, thinking_tokens=3, segments_removed=2, truncation_occurred=True),
            b"no json",
            b"[1]",
        ],
    )
    await cache.usage.append("s", line("", total_tokens=5, prompt_cached_tool_outputs=2, own=9))
    found = await cache.usage.totals("s")
    assert (found.exists, found.lines) == (True, 5)
    assert found.by_model == {
        "": UsageSums(calls=1, total_tokens=5, prompt_cached_tool_outputs=2),
        "a:b": UsageSums(
            calls=2,
            input_tokens=20,
            output_tokens=1,
            cache_read_input_tokens=30,
            cache_creation_input_tokens=60,
            thinking_tokens=3,
            segments_removed=2,
            compactions=1,
            truncations=1,
        ),
    }
    assert (found.all.calls, found.all.input_tokens, found.all.total_tokens) == (3, 20, 5)


@pytest.mark.parametrize("value", [-1, 1.5, True, "7", None, [1], 10**13, 10**30])
async def test_what_is_no_count_adds_nothing(cache: AsyncSessionCache, value: Any) -> None:  # noqa: ANN401 - bad on purpose
    """Negative, broken, boolean, textual and absurdly large numbers are kept in the line and left out of the sums."""
    await cache.usage.append("s", line(input_tokens=value, model=3))
    assert (await cache.usage.totals("s")).by_model == {"": UsageSums(calls=1)}


def test_the_cached_fraction() -> None:
    """It is read, of all input; of the total where the parts are not known; else 0."""
    parts = UsageSums(input_tokens=10, cache_read_input_tokens=30, cache_creation_input_tokens=60)
    assert parts.cached_fraction == pytest.approx(0.3)
    assert UsageSums(total_tokens=50).cached_fraction == 0.0
    assert UsageSums().cached_fraction == 0.0


async def test_old_lines_are_dropped_and_the_sums_stay(cache: AsyncSessionCache) -> None:
    """With keep_usage only the newest lines are there, at their old positions; the sums are those of all lines."""
    await cache.retention.save(RetentionPolicy(keep_usage=3, quota_entries=4))
    for number in range(5):
        await cache.usage.append("s", [line(input_tokens=1, n=number)] * 2)
    page = await cache.usage.list("s")
    assert (page.count, page.dropped) == (3, 7)
    assert [entry.position for entry in page] == [8, 9, 10]
    assert [entry.position for entry in await cache.usage.list("s", start=2)] == [8, 9, 10]
    assert await cache.usage.count("s") == 3
    totals = await cache.usage.totals("s")
    assert (totals.lines, totals.all.input_tokens) == (10, 10)


async def test_pages_lead_on_in_both_directions(cache: AsyncSessionCache) -> None:
    """A range leads to newer lines, the newest n to older ones, and neither skips or repeats while lines are added."""
    await cache.usage.append("s", [line(n=number) for number in range(7)])
    newest = await cache.usage.list("s", last=3)
    first = await cache.usage.list("s", start=2, limit=2)
    await cache.usage.append("s", line(n=7))
    older = await cache.usage.list("s", cursor=newest.cursor)
    oldest = await cache.usage.list("s", cursor=older.cursor)
    second = await cache.usage.list("s", cursor=first.cursor)
    rest = await cache.usage.list("s", cursor=second.cursor, limit=100)

    places = [[entry.position for entry in page] for page in (newest, older, oldest, first, second, rest)]
    assert places == [[5, 6, 7], [2, 3, 4], [1], [2, 3], [4, 5], [6, 7, 8]]
    assert (oldest.cursor, rest.cursor) == (None, None)
    assert [len(await cache.usage.list("s", limit=0)), len(await cache.usage.list("s", start=2**53 - 1))] == [0, 0]


@pytest.mark.parametrize(
    "window",
    [{"last": -1}, {"last": 1, "start": 1}, {"limit": 5_001}, {"start": -1}, {"cursor": "x"}, {"last": True}],
)
async def test_bad_windows_are_refused(cache: AsyncSessionCache, window: dict[str, Any]) -> None:
    """Arguments that contradict each other, are out of range, or a foreign cursor, are InvalidArgument."""
    with pytest.raises(InvalidArgument):
        await cache.usage.list("s", **window)


async def test_concurrent_appenders_lose_nothing(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """A hundred appends by two clients are a hundred lines, each client's in its order, and whole sums."""
    await asyncio.gather(
        *(
            (cache, other_cache)[number % 2].usage.append("s", [line(n=number, input_tokens=1), line(n=number)])
            for number in range(100)
        )
    )
    found = [json.loads(payload)["n"] for payload in await payloads(cache)]
    assert found[::2] == found[1::2]
    assert sorted(found[::2]) == list(range(100))
    assert (await cache.usage.totals("s")).all.input_tokens == 100


async def test_a_repeat_appends_once(cache: AsyncSessionCache) -> None:
    """The same operation id answers the first reply; a base that is gone is refused."""
    first = await cache.usage.append("s", line(input_tokens=1), operation_id="one")
    again = await cache.usage.append("s", line(input_tokens=1), operation_id="one")
    assert (first.repeated, again.repeated, again.position) == (False, True, 1)
    assert (await cache.usage.totals("s")).all.input_tokens == 1
    with pytest.raises(SessionGone):
        await cache.usage.append("s", line(), base=Base(gen="other"))
    assert (await cache.usage.append("s", line(), base=NO_BASE)).count == 2


async def test_a_lost_log_is_torn(cache: AsyncSessionCache, engine: Engine) -> None:
    """A log, or sums, that are not what the record counts are SessionTorn to readers and writers."""
    keys = cache.keys.session("s")
    log, sums = keys.room("usage")
    for lost in (log, sums):
        await cache.usage.append("s", [line(), line()])
        with client_for(engine, keys.record) as raw:
            raw.delete(lost)
        with pytest.raises(SessionTorn):
            await cache.usage.totals("s")
        with pytest.raises(SessionTorn):
            await cache.usage.append("s", line())
        await cache.sessions.delete("s")


async def test_nothing_stays_of_a_deleted_session(cache: AsyncSessionCache, engine: Engine) -> None:
    """Log and sums go with their session; the next session of that id begins at 1."""
    await cache.usage.append("s", [line(), line()])
    await cache.sessions.delete("s")
    assert [key.name for key in list_keys(engine) if ":usage" in key.name] == []
    assert (await cache.usage.append("s", line())).position == 1
    assert (await cache.usage.totals("s")).lines == 1


async def test_usage_over_time(cache: AsyncSessionCache) -> None:
    """Lines are added up by spans of the server's time; rounds know the pause before them."""
    try:
        for after, fields in ((0, {"input_tokens": 1}), (10, {"segments_removed": 1}), (400_000, {"input_tokens": 5})):
            cache.keys.now_override_ms = NOW + after
            await cache.usage.append("s", [line(**fields), b"no json"])
        buckets = await cache.usage.over_time("s", 1_000)
        rounds = await cache.usage.rounds("s")
        (event,) = await cache.usage.compactions("s")
    finally:
        cache.keys.now_override_ms = None
    assert [(bucket.start_ms - NOW, bucket.lines, bucket.sums.input_tokens) for bucket in buckets] == [
        (0, 4, 1),
        (400_000, 2, 5),
    ]
    assert [one.pause_ms for one in rounds] == [0, 10, 399_990]
    assert event.at == rounds[1]
    assert event.next == rounds[2]


async def test_usage_is_in_the_feed(cache: AsyncSessionCache) -> None:
    """An append is one change, with how many lines it added."""
    async with cache.feed.subscribe("s") as changes:
        await cache.usage.append("s", [line(), line()])
        found = await changes.read(wait_ms=1_000)
    assert [(change.kind, change.details["entries"]) for change in found] == [("usage.appended", "2")]
