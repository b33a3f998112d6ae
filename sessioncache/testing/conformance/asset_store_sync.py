# Generated from sessioncache/testing/conformance/asset_store_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""What every store of contract 003 has to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessioncache.errors import InvalidArgument, NotFound, SessionGone
from sessioncache.stores.asset_models import (
    CommandGrant,
    CompactedTurn,
    ComponentSnapshot,
    ConversationTurn,
    LearnedFact,
    SessionAsset,
    SkillConfig,
    ToolCall,
)
from sessioncache.stores.asset_sync import AssetStoreProtocol
from sessioncache.stores.sync_models import SyncMode, SyncState, SyncStatus

__all__ = ["AssetStoreConformance"]

START_MS = 1_700_000_000_000


def _asset(session_id: str, *texts: str) -> SessionAsset:
    turns = [
        ConversationTurn(id=f"{session_id}-{number}", timestamp_ms=START_MS + number, role="user", content=text)
        for number, text in enumerate(texts)
    ]
    asset = SessionAsset(id=session_id)
    asset.history.turns = turns
    return asset


def _texts(asset: SessionAsset) -> list[str]:
    return [turn.content for turn in asset.history.turns]


class AssetStoreConformance:
    """Contract 003: save, load, list, delete, exists, sync_status; and what an asset can do by itself."""

    def test_save_and_load(self, store: AssetStoreProtocol) -> None:
        """A saved asset is loaded with its id and its turn."""
        store.save(_asset("work", "hello"))
        loaded = store.load("work")
        assert (loaded.id, _texts(loaded)) == ("work", ["hello"])

    def test_an_unknown_asset_is_not_found(self, store: AssetStoreProtocol) -> None:
        """Loading, and deleting, what is not there is NotFound, and the message names the id."""
        with pytest.raises(NotFound, match="nobody-saved-this"):
            store.load("nobody-saved-this")
        with pytest.raises(NotFound, match="nobody-saved-this"):
            store.delete("nobody-saved-this")

    def test_everything_comes_back(self, store: AssetStoreProtocol) -> None:
        """All parts of an asset are loaded as they were saved, undeclared fields too."""
        asset = SessionAsset.for_project("/src/app", name="app")
        call = ToolCall(tool_name="grep", args={"q": "x"}, result=[1], success=False, duration_ms=7)
        asset.add_turn(
            ConversationTurn(role="assistant", content="hm", tool_calls=[call], tags=["a"], metadata={"m": 1})
        )
        asset.history.compacted.append(CompactedTurn(summary="s", turn_count=3, start_time_ms=1, end_time_ms=2))
        asset.preferences.coding_style.preferred_languages = ["python"]
        asset.preferences.communication.language = "de"
        asset.project_context.learn(LearnedFact(key="db", value="valkey", confidence=7))
        asset.set_skill_config(SkillConfig(skill_id="lint", params={"fix": True}))
        asset.save_snapshot(ComponentSnapshot(component_fqn="core::memory", state={"n": [1, None]}))
        asset.save_grants([CommandGrant(pattern="git "), CommandGrant(pattern="rm ", kind="OneTime")])
        asset.metadata["k"] = {"v": None}
        given = SessionAsset.model_validate(asset.model_dump() | {"colour": "red"})
        store.save(given)
        assert store.load(given.id) == given

    def test_the_callers_times_are_kept(self, store: AssetStoreProtocol) -> None:
        """A save changes neither created_at_ms nor updated_at_ms, in the object or in the store."""
        asset = _asset("work", "hello")
        asset.created_at_ms, asset.updated_at_ms = START_MS, START_MS + 5
        store.save(asset)
        loaded = store.load("work")
        for seen in (asset, loaded):
            assert (seen.created_at_ms, seen.updated_at_ms) == (START_MS, START_MS + 5)
        (meta,) = store.list()
        assert [round(time.timestamp() * 1000) for time in (meta.created_at, meta.updated_at)] == [
            START_MS,
            START_MS + 5,
        ]

    def test_the_list_is_newest_first(self, store: AssetStoreProtocol) -> None:
        """Sessions are listed by their updated_at, descending, whatever the order of the saves."""
        for number in (2, 0, 3, 1):
            asset = _asset(f"work-{number}", "hello")
            asset.updated_at_ms = START_MS + number
            store.save(asset)
        found = store.list()
        assert [meta.id for meta in found] == ["work-3", "work-2", "work-1", "work-0"]
        assert [int(meta.updated_at.timestamp() * 1000) for meta in found] == [START_MS + n for n in (3, 2, 1, 0)]

    def test_equal_times_are_listed_once_each(self, store: AssetStoreProtocol) -> None:
        """Sessions of one moment are all listed, in the same order each time."""
        for number in range(9):
            asset = _asset(f"work-{number}")
            asset.updated_at_ms = START_MS
            store.save(asset)
        found = store.list()
        assert sorted(meta.id for meta in found) == [f"work-{number}" for number in range(9)]
        assert store.list() == found

    def test_the_list_shows_the_project(self, store: AssetStoreProtocol) -> None:
        """A line has the project's name and folder, and counts turns, but not summarised ones."""
        asset = SessionAsset.for_project("/src/app", name="app")
        asset.history.compacted.append(CompactedTurn(summary="s", turn_count=30, start_time_ms=1, end_time_ms=2))
        asset.add_turn(ConversationTurn(role="user", content="1"))
        asset.add_turn(ConversationTurn(role="user", content="2"))
        store.save(asset)
        (meta,) = store.list()
        assert (meta.id, meta.name, meta.project_path, meta.turn_count) == (asset.id, "app", "/src/app", 2)
        asset.project_context.name = None
        store.save(asset)
        (meta,) = store.list()
        assert (meta.name, meta.project_path) == (None, "/src/app")

    def test_an_empty_store_lists_nothing(self, store: AssetStoreProtocol) -> None:
        """Before the first save the list is empty."""
        assert store.list() == []

    def test_delete_removes(self, store: AssetStoreProtocol) -> None:
        """A deleted asset does not exist, and a save of the old object does not bring it back."""
        asset = _asset("work", "hello")
        assert not store.exists("work")
        store.save(asset)
        assert store.exists("work")
        store.delete("work")
        assert not store.exists("work")
        with pytest.raises(SessionGone):
            store.save(asset)
        assert store.list() == []

    def test_exists_is_never_an_error(self, store: AssetStoreProtocol) -> None:
        """An id that cannot be one does not exist; saving under it is InvalidArgument."""
        assert not store.exists("")
        assert not store.exists("a\nb")
        with pytest.raises(InvalidArgument):
            store.save(_asset("a\nb"))

    def test_turns_of_two_writers_both_stay(self, store: AssetStoreProtocol, other_store: AssetStoreProtocol) -> None:
        """Two clients that add a turn to the same asset lose none, and what they saved can be loaded."""
        store.save(_asset("work", "hello"))
        one, two = store.load("work"), other_store.load("work")
        one.add_turn(ConversationTurn(role="user", content="from one"))
        two.add_turn(ConversationTurn(role="user", content="from two"))
        store.save(one)
        other_store.save(two)
        assert _texts(store.load("work")) == ["hello", "from one", "from two"]

    def test_summarising_swaps_turns(self, store: AssetStoreProtocol, other_store: AssetStoreProtocol) -> None:
        """Summarised turns go, their summary and the turns of others stay."""
        asset = _asset("work", *map(str, range(6)))
        store.save(asset)
        other = other_store.load("work")
        other.add_turn(ConversationTurn(role="user", content="theirs"))
        other_store.save(other)
        asset.history.max_turns = 2
        assert asset.history.summarise(lambda turns: f"{len(turns)} turns") is not None
        store.save(asset)
        loaded = store.load("work")
        assert _texts(loaded) == ["4", "5", "theirs"]
        (summary,) = loaded.history.compacted
        assert (summary.summary, summary.turn_count) == ("4 turns", 4)
        assert (summary.start_time_ms, summary.end_time_ms) == (START_MS, START_MS + 3)

    def test_a_long_history(self, store: AssetStoreProtocol) -> None:
        """More turns than one write takes are saved and loaded."""
        texts = [str(number) for number in range(1_201)]
        store.save(_asset("work", *texts))
        assert _texts(store.load("work")) == texts

    def test_online_after_a_call(self, store: AssetStoreProtocol) -> None:
        """After a call that succeeded the store is online, with nothing on its way, and knows when that was."""
        store.save(_asset("work"))
        status = store.sync_status()
        assert (status.mode, status.pending_uploads, status.pending_downloads) == (SyncMode.ONLINE, 0, 0)
        assert status.last_sync is not None
        assert status.is_fully_synced

    def test_the_states_of_a_session(self) -> None:
        """Only Synced is synced; what is ahead on either side is pending; Conflict is a conflict."""
        assert [state for state in SyncState if state.is_synced] == [SyncState.SYNCED]
        assert [state for state in SyncState if state.has_conflict] == [SyncState.CONFLICT]
        pending = [state for state in SyncState if state.has_pending_changes]
        assert pending == [SyncState.LOCAL_AHEAD, SyncState.REMOTE_AHEAD]

    def test_the_states_of_a_store(self) -> None:
        """Offline knows no last_sync and is never fully synced; online is, unless something is pending."""
        assert SyncStatus.offline() == SyncStatus(SyncMode.OFFLINE, None, 0, 0, ())
        assert not SyncStatus.offline().is_fully_synced
        assert SyncStatus.online().last_sync is not None
        assert SyncStatus.online().is_fully_synced
        assert not SyncStatus(SyncMode.ONLINE, pending_uploads=1).is_fully_synced
        assert not SyncStatus(SyncMode.ONLINE, conflicts=("work",)).is_fully_synced

    def test_a_new_asset(self) -> None:
        """A new asset has an id, a version, no turns and no grants; for_project sets the folder."""
        asset = SessionAsset()
        assert (len(asset.id), asset.version, asset.history.turns, asset.granted_commands) == (36, 1, [], [])
        assert asset.history.max_turns == SessionAsset.model_validate({"history": {}}).history.max_turns == 1_000
        assert SessionAsset.for_project("/src").project_context.root_path == "/src"

    def test_an_asset_is_json(self) -> None:
        """An asset is the same after it went through JSON, preferences and grants too; missing fields read as empty."""
        asset = _asset("work", "hello")
        asset.preferences.coding_style.indent_size = 4
        asset.preferences.custom["k"] = [1, None]
        asset.save_grants([CommandGrant(pattern="rm ", kind="OneTime")])
        read = SessionAsset.model_validate_json(asset.model_dump_json())
        assert read.model_dump() == asset.model_dump()
        assert read.checksum() == asset.checksum()
        sparse = SessionAsset.model_validate({"id": "old", "version": 1, "created_at_ms": 1, "updated_at_ms": 2})
        assert (sparse.granted_commands, sparse.component_snapshots, sparse.metadata) == ([], {}, {})

    def test_changes_touch(self) -> None:
        """Each method that changes something raises updated_at_ms; one that changes nothing does not."""
        asset = _asset("work")
        snapshot = ComponentSnapshot(component_fqn="a::b")
        changes: list[Callable[[], object]] = [
            asset.touch,
            lambda: asset.add_turn(ConversationTurn(role="user")),
            lambda: asset.set_skill_config(SkillConfig(skill_id="s")),
            lambda: asset.save_snapshot(snapshot),
            lambda: asset.remove_snapshot("a::b"),
            lambda: asset.save_grants([CommandGrant(pattern="ls")]),
        ]
        for change in changes:
            before = asset.updated_at_ms
            change()
            assert asset.updated_at_ms > before
        before = asset.updated_at_ms
        asset.remove_snapshot("a::b")
        asset.clear_snapshots()
        asset.save_grants([CommandGrant(pattern="ls")])
        assert asset.updated_at_ms == before

    def test_turns_are_found(self) -> None:
        """Search looks into text and tags whatever the case; recent is the tail; in_range includes both ends."""
        history = _asset("work", "Rust is", "python", "RUST too", "tagged").history
        history.turns[3].tags = ["other"]
        assert [turn.content for turn in history.search("rust")] == ["Rust is", "RUST too"]
        assert [turn.content for turn in history.search("OTHER")] == ["tagged"]
        assert [turn.content for turn in history.recent(2)] == ["RUST too", "tagged"]
        assert history.recent(0) == []
        assert [turn.content for turn in history.in_range(START_MS + 1, START_MS + 2)] == ["python", "RUST too"]

    def test_recent_begins_with_the_right_turn(self) -> None:
        """The last three of ten turns begin with turn 7."""
        assert _asset("work", *map(str, range(10))).history.recent(3)[0].content == "7"

    def test_short_histories_are_not_summarised(self) -> None:
        """With no more turns than max_turns there is nothing to summarise, and updated_at_ms stays."""
        asset = _asset("work", "1", "2")
        before = asset.model_copy(deep=True)
        assert asset.history.summarise(lambda _: "never") is None
        assert asset == before

    def test_facts(self) -> None:
        """The first fact of a key wins, and its confidence lies between 0 and 1."""
        project = SessionAsset().project_context
        assert project.learn(LearnedFact(key="db", value="valkey", confidence=3))
        assert not project.learn(LearnedFact(key="db", value="other"))
        assert project.fact("db") == project.learned_facts[0]
        assert (project.learned_facts[0].value, project.learned_facts[0].confidence) == ("valkey", 1.0)

    def test_the_checksum_tells_content(self) -> None:
        """Another turn, and another text in a turn, make another checksum; the same content makes the same."""
        asset = _asset("work", "hello")
        sums = [asset.checksum(), asset.model_copy(deep=True).checksum()]
        asset.history.turns[0].content = "hullo"
        sums.append(asset.checksum())
        asset.history.turns.append(ConversationTurn(role="user", content="more"))
        sums.append(asset.checksum())
        assert sums[0] == sums[1]
        assert len(set(sums)) == 3
