"""The trace: steps in their order, positions that stay, and steps made fit for storing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from sessioncache import (
    AsyncSessionCache,
    DecodeError,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    SessionTorn,
)
from sessioncache.traces import TraceStep, make_trace_step
from tests.engines import Engine
from tests.engines.raw import client_for


async def test_steps_come_back_in_order(cache: AsyncSessionCache) -> None:
    """Objects and TraceSteps are read oldest first, every field as it was given."""
    step = TraceStep(trace_id="t", origin_function="f", status="error", method_params=[1, {"a": None}])
    done = await cache.traces.append("s", [step, {"any": {"x": 1.5}}], user="ada")
    await cache.traces.append("s", {"n": 3})
    page = await cache.traces.list("s")

    assert (done.position, done.count, done.created) == (2, 2, True)
    assert [entry.step for entry in page] == [step.model_dump(), {"any": {"x": 1.5}}, {"n": 3}]
    assert [entry.position for entry in page] == [1, 2, 3]
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.user == "ada"


@pytest.mark.parametrize("bad", [[], "text", b"{}", 7, [7], {"a": object()}, {"a": float("nan")}])
async def test_bad_steps_are_refused(cache: AsyncSessionCache, bad: Any) -> None:  # noqa: ANN401 - bad on purpose
    """What is no JSON object is refused, and nothing is written."""
    with pytest.raises(InvalidArgument):
        await cache.traces.append("s", bad)
    assert not await cache.sessions.exists("s")


async def test_too_many_steps_are_refused(cache: AsyncSessionCache) -> None:
    """More than 500 in a call, or than the quota allows, is LimitExceeded."""
    with pytest.raises(LimitExceeded):
        await cache.traces.append("s", [{}] * 501)
    await cache.retention.save(RetentionPolicy(quota_entries=2))
    with pytest.raises(LimitExceeded, match="3 traces"):
        await cache.traces.append("s", [{}] * 3)


async def test_old_steps_are_dropped(cache: AsyncSessionCache) -> None:
    """With keep_traces only the newest steps stay, at their positions; each goes on from any position."""
    await cache.retention.save(RetentionPolicy(keep_traces=4))
    for number in range(5):
        await cache.traces.append("s", [{"n": number}, {"n": number}])
    page = await cache.traces.list("s", last=10)
    assert [(entry.position, entry.step["n"]) for entry in page] == [(7, 3), (8, 3), (9, 4), (10, 4)]
    assert (page.count, page.dropped, page.cursor) == (4, 6, None)
    assert [entry.position async for entry in cache.traces.each("s", start=9)] == [9, 10]
    assert await cache.traces.count("s") == 4


async def test_a_tighter_policy_takes_hold_at_the_next_append(cache: AsyncSessionCache) -> None:
    """A long trace is cut down by its appends, 1000 steps at most each."""
    for _ in range(3):
        await cache.traces.append("s", [{}] * 500)
    await cache.retention.save(RetentionPolicy(keep_traces=10))
    assert (await cache.traces.append("s", {})).count == 501
    assert (await cache.traces.append("s", {})).count == 10
    assert (await cache.traces.list("s")).dropped == 1_492


async def test_an_unknown_session_has_no_trace(cache: AsyncSessionCache) -> None:
    """Reading creates nothing and says that there is no session."""
    assert not (await cache.traces.list("nobody")).exists
    assert [entry async for entry in cache.traces.each("nobody")] == []
    assert await cache.traces.count("nobody") == 0


async def test_cursors_are_not_exchanged(cache: AsyncSessionCache) -> None:
    """A cursor of the usage log is none of a trace."""
    await cache.usage.append("s", [b"{}"] * 3)
    page = await cache.usage.list("s", last=1)
    with pytest.raises(InvalidArgument, match=r"belongs to usage\.list"):
        await cache.traces.list("s", cursor=page.cursor)


async def test_damage_is_named(cache: AsyncSessionCache, engine: Engine) -> None:
    """A step that cannot be decoded is an error with its position; a lost one is a torn session."""
    await cache.traces.append("s", [{"n": 1}, {"n": 2}])
    (log,) = cache.keys.session("s").room("traces")
    with client_for(engine, cache.keys.session("s").record) as raw:
        for damage in ("1800000000000 {", "1800000000000 [1]", "{}"):
            raw.lset(log, 1, damage)
            with pytest.raises(DecodeError) as caught:
                await cache.traces.list("s")
            assert caught.value.seq == 2
        assert len(await cache.traces.list("s", limit=1)) == 1
        raw.rpop(log)
    with pytest.raises(SessionTorn):
        await cache.traces.list("s", limit=1)


def test_a_made_step_is_trimmed_and_cut() -> None:
    """Texts lose the space around them and are cut to 1000 characters, the last three dots; ids are UUIDs."""
    step = make_trace_step(" f ", "success", memory_query=f"  {'x' * 1_001}  ", error_message="y" * 1_000)
    assert step.origin_function == "f"
    assert step.memory_query == "x" * 997 + "..."
    assert step.error_message == "y" * 1_000
    assert str(UUID(step.trace_id)) == step.trace_id


def test_a_made_step_has_plain_parameters() -> None:
    """Containers keep 20 items, UUIDs are texts, objects with an id are type and id, everything else is text."""

    class Document:
        id = UUID(int=7)

    nested: list[Any] = []
    nested.append(nested)
    given = {
        "numbers": (1, 2.5, True, None, float("inf")),
        "uuid": UUID(int=1),
        "document": Document(),
        "many": list(range(30)),
        "type": dict,
        5: {"a"},
        "endless": nested,
    }
    step = make_trace_step("f", "s", method_params=given, method_return_value="x" * 2_000)
    assert step.method_params["numbers"] == [1, 2.5, True, None, "inf"]
    assert step.method_params["uuid"] == str(UUID(int=1))
    assert step.method_params["document"] == {"type": "Document", "id": str(UUID(int=7))}
    assert step.method_params["many"] == list(range(20))
    assert step.method_params["type"] == "<class 'dict'>"
    assert step.method_params["5"] == ["a"]
    assert len(step.method_return_value) == 1_000


@pytest.mark.parametrize("blank", [{"origin_function": " "}, {"status": ""}, {"trace_id": "\n"}])
def test_a_blank_step_is_refused(blank: dict[str, str]) -> None:
    """Without an id, a function or a status there is no step."""
    with pytest.raises(InvalidArgument):
        make_trace_step(**{"origin_function": "f", "status": "s", **blank})
