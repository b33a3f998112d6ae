# Generated from sessioncache/testing/conformance/context_storage_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""What every store of contract 000 has to do with sessions, updates, checkpoints and workspaces."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from sessioncache.entities.models import EntityType, RelationType
from sessioncache.errors import InvalidArgument, NotFound, SessionGone
from sessioncache.stores.context_models import ActiveSession, SessionCheckpoint, UserPreferences
from sessioncache.stores.context_parts import (
    CodeReference,
    CompressedUpdate,
    ContextUpdate,
    DecisionItem,
    EntityRelationship,
    FlowItem,
    StructuredContext,
    StructuredSummary,
    TypedEntity,
    UpdateContent,
    UpdateType,
)
from sessioncache.stores.context_sync import ContextStorageProtocol
from sessioncache.testing.conformance.freshness_storage_sync import FreshnessStorageConformance
from sessioncache.workspaces.models import SessionRole

__all__ = ["ContextStorageConformance"]


def _update(title: str, kind: UpdateType = UpdateType.QUESTION_ANSWERED) -> ContextUpdate:
    return ContextUpdate(update_type=kind, content=UpdateContent(title=title))


def _titles(updates: list[ContextUpdate]) -> list[str]:
    return [update.content.title for update in updates]


class ContextStorageConformance(FreshnessStorageConformance):
    """Contract 000: the 20 methods of its storage, and by inheritance the 9 of its freshness."""

    def test_the_life_of_a_session(self, store: ContextStorageProtocol) -> None:
        """Saved, a session is loaded under its id and exists; deleted, it does not."""
        session = ActiveSession(name="Work")
        store.save_session(session)
        loaded = store.load_session(session.id)
        assert (loaded.id, loaded.name) == (session.id, "Work")
        assert store.session_exists(session.id)
        store.delete_session(session.id)
        assert not store.session_exists(session.id)

    def test_an_unknown_session_is_not_found(self, store: ContextStorageProtocol) -> None:
        """Loading what nobody saved, or what was deleted, is NotFound; nothing is created by it."""
        with pytest.raises(NotFound):
            store.load_session(uuid4())
        session = ActiveSession()
        store.save_session(session)
        store.delete_session(session.id)
        with pytest.raises(NotFound):
            store.load_session(session.id)
        assert store.list_sessions() == []

    def test_deleting_an_unknown_session_succeeds(self, store: ContextStorageProtocol) -> None:
        """A delete of what is not there does nothing, twice."""
        unknown = uuid4()
        store.delete_session(unknown)
        store.delete_session(unknown)

    def test_sessions_are_listed_by_id(self, store: ContextStorageProtocol) -> None:
        """Five sessions, three deleted: exactly the other two remain, in the order of their ids."""
        sessions = [ActiveSession(name=str(number)) for number in range(5)]
        for session in sessions:
            store.save_session(session)
        assert store.list_sessions() == sorted((session.id for session in sessions), key=str)
        for session in sessions[:3]:
            store.delete_session(session.id)
        assert store.list_sessions() == sorted((session.id for session in sessions[3:]), key=str)

    def test_ids_are_uuids(self, store: ContextStorageProtocol) -> None:
        """Text that is no UUID is refused everywhere; a UUID may be given as text, in either case."""
        for refused in ("chat", "", "*", "0000"):
            with pytest.raises(InvalidArgument):
                store.load_session(refused)
            with pytest.raises(InvalidArgument):
                store.session_exists(refused)
            with pytest.raises(InvalidArgument):
                store.delete_session(refused)
            with pytest.raises(InvalidArgument):
                store.load_session_updates(refused)
            with pytest.raises(InvalidArgument):
                store.load_checkpoint(refused)
            with pytest.raises(InvalidArgument):
                store.add_session_to_workspace(uuid4(), refused, SessionRole.PRIMARY)
        session = ActiveSession()
        store.save_session(session)
        assert store.session_exists(str(session.id).upper())

    def test_everything_of_a_session_comes_back(self, store: ContextStorageProtocol) -> None:
        """Every field, and fields that nobody declared, are loaded as they were saved."""
        session = ActiveSession(
            name="Work", description="a lot", user_preferences=UserPreferences(important_keywords=["k"])
        )
        update = ContextUpdate(
            update_type=UpdateType.CODE_CHANGED,
            content=UpdateContent(title="Fix", description="it", details=["d"], examples=["e"], implications=["i"]),
            related_code=CodeReference(file_path="a.py", start_line=1, end_line=2, code_snippet="x"),
            parent_update=uuid4(),
            user_marked_important=True,
            creates_entities=["Redis"],
            creates_relationships=[
                EntityRelationship(from_entity="Redis", to_entity="Lua", relation_type=RelationType.DEPENDS_ON)
            ],
            references_entities=["Lua"],
            typed_entities=[TypedEntity(name="Redis", entity_type=EntityType.TECHNOLOGY)],
        )
        session.add_update(update)
        session.warm_context.append(CompressedUpdate(update=update, compression_ratio=0.5))
        session.cold_context.append(StructuredSummary(referenced_updates=[update.id]))
        session.current_state.key_decisions.append(DecisionItem(description="yes", confidence=0.9))
        session.vectorized_update_ids.append(update.id)
        unknown = ActiveSession.model_validate(session.model_dump(mode="json") | {"mood": {"a": [None, 1]}})
        store.save_session(unknown)
        loaded = store.load_session(session.id)
        times = {"created_at", "last_updated"}
        assert loaded.model_dump(mode="json", exclude=times) == unknown.model_dump(mode="json", exclude=times)
        assert loaded.model_extra == {"mood": {"a": [None, 1]}}

    def test_the_time_of_creation_is_kept(self, store: ContextStorageProtocol) -> None:
        """created_at survives saves by the same object and by a loaded one; last_updated moves on."""
        session = ActiveSession(name="one")
        store.save_session(session)
        created, updated = session.created_at, session.last_updated
        loaded = store.load_session(session.id)
        loaded.name = "two"
        store.save_session(loaded)
        again = store.load_session(session.id)
        assert (again.created_at, again.name) == (created, "two")
        assert again.last_updated >= updated

    def test_a_rename_and_a_cleared_name(self, store: ContextStorageProtocol) -> None:
        """A changed name is stored, and None clears it; update_metadata with None keeps it."""
        session = ActiveSession(name="one", description="text")
        store.save_session(session)
        session.update_metadata(name="two")
        store.save_session(session)
        loaded = store.load_session(session.id)
        assert (loaded.name, loaded.description) == ("two", "text")
        loaded.name = None
        store.save_session(loaded)
        assert (store.load_session(session.id)).name is None

    def test_a_stale_save_undoes_no_rename(
        self, store: ContextStorageProtocol, other_store: ContextStorageProtocol
    ) -> None:
        """Who saves without having changed the name takes the name that somebody else gave."""
        session = ActiveSession(name="old")
        store.save_session(session)
        renamed = other_store.load_session(session.id)
        renamed.name = "new"
        other_store.save_session(renamed)
        session.add_update(_update("mine"))
        store.save_session(session)
        assert session.name == "new"
        loaded = store.load_session(session.id)
        assert (loaded.name, _titles(loaded.incremental_updates)) == ("new", ["mine"])

    def test_a_stale_save_loses_no_update_of_others(
        self, store: ContextStorageProtocol, other_store: ContextStorageProtocol
    ) -> None:
        """Updates and parts that others saved since the session was loaded stay."""
        session = ActiveSession()
        session.add_update(_update("first"))
        store.save_session(session)
        theirs = other_store.load_session(session.id)
        theirs.add_update(_update("theirs"))
        theirs.current_state.key_decisions.append(DecisionItem(description="theirs"))
        other_store.save_session(theirs)
        session.add_update(_update("mine"))
        store.save_session(session)
        loaded = store.load_session(session.id)
        assert _titles(loaded.incremental_updates) == ["first", "theirs", "mine"]
        assert [item.description for item in loaded.current_state.key_decisions] == ["theirs"]

    def test_a_save_does_not_bring_a_deleted_session_back(
        self, store: ContextStorageProtocol, other_store: ContextStorageProtocol
    ) -> None:
        """Saving what was loaded before a delete is SessionGone."""
        session = ActiveSession()
        store.save_session(session)
        other_store.delete_session(session.id)
        with pytest.raises(SessionGone):
            store.save_session(session)
        assert not store.session_exists(session.id)

    def test_removed_updates_go(self, store: ContextStorageProtocol) -> None:
        """Updates that a loaded session removes, by id or by file, are gone from the store; others stay."""
        session = ActiveSession()
        for title in ("one", "two", "three"):
            session.add_update(_update(title))
        of_file = _update("file")
        of_file.related_code = CodeReference(file_path="a.py")
        session.add_update(of_file)
        store.save_session(session)
        loaded = store.load_session(session.id)
        assert loaded.remove_update(loaded.incremental_updates[1].id)
        assert loaded.remove_updates_for_file("a.py") == 1
        store.save_session(loaded)
        again = store.load_session(session.id)
        assert (_titles(again.incremental_updates), again.code_references) == (["one", "three"], {})

    def test_a_changed_update_stays_in_its_place(self, store: ContextStorageProtocol) -> None:
        """An update that its owner changes is stored anew where it stood."""
        session = ActiveSession()
        for title in ("one", "two"):
            session.add_update(_update(title))
        store.save_session(session)
        loaded = store.load_session(session.id)
        loaded.incremental_updates[0].content.title = "changed"
        store.save_session(loaded)
        assert _titles(store.load_session_updates(session.id)) == ["changed", "two"]

    def test_updates_come_back_hot(self, store: ContextStorageProtocol) -> None:
        """Updates saved with a session are loaded as updates and in the hot context, type and title intact."""
        session = ActiveSession()
        session.hot_context.push(_update("one", UpdateType.PROBLEM_SOLVED))
        session.hot_context.push(_update("two", UpdateType.DECISION_MADE))
        store.save_session(session)
        assert _titles(store.load_session_updates(session.id)) == ["one", "two"]
        hot = [(update.content.title, update.update_type) for update in (store.load_session(session.id)).hot_context]
        assert hot == [("one", UpdateType.PROBLEM_SOLVED), ("two", UpdateType.DECISION_MADE)]

    def test_all_types_come_back_in_order(self, store: ContextStorageProtocol) -> None:
        """All six types of updates are loaded in the order in which they were saved."""
        session = ActiveSession()
        store.batch_save_updates(session.id, [_update(kind.value, kind) for kind in UpdateType])
        loaded = store.load_session_updates(session.id)
        assert [update.update_type for update in loaded] == list(UpdateType)

    def test_updates_are_saved_by_their_ids(self, store: ContextStorageProtocol) -> None:
        """Saving a batch again doubles nothing and keeps the order; an empty batch is no session."""
        session_id = uuid4()
        store.batch_save_updates(session_id, [])
        assert not store.session_exists(session_id)
        assert store.load_session_updates(session_id) == []
        updates = [_update(title) for title in ("one", "two", "three")]
        store.batch_save_updates(session_id, updates)
        updates[0].content.title = "changed"
        store.batch_save_updates(session_id, updates[:1])
        store.batch_save_updates(session_id, updates)
        assert _titles(store.load_session_updates(session_id)) == ["changed", "two", "three"]
        assert store.session_exists(session_id)

    def test_many_updates_are_complete(self, store: ContextStorageProtocol) -> None:
        """More updates than one call carries are saved and loaded in their order; 50 of them are hot."""
        session = ActiveSession()
        session.incremental_updates = [_update(str(number)) for number in range(1_200)]
        store.save_session(session)
        loaded = store.load_session(session.id)
        assert _titles(loaded.incremental_updates) == [str(number) for number in range(1_200)]
        assert _titles(list(loaded.hot_context)) == [str(number) for number in range(1_150, 1_200)]

    def test_a_session_is_saved_with_further_updates(self, store: ContextStorageProtocol) -> None:
        """save_session_with_updates stores both; updates of another session are refused."""
        session = ActiveSession(name="both")
        session.add_update(_update("own"))
        with pytest.raises(InvalidArgument):
            store.save_session_with_updates(session, uuid4(), [_update("wrong")])
        assert not store.session_exists(session.id)
        store.save_session_with_updates(session, session.id, [_update("further")])
        loaded = store.load_session(session.id)
        assert (loaded.name, _titles(loaded.incremental_updates)) == ("both", ["own", "further"])
        session.add_update(_update("later"))
        store.save_session(session)
        assert _titles(store.load_session_updates(session.id)) == ["own", "further", "later"]

    def test_entities_are_cleared(self, store: ContextStorageProtocol) -> None:
        """Two entities and a relation are loaded with its context; cleared, both are gone and the session stays."""
        session = ActiveSession(name="graph")
        session.entity_graph.add_entity("A", EntityType.TECHNOLOGY, "first")
        session.entity_graph.add_entity("B")
        session.entity_graph.add_relationship(
            EntityRelationship(from_entity="A", to_entity="B", relation_type=RelationType.SOLVES, context="so")
        )
        store.save_session(session)
        graph = (store.load_session(session.id)).entity_graph
        assert (list(graph.entities), graph.relationships[0].context) == (["A", "B"], "so")
        store.clear_session_entities(session.id)
        loaded = store.load_session(session.id)
        assert (loaded.name, loaded.entity_graph.entities, loaded.entity_graph.relationships) == ("graph", {}, [])
        unknown = uuid4()
        store.clear_session_entities(unknown)
        assert not store.session_exists(unknown)

    def test_what_is_loaded_is_the_callers(self, store: ContextStorageProtocol) -> None:
        """Changing a loaded session does not change the store."""
        session = ActiveSession(name="mine")
        session.add_update(_update("one"))
        store.save_session(session)
        loaded = store.load_session(session.id)
        loaded.incremental_updates.clear()
        loaded.name = "changed"
        again = store.load_session(session.id)
        assert (again.name, _titles(again.incremental_updates)) == ("mine", ["one"])

    def test_checkpoints_are_snapshots(self, store: ContextStorageProtocol) -> None:
        """A checkpoint is loaded by its id as it was saved, whatever happened to its session since."""
        session = ActiveSession()
        titles = [f"update {number}" for number in range(60)]
        for title in titles:
            update = _update(title, UpdateType.CODE_CHANGED)
            update.related_code = CodeReference(file_path="a.py")
            session.add_update(update)
        session.current_state.add_flow_item(FlowItem(step_description="step"))
        store.save_session(session)
        checkpoint = SessionCheckpoint.of(session)
        store.save_checkpoint(checkpoint)
        session.add_update(_update("later"))
        store.save_session(session)
        loaded = store.load_checkpoint(checkpoint.id)
        assert loaded == checkpoint
        assert (len(loaded.code_references["a.py"]), len(loaded.change_history), loaded.total_updates) == (60, 60, 60)
        restored = loaded.restored()
        assert (restored.id, _titles(restored.incremental_updates)) == (session.id, titles)

    def test_checkpoints_are_saved_by_their_ids(self, store: ContextStorageProtocol) -> None:
        """An unknown id is NotFound; saving an id again replaces it, also under another session; all are listed."""
        with pytest.raises(NotFound):
            store.load_checkpoint(uuid4())
        assert store.list_checkpoints() == []
        checkpoints = [SessionCheckpoint(session_id=uuid4(), total_updates=number) for number in range(3)]
        for checkpoint in checkpoints:
            store.save_checkpoint(checkpoint)
        checkpoints[0].total_updates = 7
        checkpoints[0].session_id = uuid4()
        store.save_checkpoint(checkpoints[0])
        assert (store.load_checkpoint(checkpoints[0].id)).total_updates == 7
        listed = {found.id: found.total_updates for found in store.list_checkpoints()}
        assert listed == {checkpoint.id: checkpoint.total_updates for checkpoint in checkpoints}

    def test_checkpoints_go_with_their_session(self, store: ContextStorageProtocol) -> None:
        """After its session is deleted, a checkpoint is neither loaded nor listed."""
        checkpoint = SessionCheckpoint(session_id=uuid4(), structured_context=StructuredContext())
        store.save_checkpoint(checkpoint)
        store.delete_session(checkpoint.session_id)
        with pytest.raises(NotFound):
            store.load_checkpoint(checkpoint.id)
        assert store.list_checkpoints() == []

    def test_the_life_of_a_workspace(self, store: ContextStorageProtocol) -> None:
        """A workspace lists its session as Primary; the session's delete ends the membership; its own delete all."""
        workspace, session = uuid4(), ActiveSession()
        store.save_session(session)
        store.save_workspace_metadata(workspace, "Team", "of two", [session.id])
        (found,) = store.list_workspaces()
        assert (found.id, found.name, found.description) == (workspace, "Team", "of two")
        assert found.sessions == ((session.id, SessionRole.PRIMARY),)
        store.delete_session(session.id)
        (found,) = store.list_workspaces()
        assert found.sessions == ()
        store.delete_workspace(workspace)
        store.delete_workspace(workspace)
        assert store.list_workspaces() == []

    def test_roles_change_and_are_kept(self, store: ContextStorageProtocol) -> None:
        """Adding again changes the role; saving the workspace keeps roles, members and the time of creation."""
        workspace, one, two = uuid4(), uuid4(), uuid4()
        store.save_workspace_metadata(workspace, "Team", "", [one])
        (before,) = store.list_workspaces()
        store.add_session_to_workspace(workspace, one, SessionRole.RELATED)
        store.add_session_to_workspace(workspace, one, SessionRole.DEPENDENCY)
        store.save_workspace_metadata(workspace, "Renamed", "now", [one, two])
        store.save_workspace_metadata(workspace, "Renamed", "now", [])
        (after,) = store.list_workspaces()
        assert (after.name, after.created_at) == ("Renamed", before.created_at)
        assert dict(after.sessions) == {one: SessionRole.DEPENDENCY, two: SessionRole.PRIMARY}
        store.remove_session_from_workspace(workspace, one)
        store.remove_session_from_workspace(workspace, one)
        (after,) = store.list_workspaces()
        assert dict(after.sessions) == {two: SessionRole.PRIMARY}

    def test_deleting_a_workspace_keeps_its_sessions(self, store: ContextStorageProtocol) -> None:
        """The sessions of a deleted workspace are there as before."""
        workspace, session = uuid4(), ActiveSession(name="stays")
        store.save_session(session)
        store.add_session_to_workspace(workspace, session.id, SessionRole.SHARED)
        store.save_workspace_metadata(workspace, "Team", "", [])
        store.delete_workspace(workspace)
        assert (store.load_session(session.id)).name == "stays"

    def test_another_client_sees_everything(
        self, store: ContextStorageProtocol, other_store: ContextStorageProtocol
    ) -> None:
        """What one client has saved the other one loads and lists."""
        session = ActiveSession(name="shared")
        session.add_update(_update("one"))
        store.save_session(session)
        checkpoint = SessionCheckpoint.of(session)
        store.save_checkpoint(checkpoint)
        workspace = uuid4()
        store.save_workspace_metadata(workspace, "Team", "", [session.id])
        loaded = other_store.load_session(session.id)
        assert loaded.model_dump(exclude={"last_updated"}) == session.model_dump(exclude={"last_updated"})
        assert other_store.load_checkpoint(checkpoint.id) == checkpoint
        assert [found.id for found in other_store.list_workspaces()] == [workspace]

    def test_storage_counts(self, store: ContextStorageProtocol) -> None:
        """The key count grows with what is stored and is 0 without; stats are JSON; compact loses nothing visible."""
        assert store.get_key_count() == 0
        session = ActiveSession()
        session.add_update(_update("one"))
        session.add_update(_update("two"))
        store.save_session(session)
        count = store.get_key_count()
        assert count >= 3
        stats = json.loads(store.get_stats())
        assert (stats["sessions"], stats["updates"]) == (1, 2)
        assert (stats["entities"], stats["embeddings"], stats["workspaces"], stats["checkpoints"]) == (0, 0, 0, 0)
        report = store.compact()
        assert (report.sessions_removed, report.remaining_keys) == (0, count)
        assert _titles((store.load_session(session.id)).incremental_updates) == ["one", "two"]
        store.delete_session(session.id)
        assert store.get_key_count() == 0

    def test_ids_come_back_as_uuids(self, store: ContextStorageProtocol) -> None:
        """Ids given as text are answered as UUIDs."""
        session_id, workspace = str(uuid4()), str(uuid4())
        store.batch_save_updates(session_id, [_update("one")])
        store.save_workspace_metadata(workspace, "Team", "", [session_id])
        assert store.list_sessions() == [UUID(session_id)]
        (found,) = store.list_workspaces()
        assert (found.id, [member for member, _ in found.sessions]) == (UUID(workspace), [UUID(session_id)])
