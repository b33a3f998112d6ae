"""Contract 004 over a cache, in both colours on every engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Literal

import pytest

from sessioncache import (
    AsyncSessionCache,
    BackendTimeout,
    BackendUnavailable,
    DecodeError,
    OutcomeUnknown,
    SessionCache,
    SessionGone,
)
from sessioncache.stores import AsyncRuntimePersistence, RuntimeMessage, RuntimePersistence, RuntimeSession
from sessioncache.testing import AsyncFaultyTransport, AsyncGatedTransport, AsyncRecordingTransport
from sessioncache.testing.conformance import AsyncRuntimePersistenceConformance, RuntimePersistenceConformance
from tests.engines.caches import lowest_transport, make_sync_cache
from tests.engines.engine import Engine


class TestAsync(AsyncRuntimePersistenceConformance):
    """The async store."""

    @pytest.fixture
    async def store(self, cache: AsyncSessionCache) -> AsyncRuntimePersistence:
        return AsyncRuntimePersistence(cache)

    @pytest.fixture
    async def other_store(self, other_cache: AsyncSessionCache) -> AsyncRuntimePersistence:
        return AsyncRuntimePersistence(other_cache)


class TestSync(RuntimePersistenceConformance):
    """The sync store."""

    @pytest.fixture
    def store(self, sync_cache: SessionCache) -> RuntimePersistence:
        return RuntimePersistence(sync_cache)

    @pytest.fixture
    def other_store(self, engine: Engine, namespace: str) -> Iterator[RuntimePersistence]:
        with make_sync_cache(engine, namespace) as opened:
            yield RuntimePersistence(opened)


def said(*texts: str) -> list[RuntimeMessage]:
    """Messages with these texts."""
    return [RuntimeMessage(role="user", content=text) for text in texts]


async def stored_texts(cache: AsyncSessionCache, session_id: str = "run") -> list[str]:
    """The texts of the stored messages."""
    return [entry.message["content"] async for entry in cache.transcripts.each(session_id)]


@pytest.mark.engines("valkey", "fakeredis")
async def test_a_save_is_one_round_trip(engine: Engine, namespace: str) -> None:
    """Creating a session and adding to it are one script each, and old messages are not sent again."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as cache:
        session = RuntimeSession(id="run", messages=said("first"))
        for text in ("second", "third"):
            recording.calls.clear()
            await AsyncRuntimePersistence(cache).save_runtime_session(session)
            assert [call.name for call in recording.calls] == ["sessions.save"]
            session.messages += said(text)
        (call,) = recording.calls
        assert [b"first" in arg for arg in call.args if isinstance(arg, bytes) and b"content" in arg] == [False]


async def test_editors_and_savers_lose_nothing(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Many edits beside many saves: the versions count the edits, events are in their order, all messages stand."""
    edits, savers, rounds = 12, 4, 6
    renamed = [number for number in range(edits) if number % 3]
    await AsyncRuntimePersistence(cache).save_runtime_session(RuntimeSession(id="run"))
    caches = [cache, other_cache]

    async def edit(number: int) -> None:
        store = AsyncRuntimePersistence(caches[number % 2])
        if number % 3:
            await store.set_title("run", f"title {number}")
        else:

            def change(session: RuntimeSession) -> None:
                session.metadata["gold_config"] = f"gold {number}"

            await store.update_runtime_config("run", change)

    async def save(number: int) -> None:
        store = AsyncRuntimePersistence(caches[number % 2])
        session = await store.load("run")
        assert session is not None
        for turn in range(rounds):
            session.messages += said(f"{number}.{turn}")
            await store.save_runtime_session(session)

    async with cache.feed.subscribe("run") as subscription:
        await asyncio.gather(*map(edit, range(edits)), *map(save, range(savers)))
        changes = await subscription.read()
    record = await cache.sessions.get("run")
    assert record is not None
    assert (record.title_version, record.metadata_version) == (len(renamed), edits)
    texts = await stored_texts(cache)
    assert sorted(texts) == sorted(f"{number}.{turn}" for number in range(savers) for turn in range(rounds))
    for number in range(savers):
        assert [text for text in texts if text.startswith(f"{number}.")] == [
            f"{number}.{turn}" for turn in range(rounds)
        ]
    versions = [int(change.details["title_version"]) for change in changes if change.kind == "session.updated"]
    assert versions == sorted(set(versions))
    assert len(versions) == len(renamed)


async def test_edits_are_published_in_their_order(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Two renames at once are versions 1 and 2, and the feed has them in that order."""
    await AsyncRuntimePersistence(cache).save_runtime_session(RuntimeSession(id="run"))
    async with cache.feed.subscribe("run") as subscription:
        done = await asyncio.gather(
            AsyncRuntimePersistence(cache).set_title("run", "one"),
            AsyncRuntimePersistence(other_cache).set_title("run", "two"),
        )
        last = await AsyncRuntimePersistence(cache).load("run")
        assert last is not None
        assert await AsyncRuntimePersistence(cache).set_title("run", last.title) is None
        changes = await subscription.read()
    assert sorted(updated.title_version for updated in done if updated is not None) == [1, 2]
    assert [change.details["title_version"] for change in changes] == ["1", "2"]
    assert changes[-1].details["title"] == last.title


async def test_a_rename_by_hand_beats_a_generated_title(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """However a rename and a generated title fall together, the session ends with the one by hand."""
    for number in range(10):
        session_id = f"run-{number}"
        await AsyncRuntimePersistence(cache).save_runtime_session(RuntimeSession(id=session_id))
        await asyncio.gather(
            AsyncRuntimePersistence(cache).apply_generated_title(session_id, "generated"),
            AsyncRuntimePersistence(other_cache).set_title(session_id, "by hand"),
        )
        record = await cache.sessions.get(session_id)
        assert record is not None
        assert record.title == "by hand"


@pytest.mark.engines("valkey", "fakeredis")
async def test_a_failing_store_leaves_the_object_alone(engine: Engine, namespace: str) -> None:
    """A save that cannot reach the server fails, writes nothing and changes nothing in the object."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said("1"))
        await store.save_runtime_session(session)
        await store.set_title("run", "Rome")
        session.messages += said("2")
        before = session.model_copy(deep=True)
        faulty.faults.refuse("sessions.save", times=99)
        with pytest.raises(BackendUnavailable):
            await store.save_runtime_session(session)
        faulty.faults.clear()
        assert session == before
        assert await stored_texts(cache) == ["1"]
        await store.save_runtime_session(session)
        assert session.title == "Rome"
        assert await stored_texts(cache) == ["1", "2"]


async def save_unknown(
    store: AsyncRuntimePersistence,
    session: RuntimeSession,
    faulty: AsyncFaultyTransport,
    fault: str,
    theirs: AsyncSessionCache,
) -> None:
    """A save whose answer is lost, or that is refused, until others have written so much that nobody knows which."""
    getattr(faulty.faults, fault)("sessions.save", times=99)
    with pytest.raises((BackendTimeout, BackendUnavailable)):
        await store.save_runtime_session(session)
    faulty.faults.clear()
    for number in range(16):
        await theirs.transcripts.append("run", {"role": "user", "content": f"theirs {number}"})
    with pytest.raises(OutcomeUnknown):
        await store.save_runtime_session(session)


@pytest.mark.engines("valkey", "fakeredis")
@pytest.mark.parametrize("fault", ["lose_reply", "refuse"])
async def test_a_save_that_may_be_forgotten_is_made_up_later(engine: Engine, namespace: str, fault: str) -> None:
    """Sixteen writes of others later nobody knows whether it was made; the save after that adds what is missing."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache, AsyncSessionCache(lowest, settings) as theirs:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said("old"))
        await store.save_runtime_session(session)
        session.messages += said("mine")
        await save_unknown(store, session, faulty, fault, theirs)
        await store.save_runtime_session(session)
        texts = await stored_texts(cache)
        assert sorted(texts) == sorted(["old", "mine", *[f"theirs {number}" for number in range(16)]])


@pytest.mark.engines("fakeredis")
@pytest.mark.parametrize("fault", ["lose_reply", "refuse"])
async def test_what_others_took_away_is_not_brought_back(engine: Engine, namespace: str, fault: str) -> None:
    """A save of unknown outcome is made up for; messages and sessions that others deleted stay away."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache, AsyncSessionCache(lowest, settings) as theirs:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said("old", "secret"))
        await store.save_runtime_session(session)
        await theirs.transcripts.save("run", [{"role": "user", "content": "cleared"}])
        session.messages += said("mine")
        await save_unknown(store, session, faulty, fault, theirs)
        session.messages += said("more")
        await store.save_runtime_session(session)
        texts = await stored_texts(cache)
        assert sorted(texts) == sorted(["cleared", "mine", "more", *[f"theirs {number}" for number in range(16)]])
        session.messages += said("last")
        await save_unknown(store, session, faulty, fault, theirs)
        await theirs.sessions.delete("run")
        for _ in range(2):
            with pytest.raises(SessionGone):
                await store.save_runtime_session(session)
        assert not await cache.sessions.exists("run")


@pytest.mark.engines("fakeredis")
@pytest.mark.parametrize("fault", ["lose_reply", "refuse"])
async def test_a_rewrite_that_may_be_forgotten_is_made_up_later(engine: Engine, namespace: str, fault: str) -> None:
    """The edited message takes the place of the old one, once, and what others said stays."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache, AsyncSessionCache(lowest, settings) as theirs:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said("old", "kept"))
        await store.save_runtime_session(session)
        session.messages = said("edited", "kept", "mine")
        await save_unknown(store, session, faulty, fault, theirs)
        for _ in range(2):
            await store.save_runtime_session(session)
        texts = await stored_texts(cache)
        assert sorted(texts) == sorted(["edited", "kept", "mine", *[f"theirs {number}" for number in range(16)]])


@pytest.mark.engines("valkey", "fakeredis")
@pytest.mark.parametrize("start", [[], ["old"], ["old", "gone"]])
async def test_a_save_whose_answer_was_lost_is_not_made_twice(engine: Engine, namespace: str, start: list[str]) -> None:
    """Saved again after a time-out, with more messages by then, each message is stored once: new, added or swapped."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said(*start))
        if start:
            await store.save_runtime_session(session)
        session.messages = session.messages[:1] + said("1")
        faulty.faults.lose_reply("sessions.save", times=99)
        with pytest.raises(BackendTimeout):
            await store.save_runtime_session(session)
        faulty.faults.clear()
        await cache.transcripts.append("run", {"role": "user", "content": "theirs"})
        session.messages += said("2")
        await store.save_runtime_session(session)
        assert await stored_texts(cache) == [*start[:1], "1", "theirs", "2"]


@pytest.mark.engines("valkey", "fakeredis")
async def test_a_long_swap_whose_answer_was_lost_is_not_made_twice(engine: Engine, namespace: str) -> None:
    """A staged swap that timed out is settled before the next save."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said(*map(str, range(700))))
        await store.save_runtime_session(session)
        session.messages[0].content = "changed"
        faulty.faults.lose_reply("transcripts.save", times=99)
        with pytest.raises(BackendTimeout):
            await store.save_runtime_session(session)
        faulty.faults.clear()
        await store.save_runtime_session(session)
        assert await stored_texts(cache) == ["changed", *map(str, range(1, 700))]


async def test_a_swap_gives_way_to_a_writer_in_between(engine: Engine, namespace: str) -> None:
    """A message that is appended between the reading and the swap of a transcript stays."""
    lowest, settings = lowest_transport(engine, namespace)
    gated = AsyncGatedTransport(lowest)
    async with AsyncSessionCache(gated, settings) as cache:
        session = RuntimeSession(id="run", messages=said("1", "2"))
        store = AsyncRuntimePersistence(cache)
        await store.save_runtime_session(session)
        session.messages = said("summary")
        gate = gated.gate("sessions.save")
        saving = asyncio.create_task(store.save_runtime_session(session))
        await gate.reached()
        await cache.transcripts.append("run", {"role": "user", "content": "theirs"})
        gate.open()
        await saving
        assert await stored_texts(cache) == ["summary", "theirs"]


async def test_children_and_statuses_are_found(cache: AsyncSessionCache) -> None:
    """Children are found by their parent, and sessions by the status of their run."""
    store = AsyncRuntimePersistence(cache)
    await store.save_runtime_session(RuntimeSession(id="root", status="running"))
    await store.save_runtime_session(RuntimeSession(id="a", parent_session_id="root", status="done"))
    await store.save_runtime_session(RuntimeSession(id="b", parent_session_id="root", status="running"))
    await store.save_runtime_session(RuntimeSession(id="c", parent_session_id="a"))
    assert await store.list_child_run_statuses("root") == {"a": "done", "b": "running"}
    assert sorted(await store.list_sessions_by_run_status("running")) == ["b", "root"]


async def test_grandchildren_keep_their_lineage(cache: AsyncSessionCache) -> None:
    """A child of a child keeps parent, root and depth through a load and a save."""
    store = AsyncRuntimePersistence(cache)
    for name, parent, depth in (("root", None, 0), ("child", "root", 1), ("grandchild", "child", 2)):
        kind = "child" if parent else "root"
        session = RuntimeSession(id=name, kind=kind, parent_session_id=parent, root_session_id="root")
        session.spawn_depth = depth
        await store.save_runtime_session(session)
    loaded = await store.load("grandchild")
    assert loaded is not None
    loaded.messages += said("on it")
    await store.save_runtime_session(loaded)
    again = await store.load("grandchild")
    assert again is not None
    lineage = (again.kind, again.parent_session_id, again.root_session_id, again.spawn_depth)
    assert lineage == ("child", "child", "root", 2)
    assert list(await store.list_child_run_statuses("child")) == ["grandchild"]


async def test_an_untitled_session_stays_untitled(cache: AsyncSessionCache) -> None:
    """A session that another contract made without a title is shown with the default one, which no save stores."""
    store = AsyncRuntimePersistence(cache)
    await cache.transcripts.append("run", {"role": "user", "content": "hi"})

    def change(session: RuntimeSession) -> None:
        session.metadata["gold_config"] = "gold"

    changed = await store.update_runtime_config("run", change)
    assert changed is not None
    assert (changed.title, changed.metadata_version, changed.title_version) == ("New Session", 1, 0)
    session = await store.load("run")
    assert session is not None
    session.pinned, session.metadata_version = True, 2
    await store.save_runtime_session(session)
    record = await cache.sessions.get("run")
    assert record is not None
    assert (record.title, record.pinned) == (None, True)
    session.title, session.title_version, session.metadata_version = "Rome", 1, 3
    await store.save_runtime_session(session)
    record = await cache.sessions.get("run")
    assert record is not None
    assert record.title == "Rome"


async def test_each_edit_is_one_event(cache: AsyncSessionCache) -> None:
    """A rename, a pin and a generated title are published with what is stored then; what changes nothing is not."""
    store = AsyncRuntimePersistence(cache)
    await store.save_runtime_session(RuntimeSession(id="run"))
    async with cache.feed.subscribe("run") as subscription:
        await store.apply_generated_title("run", " Generated ")
        await store.set_title("run", "By hand")
        await store.set_title("run", " By hand ")
        await store.apply_generated_title("run", "Generated again")
        await store.set_pinned("run", True)  # noqa: FBT003 - as the contract says
        await store.set_pinned("run", True)  # noqa: FBT003 - as the contract says
        await store.apply_generated_title("run", "Forced", force=True)
        changes = await subscription.read()
    assert {change.kind for change in changes} == {"session.updated"}
    assert [change.details["changed"] for change in changes] == ["title", "title", "pinned", "title"]
    assert [change.details["title"] for change in changes] == ["Generated", "By hand", "By hand", "Forced"]
    assert [change.details["title_version"] for change in changes] == ["1", "2", "2", "3"]
    assert [change.details["metadata_version"] for change in changes] == ["1", "2", "3", "4"]


async def test_usage_lines_are_stored_once_each(cache: AsyncSessionCache) -> None:
    """Two lines in are two lines out, byte for byte; an unknown session gets none."""
    store = AsyncRuntimePersistence(cache)
    await store.save_runtime_session(RuntimeSession(id="run"))
    await asyncio.gather(*(store.append_token_usage_record("run", f'{{"n": {number}}}\n') for number in range(20)))
    await store.append_token_usage_record("unknown", "{}")
    lines = [entry.payload async for entry in cache.usage.each("run")]
    assert sorted(lines) == sorted(f'{{"n": {number}}}'.encode() for number in range(20))
    assert not await cache.sessions.exists("unknown")


async def test_a_document_that_cannot_be_read_is_an_error(cache: AsyncSessionCache) -> None:
    """A document of another shape is a DecodeError, and the session is not taken for a new one."""
    await cache.documents.save("run", {"runtime": {"messages": 1, "metadata": 3, "spawn_depth": "deep"}})
    with pytest.raises(DecodeError, match="spawn_depth"):
        await AsyncRuntimePersistence(cache).load("run")


@pytest.mark.engines("valkey", "fakeredis")
@pytest.mark.parametrize("side", ["before", "after"])
async def test_a_cancelled_save_is_not_made_twice(
    engine: Engine, namespace: str, side: Literal["before", "after"]
) -> None:
    """A save that was cut off, before the server had it or after, is whole or not there, and made once by the next."""
    lowest, settings = lowest_transport(engine, namespace)
    gated = AsyncGatedTransport(lowest)
    async with AsyncSessionCache(gated, settings) as cache:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", messages=said("1", "2"), model="m")
        gate = gated.gate("sessions.save", side)
        saving = asyncio.create_task(store.save_runtime_session(session))
        await gate.reached()
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        gate.open()
        seen = await store.load("run")
        if side == "before":
            assert seen is None
        else:
            assert seen is not None
            assert ([message.content for message in seen.messages], seen.model) == (["1", "2"], "m")
        await store.save_runtime_session(session)
        assert await stored_texts(cache) == ["1", "2"]
