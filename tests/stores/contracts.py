"""Each contract by itself: something in everything that it can hold, all that it shows of that, and a plain change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sessioncache.entities import EntityMention
from sessioncache.freshness import SourceReference
from sessioncache.stores import (
    ActiveSession,
    CodeReference,
    CommandGrant,
    CompactedTurn,
    ComponentSnapshot,
    ConversationTurn,
    DecisionItem,
    EntityRelationship,
    LearnedFact,
    RuntimeMessage,
    RuntimeSession,
    SessionAsset,
    SessionCheckpoint,
    SessionQAUpdate,
    SkillConfig,
    ToolCall,
    TranscriptMessage,
    UserPreferences,
)
from sessioncache.workspaces import SessionRole
from tests.stores.five import Stores, message, update

Write = Callable[[Stores, str], Awaitable[None]]
Look = Callable[[Stores, str], Awaitable[tuple[list[Any], Any]]]
"""The messages, and everything else."""

WORKSPACE = uuid4()

BLOCKS: list[dict[str, Any]] = [
    {"role": "user", "content": "hi", "name": "Ada", "metadata": {"a": None}, "mood": None},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "t1"}], "metadata": None},
    {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}]},
    {"role": "user", "content": [{"type": "text", "text": "see", "lang": "en"}, {"type": "video", "frames": 3}]},
]


async def write_context(stores: Stores, session_id: str) -> None:
    """Something in every field of 000."""
    session = ActiveSession(
        id=UUID(session_id),
        name="context's",
        description="a lot",
        created_at=datetime(2020, 1, 1, tzinfo=UTC),
        user_preferences=UserPreferences(important_keywords=["k"], auto_save_enabled=False),
    )
    first = update("one")
    first.related_code = CodeReference(file_path="a.py")
    first.creates_relationships.append(EntityRelationship(from_entity="A", to_entity="B"))
    first.creates_entities += ["A", "B"]
    session.add_update(first)
    session.current_state.key_decisions.append(DecisionItem(description="yes", confidence=0.9))
    session.vectorized_update_ids.append(first.id)
    unknown = ActiveSession.model_validate(session.model_dump(mode="json") | {"mood": {"a": [None, 1]}})
    await stores.context.save_session_with_updates(unknown, session_id, [update("two")])
    await stores.context.save_checkpoint(SessionCheckpoint.of(session))
    await stores.context.save_workspace_metadata(WORKSPACE, "Team", "of one", [])
    await stores.context.add_session_to_workspace(WORKSPACE, session_id, SessionRole.SHARED)
    await stores.context.register_source(session_id, SourceReference("e", "a.py", b"1", datetime.now(UTC)))
    await stores.cache.entities.save(session_id, entities=[EntityMention(name="one")])


async def look_context(stores: Stores, session_id: str) -> tuple[list[Any], Any]:
    """All that 000 shows."""
    session = (await stores.context.load_session(session_id)).model_dump(mode="json", exclude={"last_updated"})
    return [], [
        session,
        [one.model_dump() for one in await stores.context.list_checkpoints() if one.session_id == UUID(session_id)],
        [
            (workspace.id, workspace.name, workspace.description, workspace.created_at, role)
            for workspace in await stores.context.list_workspaces()
            for member, role in workspace.sessions
            if member == UUID(session_id)
        ],
        await stores.context.get_entries_by_source("a.py"),
        [entity async for entity in stores.cache.entities.each(session_id)],
    ]


async def change_context(stores: Stores, session_id: str) -> None:
    """Load, describe, add an update, save."""
    session = await stores.context.load_session(session_id)
    session.description = "changed"
    session.add_update(update("more"))
    await stores.context.save_session(session)


async def write_transcript(stores: Stores, session_id: str) -> None:
    """Messages of every kind."""
    await stores.transcript.save(session_id, BLOCKS)


async def look_transcript(stores: Stores, session_id: str) -> tuple[list[Any], Any]:
    """The stored messages, each with what 001 makes of it."""
    loaded = await stores.transcript.load(session_id) or []
    stored = (await stores.cache.transcripts.list(session_id)).messages
    return list(zip([one.model_dump() for one in loaded], stored, strict=True)), None


async def change_transcript(stores: Stores, session_id: str) -> None:
    """Load, add a message, save."""
    loaded = await stores.transcript.load(session_id)
    assert loaded is not None
    await stores.transcript.save(session_id, [*loaded, TranscriptMessage(role="user", content="more")])


async def write_qa(stores: Stores, session_id: str) -> None:
    """Entries with feedback, a graph context and a trace."""
    first = await stores.qa.create_qa_entry(session_id, None, "q1", "a1", "c")
    await stores.qa.create_qa_entry(session_id, None, "q2", "a2", "")
    whole = SessionQAUpdate(
        feedback_text="good",
        feedback_score=4,
        used_graph_element_ids={"node_ids": ["n"], "edge_ids": []},
        memify_metadata={"a": True},
        used_session_context_ids=["s"],
    )
    assert await stores.qa.update_qa_entry(session_id, None, first, whole)
    await stores.qa.set_graph_context(session_id, None, "graph")
    await stores.qa.save_trace_step(
        None, session_id, {"trace_id": "t", "origin_function": "f", "status": "success", "method_params": {"a": [None]}}
    )


async def look_qa(stores: Stores, session_id: str) -> tuple[list[Any], Any]:
    """All that 002 shows; entries and steps are logs."""
    entries = [entry.model_dump() for entry in await stores.qa.get_all_qa_entries(session_id, None)]
    steps = [step.model_dump() for step in await stores.qa.read_trace_steps(None, session_id)]
    return [*zip(entries, steps * len(entries), strict=False)], await stores.qa.get_graph_context(session_id, None)


async def change_qa(stores: Stores, session_id: str) -> None:
    """Add an entry and change it, set the graph context, add a step."""
    added = await stores.qa.create_qa_entry(session_id, None, "more", "a")
    assert await stores.qa.update_qa_entry(session_id, None, added, SessionQAUpdate(feedback_score=1))
    await stores.qa.set_graph_context(session_id, None, "changed")
    await stores.qa.save_trace_step(None, session_id, {"trace_id": "m", "origin_function": "f", "status": "error"})


async def write_asset(stores: Stores, session_id: str) -> None:
    """Something in every field of 003."""
    asset = SessionAsset.for_project("/src/app", name="app")
    call = ToolCall(tool_name="grep", args={"q": None}, result=[1], success=False, duration_ms=7)
    asset.add_turn(ConversationTurn(role="assistant", content="hm", tool_calls=[call], tags=["a"], metadata={"m": 1}))
    asset.add_turn(ConversationTurn(role="user", content=None, metadata=None))
    asset.history.compacted.append(CompactedTurn(summary="s", turn_count=3, start_time_ms=1, end_time_ms=2))
    asset.history.max_turns = 7
    asset.preferences.communication.language = "de"
    asset.project_context.learn(LearnedFact(key="db", value="valkey"))
    asset.set_skill_config(SkillConfig(skill_id="lint", params=None))
    asset.save_snapshot(ComponentSnapshot(component_fqn="core::memory", state={"n": [1, None]}))
    asset.save_grants([CommandGrant(pattern="rm ", kind="OneTime")])
    asset.metadata["k"] = {"v": None}
    whole = SessionAsset.model_validate(asset.model_dump() | {"id": session_id, "colour": None})
    await stores.asset.save(whole)


async def look_asset(stores: Stores, session_id: str) -> tuple[list[Any], Any]:
    """All that 003 shows, in the asset and in the list, but ids and times that messages of others do not have."""
    asset = await stores.asset.load(session_id)
    (meta,) = [one for one in await stores.asset.list() if one.id == session_id]
    stored = (await stores.cache.transcripts.list(session_id)).messages
    made_up = [{"id", "timestamp_ms"} - message.keys() for message in stored]
    turns = [turn.model_dump(exclude=made) for turn, made in zip(asset.history.turns, made_up, strict=True)]
    return turns, [
        asset.model_dump(exclude={"history": {"turns"}}),
        (meta.name, meta.project_path, meta.created_at),
    ]


async def change_asset(stores: Stores, session_id: str) -> None:
    """Load, add a turn and a fact, save."""
    asset = await stores.asset.load(session_id)
    asset.add_turn(ConversationTurn(role="user", content="more"))
    asset.project_context.learn(LearnedFact(key="k", value="v"))
    await stores.asset.save(asset)


async def write_runtime(stores: Stores, session_id: str) -> None:
    """Something in every field of 004."""
    session = RuntimeSession.model_validate(
        {
            "id": session_id,
            "title": "runtime's",
            "title_version": 3,
            "pinned": True,
            "metadata_version": 5,
            "kind": "child",
            "parent_session_id": "root",
            "spawn_depth": 1,
            "messages": [
                message("one"),
                {"role": "assistant", "content": None, "created_at": "2024-05-01T12:00:00Z", "tool_calls": [{"id": 1}]},
            ],
            "status": "running",
            "task_list": {"items": [None]},
            "metadata": {"a": "b", "gold_config": {"g": 1}},
            "token_usage": {"total": 3},
            "agent_runtime_state": {"phase": "x", "bypass_permissions": True},
            "workspace": "/w",
            "colour": ["red", None],
        }
    )
    await stores.runtime.save_runtime_session(session)
    await stores.runtime.append_token_usage_record(session_id, '{"model": "m", "input_tokens": 1}')


async def look_runtime(stores: Stores, session_id: str) -> tuple[list[Any], Any]:
    """All that 004 shows."""
    session = await stores.runtime.load(session_id)
    assert session is not None
    usage = await stores.cache.usage.totals(session_id)
    return [one.model_dump(mode="json") for one in session.messages], [
        session.model_dump(mode="json", exclude={"messages", "updated_at"}),
        [line.payload async for line in stores.cache.usage.each(session_id)],
        usage.all,
        usage.by_model,
    ]


async def change_runtime(stores: Stores, session_id: str) -> None:
    """Load, add a message and a task, save."""
    session = await stores.runtime.load(session_id)
    assert session is not None
    session.messages.append(RuntimeMessage(role="user", content="more"))
    session.task_list = ["more"]
    await stores.runtime.save_runtime_session(session)


CONTRACTS: dict[str, tuple[Write, Look, Write]] = {
    "context": (write_context, look_context, change_context),
    "transcript": (write_transcript, look_transcript, change_transcript),
    "qa": (write_qa, look_qa, change_qa),
    "asset": (write_asset, look_asset, change_asset),
    "runtime": (write_runtime, look_runtime, change_runtime),
}
"""By their names: write, look, change."""
