"""Exports of three versions, plain and compressed, become sessions with updates, checkpoints and workspaces."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import zstandard

from sessioncache import AsyncSessionCache
from sessioncache.importers.formats import Format
from sessioncache.importers.run import ImportStopped, OnError
from sessioncache.importers.sources.post_cortex import PostCortexSource
from sessioncache.importers.sources.reading import Malformed
from sessioncache.stores.context_async import AsyncContextStorage
from tests.importers.made import imported

FIRST, SECOND, GONE, SPACE = (str(UUID(int=number)) for number in range(1, 5))
CREATED = "2026-01-02T03:04:05.123456789Z"
UPDATED = "2026-01-03T00:00:00Z"


def update(number: int) -> dict[str, Any]:
    """An update, the later the higher its number; its id sorts the other way round."""
    return {
        "id": str(UUID(int=10_000 - number)),
        "timestamp": f"2026-01-02T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "update_type": "DecisionMade",
        "content": {"title": f"u{number}", "description": "d", "details": [], "examples": [], "implications": []},
        "related_code": None,
        "parent_update": None,
        "user_marked_important": True,
        "creates_entities": ["Redis"],
        "creates_relationships": [],
        "references_entities": [],
    }


def session(name: str, *, own: int = 3, version: str = "1.2.0", **more: Any) -> dict[str, Any]:
    """A session as post-cortex writes it, with a field that no model declares."""
    entity = {
        "name": "Redis",
        "entity_type": "Technology",
        "first_mentioned": CREATED,
        "last_mentioned": UPDATED,
        "mention_count": 4,
        "importance_score": 2.0,
        "description": None,
    }
    edge: object = "DependsOn" if version == "1.0.0" else {"relation_type": "DependsOn", "context": "c"}
    return {
        "id": name,
        "name": "Work",
        "description": "about",
        "created_at": CREATED,
        "last_updated": UPDATED,
        "user_preferences": {
            "auto_save_enabled": True,
            "context_retention_days": 30,
            "max_hot_context_size": 2,
            "auto_summary_threshold": 100,
            "important_keywords": ["k"],
        },
        "hot_context": [update(number) for number in range(max(own - 2, 0), own)],
        "warm_context": [],
        "cold_context": [],
        "current_state": {
            "key_decisions": [
                {"description": "d", "context": "c", "alternatives": [], "confidence": 0.9, "timestamp": CREATED}
            ],
            "open_questions": [],
            "key_concepts": [],
            "technical_specifications": [],
            "conversation_flow": [],
        },
        "incremental_updates": [update(number) for number in range(own)],
        "code_references": {},
        "change_history": [],
        "entity_graph": {
            "entities": {"Redis": entity, "Lua": entity | {"name": "Lua"}},
            "entity_mentions": {"Redis": [update(0)["id"]]},
            "graph": {"nodes": ["Lua", "Redis"], "edges": [["Lua", "Redis", edge]]},
        },
        "vectorized_update_ids": [],
        "x_later": {"kept": True},
    } | more


def checkpoint(number: int, session_id: str) -> dict[str, Any]:
    """A checkpoint of a session."""
    return {
        "id": str(UUID(int=20_000 + number)),
        "session_id": session_id,
        "created_at": CREATED,
        "structured_context": session(FIRST)["current_state"],
        "recent_updates": [update(0)],
        "code_references": {},
        "change_history": [],
        "total_updates": 1,
        "context_quality_score": 1.0,
        "compression_ratio": 1.0,
    }


def export(version: str, *sessions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An export of these sessions; updates stored beside a session come by their random ids."""
    made: dict[str, Any] = {
        "format_version": version,
        "metadata": {"exported_at": UPDATED, "post_cortex_version": "0.3.0", "export_type": "full"},
        "sessions": [
            {"session": one, "updates": sorted(one.get("incremental_updates", []), key=lambda found: found["id"])}
            for one in sessions
        ],
        "workspaces": [
            {
                "id": SPACE,
                "name": "Space",
                "description": "w",
                "sessions": [[FIRST, "Related"], [GONE, "Primary"]],
                "created_at": 1_700_000_000,
            }
        ],
        "checkpoints": [checkpoint(1, FIRST), checkpoint(2, SECOND)],
    }
    if version == "1.2.0":
        made["embeddings"] = [{"content_id": "c", "session_id": FIRST, "vector": [0.5], "text": "t"}]
    return made | more


def put(path: Path, content: object) -> Path:
    """The export as a file, compressed as its name says."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    if path.name.endswith(".gz"):
        data = gzip.compress(data)
    elif path.name.endswith(".zst"):
        data = zstandard.ZstdCompressor().compress(data)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["e.json", "e.json.gz", "e.json.zst"])
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.2.0"])
async def test_everything_comes_over(cache: AsyncSessionCache, tmp_path: Path, version: str, name: str) -> None:
    """Session, updates in their order, graph, checkpoints and membership are those of the export."""
    path = put(tmp_path / name, export(version, session(FIRST, version=version)))
    report = await imported(cache, Format.post_cortex, path)
    assert (report.whole, report.verified) == (True, 2)
    assert {kind: line["imported"] for kind, line in report.tally.items()} == {
        "sessions": 2,
        "updates": 3,
        "checkpoints": 2,
        "memberships": 1,
    }
    store = AsyncContextStorage(cache)
    loaded = await store.load_session(FIRST)
    assert (loaded.name, loaded.description) == ("Work", "about")
    assert loaded.created_at == datetime(2026, 1, 2, 3, 4, 5, 123_456, UTC)
    assert loaded.last_updated == datetime(2026, 1, 3, tzinfo=UTC)
    assert [one.content.title for one in loaded.incremental_updates] == ["u0", "u1", "u2"]
    assert [one.content.title for one in loaded.hot_context] == ["u1", "u2"]
    assert loaded.current_state.key_decisions[0].confidence == 0.9
    (related,) = loaded.entity_graph.relationships
    assert (related.from_entity, related.to_entity, related.relation_type.value) == ("Lua", "Redis", "DependsOn")
    assert related.context == ("" if version == "1.0.0" else "c")
    assert loaded.entity_graph.entities["Redis"].mention_count == 4
    assert (loaded.model_extra or {})["x_later"] == {"kept": True}
    assert {found.session_id for found in await store.list_checkpoints()} == {UUID(FIRST), UUID(SECOND)}
    (space,) = await store.list_workspaces()
    assert (space.name, [(str(member), role.value) for member, role in space.sessions]) == (
        "Space",
        [(FIRST, "Related")],
    )
    told = "\n".join(report.notes)
    assert "1 of its members are not in the export" in told
    assert f"checkpoints of session {SECOND}" in told
    assert ("1 embeddings" in told) == (version == "1.2.0")
    again = await imported(cache, Format.post_cortex, path)
    assert (again.tally["sessions"]["already_there"], again.whole) == (2, True)
    assert len(await store.list_checkpoints()) == 2


async def test_many_updates(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """More than a thousand updates keep their order, also those that were only stored beside the session."""
    one = session(FIRST, own=1_200)
    made = export("1.2.0", one)
    one["incremental_updates"] = one["incremental_updates"][:700]
    report = await imported(cache, Format.post_cortex, put(tmp_path / "e.json", made))
    assert report.tally["updates"]["imported"] == 1_200
    titles = [found.content.title for found in await AsyncContextStorage(cache).load_session_updates(FIRST)]
    assert titles == [f"u{number}" for number in range(1_200)]


async def test_a_workspace_that_is_there(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """It keeps its name and its members, and gets those of the export."""
    store = AsyncContextStorage(cache)
    await store.save_workspace_metadata(SPACE, "Mine", "m", [GONE])
    await imported(cache, Format.post_cortex, put(tmp_path / "e.json", export("1.1.0", session(FIRST))))
    (space,) = await store.list_workspaces()
    assert (space.name, {str(member) for member, _ in space.sessions}) == ("Mine", {FIRST, GONE})


@pytest.mark.parametrize(
    "content,why",
    [
        (b"{", "is no JSON"),
        (export("2.0.0"), "has the format version 2.0.0; known are 1.0.0, 1.1.0, 1.2.0"),
        ({"sessions": []}, "has no format_version"),
        (export("1.2.0", sessions=7), "sessions is no list"),
        (export("1.2.0", session("no uuid")), "badly formed"),
        (export("1.2.0", session(FIRST, created_at=5)), "created_at is no ISO 8601 time"),
        (export("1.2.0", session(FIRST, entity_graph={"graph": {"edges": [1]}})), "entity_graph.graph.edges"),
        (export("1.2.0", session(FIRST, current_state={"key_decisions": [{}]})), "key_decisions"),
    ],
)
async def test_bad_exports(cache: AsyncSessionCache, tmp_path: Path, content: object, why: str) -> None:
    """What is wrong is said with the name of the file."""
    path = put(tmp_path / "e.json", content)
    with pytest.raises(ImportStopped, match=r"e\.json") as stopped:
        await imported(cache, Format.post_cortex, path)
    assert why in str(stopped.value)


async def test_a_bad_session_among_good_ones(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """With `skip` the other sessions of the export come over."""
    made = export("1.2.0", session(FIRST), session(SECOND, last_updated=None), session(GONE))
    report = await imported(cache, Format.post_cortex, put(tmp_path / "e.json", made), on_error=OnError.skip)
    assert [problem.name for problem in report.problems] == [f"e.json, session {SECOND}"]
    assert report.tally["sessions"]["imported"] == 2


@pytest.mark.parametrize("name", ["e.json.gz", "e.json.zst"])
async def test_damaged_compression(cache: AsyncSessionCache, tmp_path: Path, name: str) -> None:
    """A compressed file that is cut off is named."""
    path = put(tmp_path / name, export("1.2.0", session(FIRST)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ImportStopped, match=r"e\.json"):
        await imported(cache, Format.post_cortex, path)


async def test_a_folder(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """Every export of a folder is read; a session that is in two of them is named."""
    put(tmp_path / "a.json", export("1.0.0", session(FIRST), checkpoints=[], workspaces=[]))
    put(tmp_path / "b.json.gz", export("1.2.0", session(SECOND), checkpoints=[], workspaces=[]))
    put(tmp_path / "c.json", export("1.2.0", session(SECOND), checkpoints=[], workspaces=[]))
    (tmp_path / "readme.txt").write_text("no export", encoding="utf-8")
    report = await imported(cache, Format.post_cortex, tmp_path, on_error=OnError.skip)
    assert report.tally["sessions"] == {"imported": 2, "already_there": 0, "skipped": 0, "failed": 1}
    assert f"has the same id {SECOND!r} as b.json.gz" in report.problems[0].why
    with pytest.raises(Malformed):
        PostCortexSource(tmp_path / "nowhere")
