"""Summaries of long transcripts, by code that is not trusted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, ConfigurationError, LeaseLost, RetentionPolicy, Session
from sessioncache.maintenance import Report, compact, summarise
from sessioncache.maintenance.pairs import cut_at_most
from sessioncache.maintenance.summarise import Summariser
from sessioncache.types import JSONObject
from tests.engines import Engine
from tests.maintenance.conftest import Surgeon, make_cache

POLICY = RetentionPolicy(summarise_messages=10, summarise_keep=4)


def plain(messages: Sequence[JSONObject], *, session_id: str) -> str:
    """A summariser."""
    return f"{len(messages)} of {session_id}"


async def run(cache: AsyncSessionCache, summariser: Summariser = plain, **options: Any) -> Report:
    """One run that looks at everything."""
    await cache.upkeep.note(0, "summarise", {"began_ms": ""})
    return await summarise.run(cache, 0, limit=100, summariser=summariser, **options)


async def fill(cache: AsyncSessionCache, name: str = "chat", count: int = 20) -> None:
    """A transcript that is too long."""
    await cache.retention.save(POLICY)
    await cache.transcripts.append(name, [{"role": "user", "content": f"message number {n}"} for n in range(count)])


async def texts(cache: AsyncSessionCache, name: str = "chat") -> list[Any]:
    """What the messages say."""
    return [message["content"] for message in (await cache.transcripts.list(name, last=100)).messages]


async def later_summary(messages: Sequence[JSONObject], *, session_id: str) -> JSONObject:
    """An async one, which answers a whole message."""
    await asyncio.sleep(0)
    return {"role": "user", "content": f"{len(messages)} of {session_id}", "summary": True}


@pytest.mark.parametrize("summariser", [plain, later_summary])
async def test_the_head_becomes_one_message(cache: AsyncSessionCache, summariser: Summariser) -> None:
    """All but the newest messages become a summary under the last of their numbers; lists keep their order."""
    await fill(cache)
    await fill(cache, "short", 10)
    before = await cache.sessions.get("chat")
    report = await run(cache, summariser)
    assert report.details == {"summarised": 1, "summarised_messages": 16}
    assert await texts(cache) == ["16 of chat", *(f"message number {n}" for n in range(16, 20))]
    page = await cache.transcripts.list("chat")
    assert [entry.seq for entry in page.items] == [16, 17, 18, 19, 20]
    after = await cache.sessions.get("chat")
    assert before is not None
    assert after is not None
    assert (after.updated_at, after.gen, after.revision) == (before.updated_at, before.gen, before.revision + 1)
    assert len(await texts(cache, "short")) == 10
    assert (await run(cache, summariser)).changed == 0


async def test_it_is_off_unless_somebody_asks(cache: AsyncSessionCache, engine: Engine, namespace: str) -> None:
    """Nothing happens without a number in the policy, or without a summariser; one that is not installed is said."""
    await fill(cache)
    assert (await summarise.run(cache, 0, limit=10)).examined == 0
    await cache.retention.save(RetentionPolicy())
    assert (await run(cache)).examined == 0
    await cache.retention.save(POLICY)
    async with make_cache(engine, namespace, shards=1, summariser="no-such") as other:
        with pytest.raises(ConfigurationError, match=r"there is no summariser 'no-such'.*there are: none"):
            await summarise.run(other, 0, limit=10)


@pytest.mark.engines("fakeredis")
async def test_an_entry_point_is_found_by_its_name(
    cache: AsyncSessionCache, engine: Engine, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting names an entry point of an installed package."""
    await fill(cache)
    point = EntryPoint("mine", f"{__name__}:plain", summarise.GROUP)
    monkeypatch.setattr(summarise, "entry_points", lambda *, group: [point] if group == summarise.GROUP else [])
    async with make_cache(engine, namespace, shards=1, summariser="mine") as other:
        assert (await summarise.run(other, 0, limit=10)).details["summarised"] == 1


def raising(messages: Sequence[JSONObject], *, session_id: str) -> str:
    """One that fails."""
    raise RuntimeError(f"no model for {session_id} and {len(messages)}")


def slow(messages: Sequence[JSONObject], *, session_id: str) -> str:
    """One that does not end for long."""
    time.sleep(5)
    return plain(messages, session_id=session_id)


async def slow_too(messages: Sequence[JSONObject], *, session_id: str) -> str:
    """One that waits for something."""
    await asyncio.Event().wait()
    return plain(messages, session_id=session_id)


def answering(answer: object) -> Callable[..., object]:
    """One that answers that."""
    return lambda *_messages, **_options: answer


@pytest.mark.engines("fakeredis")
@pytest.mark.parametrize(
    "summariser",
    [
        raising,
        slow,
        slow_too,
        *map(answering, ["", "  ", None, 7, [], {}, {"role": "tool", "content": "x"}, {"n": float("nan")}, {"n": {1}}]),
        answering({"role": "assistant", "tool_calls": [{"id": "c"}]}),
        answering("x" * 100_000),
        lambda: "takes nothing",
    ],
)
async def test_a_bad_summariser_changes_nothing(engine: Engine, namespace: str, summariser: Summariser) -> None:
    """What raises, takes too long or answers nonsense is counted, and the transcript is what it was."""
    async with make_cache(engine, namespace, shards=1, summariser_timeout_ms=100) as cache:
        await fill(cache)
        before = [await cache.sessions.get("chat"), await texts(cache)]
        report = await run(cache, summariser)
        assert (report.details, report.changed) == ({"summariser_failed": 1}, 0)
        assert len(report.notes) == 1
        assert [await cache.sessions.get("chat"), await texts(cache)] == before


async def test_what_is_appended_meanwhile_follows(cache: AsyncSessionCache) -> None:
    """Messages that arrive while the summary is made stand behind those that were kept."""
    await fill(cache)

    async def interrupted(messages: Sequence[JSONObject], *, session_id: str) -> str:
        await cache.transcripts.append(session_id, {"role": "user", "content": "new"})
        await cache.sessions.update(session_id, title="edited")
        return plain(messages, session_id=session_id)

    assert (await run(cache, interrupted)).details["summarised"] == 1
    assert (await texts(cache))[0] == "16 of chat"
    assert (await texts(cache))[-1] == "new"
    session = await cache.sessions.get("chat")
    assert session is not None
    assert session.title == "edited"


@pytest.mark.parametrize("change", ["popped", "replaced", "summarised", "deleted", "pinned", "trimmed"])
async def test_a_head_that_changed_is_left_alone(cache: AsyncSessionCache, change: str) -> None:
    """Where somebody took or replaced messages of the head meanwhile, or another worker was first, nothing is done."""
    await fill(cache)

    async def interrupted(messages: Sequence[JSONObject], *, session_id: str) -> str:
        match change:
            case "popped":
                for _ in range(6):
                    await cache.transcripts.pop(session_id)
                await cache.transcripts.append(session_id, [{"content": "again"}] * 10)
            case "replaced":
                await cache.transcripts.save(session_id, [{"content": "other"}] * 20)
            case "summarised":
                await cache.transcripts.save(session_id, [{"content": "first"}], through=16)
            case "deleted":
                await cache.sessions.delete(session_id)
                await cache.transcripts.append(session_id, [{"content": "reborn"}] * 20)
            case "pinned":
                await cache.sessions.update(session_id, pinned=True)
            case _:
                await cache.upkeep.trim(0, [session_id], RetentionPolicy(keep_messages=15))
        interrupted.after = await texts(cache)  # type: ignore[attr-defined]  # what it is to be
        return plain(messages, session_id=session_id)

    report = await run(cache, interrupted)
    assert (report.details, report.changed) == ({"kept": 1}, 0)
    assert await texts(cache) == interrupted.after  # type: ignore[attr-defined]  # as above


async def test_a_worker_that_lost_the_shard_swaps_nothing(cache: AsyncSessionCache) -> None:
    """Whoever lost the lease while the summary was made leaves everything as it is."""
    await fill(cache)
    lease = await cache.upkeep.acquire(0, "summarise", holder="a", ttl_ms=60_000)

    async def overtaken(messages: Sequence[JSONObject], *, session_id: str) -> str:
        await cache.upkeep.release(lease)  # type: ignore[arg-type]  # it was free
        assert await cache.upkeep.acquire(0, "summarise", holder="b", ttl_ms=60_000)
        return plain(messages, session_id=session_id)

    with pytest.raises(LeaseLost):
        await summarise.run(cache, 0, limit=10, lease=lease, summariser=overtaken)
    assert len(await texts(cache)) == 20


async def test_sealed_messages_are_summarised(cache: AsyncSessionCache) -> None:
    """A head that was compressed meanwhile, or before, is the same head."""
    cache.keys.now_override_ms = int(time.time() * 1000)
    await fill(cache, count=200)
    cache.keys.now_override_ms += 3_600_000
    await compact.run(cache, 0, limit=10)
    report = await run(cache)
    assert report.details == {"summarised": 1, "summarised_messages": 196}
    assert (await texts(cache))[0] == "196 of chat"
    cache.keys.now_override_ms = None


async def test_a_dry_run_asks_nobody(cache: AsyncSessionCache) -> None:
    """A dry run says how many messages would be summarised, and does not call the summariser."""
    await fill(cache)
    report = await run(cache, raising, dry_run=True)
    assert (report.details, report.changed) == ({"summarised": 1, "summarised_messages": 16}, 1)
    assert len(await texts(cache)) == 20


async def test_a_run_goes_on_where_the_last_one_came_to(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without time for another summary a run ends, and the next one begins with that session."""
    for name in ("a", "b"):
        await fill(cache, name)
    clock = [0.0]
    monkeypatch.setattr(summarise, "perf_counter", lambda: clock[0])

    def tired(messages: Sequence[JSONObject], *, session_id: str) -> str:
        clock[0] += summarise.SPEND_S
        return plain(messages, session_id=session_id)

    first = await run(cache, tired)
    second = await summarise.run(cache, 0, limit=100, summariser=tired)
    assert [(report.changed, report.done) for report in (first, second)] == [(1, False), (1, True)]


CALL = {"role": "assistant", "tool_calls": [{"id": "c1"}, {"id": "c2"}]}


@pytest.mark.parametrize(
    "messages",
    [
        [CALL, {"role": "tool", "tool_call_id": "c1"}, {"role": "user"}, {"role": "tool", "tool_call_id": "c2"}],
        [
            {"type": "function_call", "call_id": "x"},
            {"role": "user"},
            {"type": "function_call_output", "call_id": "x"},
        ],
        [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t"}, {"type": "tool_use", "id": "u"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
            {"role": "assistant", "content": "wait"},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u"}]},
        ],
        [
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t"}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t"}}]},
        ],
    ],
)
def test_no_call_is_parted_from_its_result(messages: list[dict[str, Any]]) -> None:
    """No place between a call and the last of its results is one to cut at, whatever stands in between."""
    around = [{"role": "user"}, *messages, {"role": "user"}]
    found = {cut_at_most(around, most) for most in range(len(around) + 1)}
    assert {0, len(messages) + 1, len(around)} <= found <= {0, 1, len(messages) + 1, len(around)}


async def test_a_session_of_its_own(cache: AsyncSessionCache) -> None:
    """What a session has besides its messages stays."""
    await fill(cache)
    await cache.documents.save("chat", {"state": 1})
    await cache.sessions.save(Session(id="chat", metadata={"m": 1}, status="busy"))
    await run(cache)
    session = await cache.sessions.get("chat")
    assert session is not None
    assert (session.metadata, session.status, session.messages) == ({"m": 1}, "busy", 5)
    assert (await cache.documents.get("chat")).values == {"state": 1}


async def test_a_torn_session_does_not_stop_the_others(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """A session whose transcript is gone is named, and the walk goes on to those behind it."""
    for name in ("a", "b", "c"):
        await fill(cache, name)
    key = cache.keys.session("b").transcript
    with surgeon.at(key) as client:
        client.delete(key)
    report = await run(cache)
    assert report.details == {"summarised": 2, "summarised_messages": 32, "torn": 1}
    assert report.notes[0].startswith("'b' was not summarised: ")
    assert report.done
