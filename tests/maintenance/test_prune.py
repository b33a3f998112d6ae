"""Trimming transcripts to what is kept."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.errors import LeaseLost
from sessioncache.maintenance import compact, prune

HOUR_MS = 3_600_000
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}


async def test_trims_to_the_policy(cache: AsyncSessionCache) -> None:
    """Every transcript keeps its newest messages, as many as the policy says."""
    await cache.retention.save(RetentionPolicy(keep_messages=3))
    for name in ("a", "b"):
        await cache.transcripts.append(name, [{"role": "user", "content": str(n)} for n in range(5)])
    await cache.transcripts.append("short", {"role": "user", "content": "x"})
    report = await prune.run(cache, 0, limit=100)
    assert (report.examined, report.changed, report.details["messages"], report.done) == (3, 2, 4, True)
    page = await cache.transcripts.list("a", last=10)
    assert [message["content"] for message in page.messages] == ["2", "3", "4"]
    assert (await cache.stats.get()).messages == 7


async def test_a_call_stays_with_its_result(cache: AsyncSessionCache) -> None:
    """Where the limit falls between a tool's call and its result, both stay."""
    await cache.retention.save(RetentionPolicy(keep_messages=2))
    await cache.transcripts.append(
        "a", [{"role": "user", "content": "q"}, CALL, RESULT, {"role": "user", "content": "z"}]
    )
    await prune.run(cache, 0, limit=100)
    page = await cache.transcripts.list("a", last=10)
    assert page.messages == [CALL, RESULT, {"role": "user", "content": "z"}]


async def test_more_than_one_call_can_take(cache: AsyncSessionCache) -> None:
    """A transcript far above its limit is trimmed in one run, however many calls that takes."""
    await cache.retention.save(RetentionPolicy(keep_messages=10))
    await cache.transcripts.save("long", [{"role": "user", "content": str(n)} for n in range(1300)])
    report = await prune.run(cache, 0, limit=100)
    assert (report.changed, report.details["messages"]) == (1, 1290)
    assert await cache.transcripts.count("long") == 10


async def test_a_session_has_its_own_say(cache: AsyncSessionCache) -> None:
    """A session's own retention is kept to where the namespace keeps everything."""
    for name in ("own", "other"):
        await cache.transcripts.append(name, [{"role": "user", "content": str(n)} for n in range(5)])
    await cache.session("own").retain(keep_messages=1)
    await prune.run(cache, 0, limit=100)
    assert (await cache.transcripts.count("own"), await cache.transcripts.count("other")) == (1, 5)


async def test_pinned_sessions_are_left_alone(cache: AsyncSessionCache) -> None:
    """What a person pinned is not trimmed, unless the policy says so."""
    await cache.retention.save(RetentionPolicy(keep_messages=1))
    await cache.transcripts.append("a", [{"role": "user", "content": str(n)} for n in range(3)])
    await cache.session("a").update(pinned=True)
    assert (await prune.run(cache, 0, limit=100)).changed == 0


async def test_stops_at_the_limit(cache: AsyncSessionCache) -> None:
    """A run looks at no more sessions than it may; the next goes on there, and the one after that begins anew."""
    for number in range(5):
        await cache.transcripts.append(f"s{number}", {"role": "user", "content": "x"})
    reports = [await prune.run(cache, 0, limit=limit) for limit in (3, 5, 5)]
    assert [(report.examined, report.done) for report in reports] == [(3, False), (2, True), (5, True)]


async def test_a_late_worker_is_refused(cache: AsyncSessionCache) -> None:
    """Whoever lost the shard's lease trims nothing."""
    await cache.retention.save(RetentionPolicy(keep_messages=1))
    await cache.transcripts.append("a", [{"role": "user", "content": str(n)} for n in range(3)])
    late = await cache.upkeep.acquire(0, "prune", holder="a", ttl_ms=60_000)
    await cache.upkeep.acquire(0, "prune", holder="a", ttl_ms=60_000)
    with pytest.raises(LeaseLost):
        await prune.run(cache, 0, limit=10, lease=late)
    assert await cache.transcripts.count("a") == 3


TWO_CALLS = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}, {"id": "c2"}]}
RESULT_2 = {"role": "tool", "tool_call_id": "c2", "content": "43"}
USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "c1"}, {"type": "tool_use", "id": "c2"}]}
PARALLEL = [
    [TWO_CALLS, RESULT, RESULT_2],
    [TWO_CALLS, RESULT, {"role": "user", "content": "wait"}, RESULT_2],
    [
        USE,
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1"}]},
        {"role": "user", "content": [{"type": "text"}, {"type": "tool_result", "tool_use_id": "c2"}]},
    ],
    [
        {"type": "function_call", "call_id": "c1"},
        {"type": "function_call", "call_id": "c2"},
        {"type": "function_call_output", "call_id": "c2"},
        {"role": "user", "content": "wait"},
        {"type": "function_call_output", "call_id": "c1"},
    ],
    [
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1"}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1"}}]},
    ],
    [{"role": "model", "parts": [{"functionCall": {}}]}, {"role": "user", "parts": [{"functionResponse": {}}]}],
]


@pytest.mark.engines("fakeredis", "valkey")
@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("limit", ["messages", "bytes", "age"])
@pytest.mark.parametrize("group", PARALLEL)
async def test_parallel_calls_stay_with_their_results(
    cache: AsyncSessionCache, group: list[dict[str, object]], limit: str, *, sealed: bool
) -> None:
    """Whatever the limit and wherever it falls, calls made at once go with all of their results, or stay with them."""
    messages: list[dict[str, object]] = [{"role": "user", "content": "q"}, *group, {"role": "user", "content": "z"}]
    now = cache.keys.now_override_ms = int(time.time() * 1000)
    for kept in range(1, len(messages)):
        name = f"s{kept}"
        cache.keys.now_override_ms = now
        await cache.transcripts.append(name, messages)
        if sealed:
            cache.keys.now_override_ms = now + HOUR_MS
            await compact.run(cache, 0, limit=100)
        sizes = [len(entry.payload) for entry in (await cache.transcripts.list(name)).items]
        policy = {
            "messages": RetentionPolicy(keep_messages=kept),
            "bytes": RetentionPolicy(keep_bytes=sum(sizes[-kept:])),
            "age": RetentionPolicy(keep_age_ms=1),
        }[limit]
        cache.keys.now_override_ms = now + HOUR_MS
        await cache.transcripts.append(name, {"role": "user", "content": "new"})
        await cache.upkeep.trim(0, [name], policy)
        left = [message for message in (await cache.transcripts.list(name)).messages if message in group]
        assert left in ([], group)
    cache.keys.now_override_ms = None


async def test_a_long_run_of_tools_does_not_stop_it(cache: AsyncSessionCache) -> None:
    """A transcript in which nothing may be cut for a thousand messages is cut behind them."""
    messages: list[Any] = [{"role": "user"}, CALL, *[RESULT] * 1_200, {"role": "user", "content": "z"}]
    await cache.transcripts.save("long", messages)
    await cache.retention.save(RetentionPolicy(keep_messages=1))
    report = await prune.run(cache, 0, limit=10)
    assert report.details["messages"] == 1_202
    assert (await cache.transcripts.list("long")).messages == [{"role": "user", "content": "z"}]
