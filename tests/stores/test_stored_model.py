"""What stores read is read as far as it can be, and what could not be read back is not written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

import pytest

from sessioncache import AsyncSessionCache, BackendTimeout, InvalidArgument
from sessioncache.stores import (
    ActiveSession,
    AsyncRuntimePersistence,
    ConversationTurn,
    RuntimeMessage,
    RuntimeSession,
    SessionAsset,
    SessionCheckpoint,
    SkillConfig,
    TranscriptMessage,
)
from sessioncache.testing import AsyncFaultyTransport
from sessioncache.types import JSONObject
from tests.engines import Engine
from tests.engines.caches import lowest_transport
from tests.stores.five import Stores, update

ODD_MESSAGES: list[JSONObject] = [
    {"role": "assistant", "content": None, "tool_calls": None, "compressed": None, "tags": None, "timestamp_ms": None},
    {"role": "user", "content": {"parts": [1]}, "id": 7, "tool_calls": "none", "tags": 3, "name": ["n"], "x": None},
]
"""As other writers may have them: nulls where this store's models have none, and values of other kinds."""


@pytest.fixture
def stores(cache: AsyncSessionCache) -> Stores:
    """The five stores on the engine."""
    return Stores(cache)


async def test_odd_messages_do_not_lock_a_session(stores: Stores) -> None:
    """Messages with nulls and values of other kinds are loaded by all, and a save that adds leaves them as they are."""
    await stores.cache.transcripts.append("s", ODD_MESSAGES)
    transcript = await stores.transcript.load("s")
    assert transcript is not None
    assert [cast("Any", one.content) for one in transcript] == [None, {"parts": [1]}]
    asset = await stores.asset.load("s")
    assert [cast("Any", turn.tool_calls) for turn in asset.history.turns] == [[], "none"]
    asset.add_turn(ConversationTurn(role="user", content="3"))
    await stores.asset.save(asset)
    session = await stores.runtime.load("s")
    assert session is not None
    assert [cast("Any", one.id) for one in session.messages][:2] == [None, 7]
    session.messages.append(RuntimeMessage(role="user", content="4"))
    await stores.runtime.save_runtime_session(session)
    stored = (await stores.cache.transcripts.list("s")).messages
    assert stored[:2] == ODD_MESSAGES
    assert [one["content"] for one in stored[2:]] == ["3", "4"]


async def test_odd_messages_survive_a_swap(stores: Stores) -> None:
    """A transcript that is saved as it was loaded keeps values of other kinds."""
    await stores.cache.transcripts.append("s", ODD_MESSAGES[1])
    loaded = await stores.transcript.load("s")
    assert loaded is not None
    await stores.transcript.save("s", loaded)
    assert (await stores.cache.transcripts.list("s")).messages == [ODD_MESSAGES[1]]
    asset = await stores.asset.load("s")
    asset.history.turns[0].metadata = {"seen": True}
    await stores.asset.save(asset)
    (stored,) = (await stores.cache.transcripts.list("s")).messages
    assert {**stored, **ODD_MESSAGES[1]} == stored


async def test_a_null_that_says_something_is_kept(stores: Stores) -> None:
    """Where absence reads as something else than null, null is stored."""
    await stores.runtime.save_runtime_session(
        RuntimeSession(id="r", messages=[RuntimeMessage(role="assistant", content=None)])
    )
    session = await stores.runtime.load("r")
    assert session is not None
    assert session.messages[0].content is None
    asset = SessionAsset(id="a", skill_configs={"skill": SkillConfig(skill_id="skill", params=None)})
    await stores.asset.save(asset)
    assert (await stores.asset.load("a")).skill_configs["skill"].params is None


def _spoil_update(session: ActiveSession) -> None:
    session.incremental_updates[0].timestamp = "yesterday"  # type: ignore[assignment]  # the fault


def _spoil_part(session: ActiveSession) -> None:
    session.user_preferences.auto_summary_threshold = "often"  # type: ignore[assignment]  # the fault


def _spoil_json(session: ActiveSession) -> None:
    session.entity_graph = session.entity_graph.model_copy(update={"of": object()})


@pytest.mark.parametrize("spoil", [_spoil_update, _spoil_part, _spoil_json])
async def test_a_context_that_cannot_be_read_back_is_not_saved(
    stores: Stores, spoil: Callable[[ActiveSession], None]
) -> None:
    """What was set to something else than its kind is InvalidArgument to the save, and the stored session stays."""
    session = ActiveSession(id=uuid4(), name="n")
    session.add_update(update("one"))
    await stores.context.save_session(session)
    stored = await stores.cache.sessions.get(str(session.id))
    spoil(session)
    with pytest.raises(InvalidArgument):
        await stores.context.save_session(session)
    assert await stores.cache.sessions.get(str(session.id)) == stored
    assert (await stores.context.load_session(session.id)).incremental_updates[0].content.title == "one"


@pytest.mark.parametrize(
    "field, value", [("granted_commands", "all"), ("created_at_ms", -1), ("metadata", {"x": object()})]
)
async def test_an_asset_that_cannot_be_read_back_is_not_saved(stores: Stores, field: str, value: object) -> None:
    """What was set to something else than its kind is InvalidArgument to the save, and the stored asset stays."""
    asset = SessionAsset(id="a")
    await stores.asset.save(asset)
    setattr(asset, field, value)
    with pytest.raises(InvalidArgument):
        await stores.asset.save(asset)
    assert (await stores.asset.load("a")).granted_commands == []


@pytest.mark.parametrize("field, value", [("kind", 5), ("compression_events", "none"), ("task_list", object())])
async def test_a_runtime_session_that_cannot_be_read_back_is_not_saved(
    stores: Stores,
    field: str,
    value: object,
) -> None:
    """What was set to something else than its kind is InvalidArgument to both saves, and the stored session stays."""
    session = RuntimeSession(id="r")
    await stores.runtime.save_runtime_session(session)
    setattr(session, field, value)
    for save in (stores.runtime.save_runtime_session, stores.runtime.save_runtime_only):
        with pytest.raises(InvalidArgument):
            await save(session)
    loaded = await stores.runtime.load("r")
    assert loaded is not None
    assert loaded.kind == "root"


@pytest.mark.parametrize("role", [5, None])
async def test_a_message_that_nobody_could_read_is_not_saved(stores: Stores, role: object) -> None:
    """A message whose role was set to no text is InvalidArgument to each contract that saves messages."""
    said: tuple[Any, ...] = (
        TranscriptMessage(role="user"),
        ConversationTurn(role="user"),
        RuntimeMessage(role="user"),
    )
    for one in said:
        one.role = role
    asset = SessionAsset(id="s")
    asset.history.turns = [said[1]]
    for save in (
        stores.transcript.save("s", [said[0]]),
        stores.asset.save(asset),
        stores.runtime.save_runtime_session(RuntimeSession.model_construct(id="s", messages=[said[2]])),
    ):
        with pytest.raises(InvalidArgument, match="role"):
            await save
    assert not await stores.cache.sessions.exists("s")


async def test_updates_and_checkpoints_that_nobody_could_read_are_not_saved(stores: Stores) -> None:
    """What was set to something else than its kind is InvalidArgument also beside the save of a session."""
    session_id = uuid4()
    bad: Any = update("u")
    bad.timestamp = "yesterday"
    checkpoint: Any = SessionCheckpoint(session_id=session_id)
    checkpoint.total_updates = "many"
    session = ActiveSession(id=session_id)
    cast("list[Any]", session.incremental_updates).append("text")
    for save in (
        stores.context.batch_save_updates(session_id, [bad]),
        stores.context.save_checkpoint(checkpoint),
        stores.context.save_session(session),
    ):
        with pytest.raises(InvalidArgument):
            await save
    assert not await stores.context.session_exists(session_id)


@pytest.mark.parametrize(
    "field, value", [("agent_runtime_state", ["x"]), ("metadata", "x"), ("messages", None), ("title", 5)]
)
async def test_a_runtime_session_of_other_kinds_is_named(stores: Stores, field: str, value: object) -> None:
    """The error says which field is not of its kind."""
    session = RuntimeSession(id="r")
    setattr(session, field, value)
    with pytest.raises(InvalidArgument, match=field):
        await stores.runtime.save_runtime_session(session)


async def test_what_is_no_session_is_named(stores: Stores) -> None:
    """A mapping in the place of an asset or a runtime session, and parts of an asset that are none, are refused."""
    other: Any = {"id": "s"}
    for save in (stores.asset.save, stores.runtime.save_runtime_session, stores.runtime.save_runtime_only):
        with pytest.raises(InvalidArgument, match="not dict"):
            await save(other)
    for part in ("history", "project_context"):
        asset = SessionAsset(id="s")
        setattr(asset, part, {})
        with pytest.raises(InvalidArgument, match=part):
            await stores.asset.save(asset)


@pytest.mark.engines("valkey", "fakeredis")
async def test_an_edit_after_an_unanswered_save_is_saved(engine: Engine, namespace: str) -> None:
    """The answer of a save that is settled later is that of then: what its object was given since is still saved."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        store = AsyncRuntimePersistence(cache)
        session = RuntimeSession(id="run", title="before")
        faulty.faults.lose_reply("sessions.save", times=99)
        with pytest.raises(BackendTimeout):
            await store.save_runtime_session(session)
        faulty.faults.clear()
        session.title, session.title_version, session.metadata_version = "after", 1, 1
        await store.save_runtime_session(session)
        assert (session.title, session.metadata_version) == ("after", 1)
        loaded = await store.load("run")
        assert loaded is not None
        assert (loaded.title, loaded.metadata_version) == ("after", 1)
