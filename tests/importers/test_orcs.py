"""Files of assets become assets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.importers.formats import Format
from sessioncache.importers.run import OnError
from sessioncache.importers.sources.orcs import OrcsSource
from sessioncache.importers.sources.reading import Malformed
from sessioncache.stores.asset_async import AsyncAssetStore
from tests.importers.made import imported

FIRST, SECOND = str(UUID(int=1)), str(UUID(int=2))


def asset(name: str, *, turns: int = 2, **more: Any) -> dict[str, Any]:
    """An asset as orcs writes it, with a field that no model declares; grants came later and may be missing."""
    return {
        "id": name,
        "version": 1,
        "created_at_ms": 1_700_000_000_000,
        "updated_at_ms": 1_700_000_060_000,
        "history": {
            "turns": [
                {
                    "id": f"t{n}",
                    "timestamp_ms": 1_700_000_000_000 + n,
                    "role": "user",
                    "content": f"turn {n}",
                    "tool_calls": [],
                    "tags": ["a"],
                    "metadata": {},
                    "x": n,
                }
                for n in range(turns)
            ],
            "compacted": [{"summary": "before", "turn_count": 3, "start_time_ms": 1, "end_time_ms": 2}],
            "max_turns": 50,
        },
        "preferences": {
            "coding_style": {"preferred_languages": ["rust"]},
            "communication": {},
            "frequent_tools": [],
            "custom": {"k": 1},
        },
        "project_context": {
            "root_path": "/src/p",
            "name": "p",
            "technologies": [],
            "key_files": [],
            "architecture_notes": [],
            "learned_facts": [{"key": "k", "value": "v", "source": "s", "confidence": 0.5, "learned_at_ms": 9}],
            "persistent_contexts": [],
        },
        "skill_configs": {},
        "component_snapshots": {},
        "metadata": {"m": [1]},
        "x_later": {"kept": True},
    } | more


def put(folder: Path, name: str, content: object) -> None:
    """One file."""
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


async def test_everything_comes_over(cache: AsyncSessionCache, tmp_path: Path) -> None:
    """Turns, summaries, preferences and unknown fields are those of the file; hidden files are left out."""
    put(tmp_path, f"{FIRST}.json", asset(FIRST))
    put(tmp_path, f"{SECOND}.json", asset(SECOND, turns=1_200))
    put(tmp_path, f".{FIRST}.json.tmp", "half")
    put(tmp_path, ".hidden.json", "half")
    report = await imported(cache, Format.orcs, tmp_path)
    assert (report.verified, report.whole) == (2, True)
    assert {kind: line["imported"] for kind, line in report.tally.items()} == {
        "sessions": 2,
        "messages": 1_202,
        "compacted": 2,
    }
    loaded = (await AsyncAssetStore(cache).load(FIRST)).model_dump(mode="json")
    wanted = asset(FIRST)
    assert {name: loaded[name] for name in ("id", "version", "created_at_ms", "updated_at_ms", "metadata")} == {
        name: wanted[name] for name in ("id", "version", "created_at_ms", "updated_at_ms", "metadata")
    }
    assert (loaded["x_later"], [turn["x"] for turn in loaded["history"]["turns"]]) == ({"kept": True}, [0, 1])
    assert loaded["history"]["compacted"] == wanted["history"]["compacted"]
    assert loaded["project_context"]["learned_facts"][0]["value"] == "v"
    turns = (await AsyncAssetStore(cache).load(SECOND)).history.turns
    assert [turn.id for turn in turns] == [f"t{n}" for n in range(1_200)]
    metas = await AsyncAssetStore(cache).list()
    assert {meta.updated_at for meta in metas} == {datetime.fromtimestamp(1_700_000_060, UTC)}
    again = await imported(cache, Format.orcs, tmp_path)
    assert again.tally["sessions"]["already_there"] == 2


@pytest.mark.parametrize(
    "content,why",
    [
        ("{", "is no JSON"),
        (asset(SECOND), "but is called"),
        (asset(FIRST, version=2), "version 2"),
        (asset(FIRST, updated_at_ms="now"), "updated_at_ms is no count"),
        (asset(FIRST, history=[]), "history is no JSON object"),
        (asset(""), "has no id"),
    ],
)
async def test_bad_files(cache: AsyncSessionCache, tmp_path: Path, content: object, why: str) -> None:
    """A file that cannot be imported is named, and nothing of it is written."""
    put(tmp_path, f"{FIRST}.json", content)
    report = await imported(cache, Format.orcs, tmp_path, on_error=OnError.skip)
    assert [problem.name for problem in report.problems] == [f"{FIRST}.json"]
    assert why in report.problems[0].why
    assert await cache.sessions.count() == 0


async def test_one_file_or_none(tmp_path: Path) -> None:
    """A single file is a source too; what is not there is refused."""
    put(tmp_path, f"{FIRST}.json", asset(FIRST))
    assert await OrcsSource(tmp_path / f"{FIRST}.json").count() == 1
    with pytest.raises(Malformed):
        OrcsSource(tmp_path / "nowhere")
