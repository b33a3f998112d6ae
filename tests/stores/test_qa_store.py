"""Contract 002 over a cache, in both colours on every engine, and what the contract itself does not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from sessioncache import (
    AsyncSessionCache,
    DecodeError,
    InvalidArgument,
    RetentionPolicy,
    SessionCache,
    SessionTorn,
)
from sessioncache.stores import AsyncQAStore, AsyncTranscriptStore, QAStore, SessionQAUpdate
from sessioncache.stores.user_sessions import session_id_for
from sessioncache.testing import AsyncRecordingTransport
from sessioncache.testing.conformance import AsyncQAStoreConformance, QAStoreConformance
from sessioncache.traces import TraceStep
from tests.engines.caches import lowest_transport, make_async_cache, make_sync_cache
from tests.engines.engine import Engine
from tests.engines.raw import client_for


class TestAsync(AsyncQAStoreConformance):
    """The async store."""

    @pytest.fixture
    async def store(self, cache: AsyncSessionCache) -> AsyncQAStore:
        return AsyncQAStore(cache)

    @pytest.fixture
    async def other_store(self, other_cache: AsyncSessionCache) -> AsyncQAStore:
        return AsyncQAStore(other_cache)


class TestSync(QAStoreConformance):
    """The sync store."""

    @pytest.fixture
    def store(self, sync_cache: SessionCache) -> QAStore:
        return QAStore(sync_cache)

    @pytest.fixture
    def other_store(self, engine: Engine, namespace: str) -> Iterator[QAStore]:
        with make_sync_cache(engine, namespace) as opened:
            yield QAStore(opened)


@pytest.fixture
def store(cache: AsyncSessionCache) -> AsyncQAStore:
    """The async store."""
    return AsyncQAStore(cache)


@pytest.fixture
def other_store(other_cache: AsyncSessionCache) -> AsyncQAStore:
    """A second client of the same sessions."""
    return AsyncQAStore(other_cache)


async def ask(store: AsyncQAStore, *questions: str) -> list[str]:
    """Create entries of one session of the default user."""
    return [await store.create_qa_entry("chat", None, question, "a") for question in questions]


async def test_a_delete_beside_a_thousand_appends_loses_none(store: AsyncQAStore, other_store: AsyncQAStore) -> None:
    """While one client appends 1,000 entries another one deletes: none is lost or doubled, and the order is kept."""
    doomed = await ask(store, *(f"doomed {number}" for number in range(20)))

    async def append() -> None:
        for number in range(1_000):
            await other_store.create_qa_entry("chat", None, str(number), "a")

    async def delete() -> None:
        for qa_id in doomed:
            assert await store.delete_qa_entry("chat", None, qa_id)
            await asyncio.sleep(0)

    await asyncio.gather(append(), delete())
    entries = await store.get_all_qa_entries("chat", None)
    assert [entry.question for entry in entries] == [str(number) for number in range(1_000)]


async def test_updates_at_the_same_time_all_hold(store: AsyncQAStore, other_store: AsyncQAStore) -> None:
    """Twenty updates of one entry by two clients, each of another flag or field, all hold."""
    (qa_id,) = await ask(store, "q")
    updates = [SessionQAUpdate(memify_metadata={f"flag {number}": True}) for number in range(18)]
    updates += [SessionQAUpdate(feedback_text="good"), SessionQAUpdate(feedback_score=5)]
    done = await asyncio.gather(
        *(
            (store, other_store)[number % 2].update_qa_entry("chat", None, qa_id, update)
            for number, update in enumerate(updates)
        )
    )
    (entry,) = await store.get_all_qa_entries("chat", None)
    assert done == [True] * 20
    assert entry.memify_metadata == {f"flag {number}": True for number in range(18)}
    assert (entry.feedback_text, entry.feedback_score) == ("good", 5)


async def test_updates_beside_deletes_change_the_right_entries(store: AsyncQAStore, other_store: AsyncQAStore) -> None:
    """While every other entry is deleted, each update changes the entry that it names."""
    ids = await ask(store, *map(str, range(40)))
    await asyncio.gather(
        *(other_store.delete_qa_entry("chat", None, qa_id) for qa_id in ids[::2]),
        *(
            store.update_qa_entry("chat", None, qa_id, SessionQAUpdate(answer=f"to {number}"))
            for number, qa_id in enumerate(ids)
            if number % 2
        ),
    )
    found = await store.get_all_qa_entries("chat", None)
    assert [(entry.question, entry.answer) for entry in found] == [(str(n), f"to {n}") for n in range(1, 40, 2)]


async def test_unknown_fields_survive_an_update(cache: AsyncSessionCache, store: AsyncQAStore) -> None:
    """What another release or SDK has stored with an entry stays where an update does not name it."""
    entry = {"question": "q", "answer": "a", "used_session_context_ids": ["c1"], "own": {"x": [1]}, "null": None}
    saved = await cache.qa.save("chat", entry)
    assert await store.update_qa_entry("chat", None, saved.ids[0], SessionQAUpdate(feedback_text="x"))
    (found,) = await store.get_all_qa_entries("chat", None)
    assert found.used_session_context_ids == ["c1"]
    assert found.model_extra == {"own": {"x": [1]}, "null": None}


@pytest.mark.parametrize("form", [str.upper, lambda text: text.replace("-", ""), "uuid"])
async def test_an_id_is_taken_in_any_form(store: AsyncQAStore, form: Any) -> None:  # noqa: ANN401 - a function or a name
    """A UUID object, 32 digits and capitals name the same entry as the 36 characters do."""
    from uuid import UUID

    (qa_id,) = await ask(store, "q")
    given = UUID(qa_id) if form == "uuid" else form(qa_id)
    assert await store.update_qa_entry("chat", None, given, {"answer": "new"})
    assert await store.delete_qa_entry("chat", None, given)


async def test_an_update_may_be_a_mapping(store: AsyncQAStore) -> None:
    """A mapping of fields is an update; one with another name in it is refused."""
    (qa_id,) = await ask(store, "q")
    assert await store.update_qa_entry("chat", None, qa_id, {"feedback_score": 2})
    with pytest.raises(InvalidArgument, match="unexpected keyword argument 'score'"):
        await store.update_qa_entry("chat", None, qa_id, {"score": 2})


async def test_writes_slide_the_expiry_and_reads_do_not(cache: AsyncSessionCache, store: AsyncQAStore) -> None:
    """The deadline stays with the session through updates and deletes of entries, moves with writes, not with reads."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1_000_000))
    cache.keys.now_override_ms = 1_800_000_000_000
    try:
        first, second = await ask(store, "q1", "q2")
        deadlines = []
        for action in (
            lambda: store.get_all_qa_entries("chat", None),
            lambda: store.update_qa_entry("chat", None, first, SessionQAUpdate(feedback_score=1)),
            lambda: store.delete_qa_entry("chat", None, second),
            lambda: store.save_trace_step(None, "chat", TraceStep(origin_function="f", status="s")),
            lambda: store.read_trace_steps(None, "chat"),
        ):
            cache.keys.now_override_ms += 100_000
            await action()
            session = await cache.sessions.get("chat")
            assert session is not None
            assert session.deadline_at is not None
            deadlines.append(session.deadline_at.timestamp() * 1_000 - 1_800_000_000_000)
        assert deadlines == [1_000_000, 1_200_000, 1_300_000, 1_400_000, 1_400_000]
        cache.keys.now_override_ms += 1_000_000
        assert await store.get_all_qa_entries("chat", None) == []
        assert not await store.update_qa_entry("chat", None, first, SessionQAUpdate(answer="x"))
        assert not await store.delete_qa_entry("chat", None, first)
    finally:
        cache.keys.now_override_ms = None


async def test_a_damaged_entry_is_an_error_with_its_id(
    cache: AsyncSessionCache, store: AsyncQAStore, engine: Engine
) -> None:
    """An entry that cannot be read is a DecodeError that names it, not a shorter list."""
    first, second = await ask(store, "q1", "q2")
    keys = cache.keys.session("chat")
    items, _ = keys.room("qa")
    with client_for(engine, keys.record) as raw:
        for damage in ("garbage", "8:question1:1", "8:question2:{]"):
            raw.hset(items, first, damage)
            with pytest.raises(DecodeError, match=first):
                await store.get_all_qa_entries("chat", None)
        assert await store.latest_qa_id("chat", None) == second


async def test_a_torn_session_is_an_error(cache: AsyncSessionCache, store: AsyncQAStore, engine: Engine) -> None:
    """A session of which entries, their order, or a trace were lost is SessionTorn to readers and writers."""
    (qa_id,) = await ask(store, "q1")
    await store.save_trace_step(None, "chat", TraceStep(origin_function="f", status="s"))
    keys = cache.keys.session("chat")
    items, order = keys.room("qa")
    with client_for(engine, keys.record) as raw:
        raw.hdel(items, qa_id)
        with pytest.raises(SessionTorn):
            await store.get_all_qa_entries("chat", None)
        raw.delete(order, *keys.room("traces"))
    for call in (
        store.get_latest_qa_entries("chat", None, 1),
        store.update_qa_entry("chat", None, qa_id, SessionQAUpdate(answer="x")),
        store.create_qa_entry("chat", None, "q", "a"),
        store.read_trace_steps(None, "chat"),
        store.save_trace_step(None, "chat", TraceStep(origin_function="f", status="s")),
    ):
        with pytest.raises(SessionTorn):
            await call


async def test_prune_leaves_other_namespaces_alone(store: AsyncQAStore, engine: Engine, namespace: str) -> None:
    """Only the sessions of the cache's own namespace are removed, and prune says how many."""
    async with make_async_cache(engine, f"{namespace}-2") as neighbour:
        await neighbour.qa.append("chat", "q", "a")
        await ask(store, "q1", "q2")
        assert await store.prune() == 1
        assert await neighbour.qa.count("chat") == 1


async def test_the_default_users_sessions_are_those_of_the_others(
    cache: AsyncSessionCache, store: AsyncQAStore
) -> None:
    """A transcript and the entries of the default user are one session; another user's is listed under that user."""
    await ask(store, "q1")
    await store.create_qa_entry("chat", "ada", "q2", "a")
    await AsyncTranscriptStore(cache).save("chat", [{"role": "user", "content": "hi"}])
    assert [session.id async for session in cache.sessions.each(user="ada")] == ["user=ada/chat"]
    assert await cache.sessions.count() == 2
    assert await store.delete_session("chat", None)
    assert await AsyncTranscriptStore(cache).load("chat") is None


async def test_history_alternates(store: AsyncQAStore) -> None:
    """The history has a user's and an assistant's message for each of the newest entries; an empty one is empty."""
    assert await store.get_history("chat", None) == []
    assert await store.get_formatted_history("chat", None) == ""
    await ask(store, *map(str, range(12)))
    history = await store.get_history("chat", None)
    assert [message["role"] for message in history] == ["user", "assistant"] * 10
    assert [message["content"] for message in history[::2]] == [str(number) for number in range(2, 12)]


async def test_a_formatted_history_is_a_text(store: AsyncQAStore) -> None:
    """It opens with what it is, and has time, question and answer of each entry; the context only where asked for."""
    await store.create_qa_entry("chat", None, "why?", "because", "the book")
    plain = await store.get_formatted_history("chat", None)
    whole = await store.get_formatted_history("chat", None, include_context=True)
    assert plain.startswith("Previous conversation:\n\n[")
    assert "QUESTION: why?\nANSWER: because" in plain
    assert "QUESTION: why?\nCONTEXT: the book\nANSWER: because" in whole


async def test_feedback_is_added_and_deleted(store: AsyncQAStore) -> None:
    """Feedback keeps other flags, resets the one that says it was applied, and leaves what is not given."""
    (qa_id,) = await ask(store, "q")
    applied = {"feedback_weights_applied": True, "other": True}
    assert await store.update_qa_entry("chat", None, qa_id, SessionQAUpdate(memify_metadata=applied))
    assert await store.add_feedback("chat", None, qa_id, feedback_text="good", feedback_score=4)
    assert await store.add_feedback("chat", None, qa_id, feedback_score=5)
    (entry,) = await store.get_all_qa_entries("chat", None)
    assert (entry.feedback_text, entry.feedback_score) == ("good", 5)
    assert entry.memify_metadata == {"feedback_weights_applied": False, "other": True}
    with pytest.raises(InvalidArgument):
        await store.add_feedback("chat", None, qa_id, feedback_score=6)

    assert await store.delete_feedback("chat", None, qa_id)
    (entry,) = await store.get_all_qa_entries("chat", None)
    assert (entry.feedback_text, entry.feedback_score) == (None, None)
    assert not await store.delete_feedback("chat", None, "unknown")


async def test_the_tail_of_a_trace(store: AsyncQAStore) -> None:
    """The newest n steps come in their order; None is all of them, 0 is none."""
    for number in range(5):
        await store.save_trace_step(None, "chat", {"trace_id": str(number), "origin_function": "f", "status": "s"})
    tail = await store.get_agent_trace_session(None, "chat", 2)
    assert [step.trace_id for step in tail] == ["3", "4"]
    assert len(await store.get_agent_trace_session(None, "chat")) == 5
    assert await store.get_agent_trace_session(None, "chat", 0) == []


@pytest.fixture
async def recorded(engine: Engine, namespace: str) -> AsyncIterator[tuple[AsyncQAStore, AsyncRecordingTransport]]:
    """A store, and what its cache sent."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as opened:
        yield AsyncQAStore(opened), recording


@pytest.mark.engines("valkey", "fakeredis")
async def test_each_call_is_one_request(recorded: tuple[AsyncQAStore, AsyncRecordingTransport]) -> None:
    """Whatever a call does to one session, it is one script."""
    store, recording = recorded
    recording.calls.clear()
    (qa_id,) = await ask(store, "q")
    await store.update_qa_entry("chat", None, qa_id, SessionQAUpdate(answer="x"))
    await store.get_latest_qa_entries("chat", None, 5)
    await store.latest_qa_id("chat", None)
    await store.set_graph_context("chat", None, "graph")
    await store.get_graph_context("chat", None)
    await store.save_trace_step(None, "chat", TraceStep(origin_function="f", status="s"))
    await store.read_trace_steps(None, "chat")
    await store.delete_qa_entry("chat", None, qa_id)
    await store.delete_session("chat", None)
    assert len(recording.calls) == 10


async def test_turns_of_one_session_come_one_at_a_time(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache, store: AsyncQAStore
) -> None:
    """Under a lease of the pair's session turns never overlap, each sees the one before, and users do not wait."""
    running, peak = 0, 0

    async def turn(number: int, user: str) -> None:
        nonlocal running, peak
        own = (cache, other_cache)[number % 2]
        async with own.leases.hold(session_id_for("chat", user), ttl_ms=60_000, wait_ms=60_000):
            running += 1
            peak = max(peak, running)
            before = await AsyncQAStore(own).get_latest_qa_entries("chat", user, 2)
            asked = str(int(before[-1].question) + 1) if before else "0"
            await AsyncQAStore(own).create_qa_entry("chat", user, asked, "a")
            running -= 1

    await asyncio.gather(*(turn(number, "ada") for number in range(8)))
    assert peak == 1
    assert [entry.question for entry in await store.get_all_qa_entries("chat", "ada")] == [str(at) for at in range(8)]
    async with cache.leases.hold(session_id_for("chat", "ada"), ttl_ms=60_000):
        await turn(0, "bob")
    assert len(await store.get_all_qa_entries("chat", "bob")) == 1
