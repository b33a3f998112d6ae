"""Sessions, updates and graphs of contract 000, in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sessioncache.entities.models import EntityType, RelationType
from sessioncache.errors import InvalidArgument
from sessioncache.stores import (
    ActiveSession,
    CodeReference,
    ContextUpdate,
    DecisionItem,
    EntityData,
    EntityGraph,
    EntityRelationship,
    FlowItem,
    HotContext,
    StructuredContext,
    TypedEntity,
    UpdateContent,
    UpdateType,
    UserPreferences,
)
from sessioncache.stores.context_mapping import is_uuid_text, uuid_text


def update(title: str = "", **fields: object) -> ContextUpdate:
    """An update."""
    return ContextUpdate.model_validate({"content": {"title": title}, **fields})


def test_the_hot_context_keeps_the_newest() -> None:
    """Capacity 3, five pushed: three are left; recent answers the newest, oldest first."""
    hot = HotContext.of([], 3)
    for number in range(5):
        hot.push(update(str(number)))
    assert [known.content.title for known in hot] == ["2", "3", "4"]
    assert [known.content.title for known in hot.recent(2)] == ["3", "4"]
    assert (len(hot), hot.capacity, hot.recent(0), len(hot.recent(9))) == (3, 3, [], 3)
    assert hot[0].content.title == "2"


def test_the_preferences_size_the_hot_context() -> None:
    """Fifty updates are hot unless the preferences say otherwise; 0 keeps none."""
    assert ActiveSession().hot_context.capacity == 50
    session = ActiveSession(user_preferences=UserPreferences(max_hot_context_size=2))
    for number in range(4):
        session.add_update(update(str(number)))
    assert [known.content.title for known in session.hot_context] == ["2", "3"]
    none = ActiveSession(user_preferences=UserPreferences(max_hot_context_size=0))
    none.add_update(update())
    assert (len(none.hot_context), len(none.incremental_updates)) == (0, 1)


def test_mentions_are_counted() -> None:
    """Adding an entity again counts a mention; an empty description leaves the known one."""
    graph = EntityGraph()
    graph.add_entity("A", EntityType.TECHNOLOGY, "text")
    known = graph.add_entity("A", description="")
    assert (known.mention_count, known.description, known.entity_type) == (2, "text", EntityType.TECHNOLOGY)


def test_relations_are_found_from_both_ends() -> None:
    """The other ends are named once each, all or of one type; the same relation again takes the new context."""
    graph = EntityGraph()
    for to, kind in (("B", RelationType.SOLVES), ("C", RelationType.CAUSED_BY), ("B", RelationType.SOLVES)):
        graph.add_relationship(EntityRelationship(from_entity="A", to_entity=to, relation_type=kind, context=to))
    assert len(graph.relationships) == 2
    assert (graph.related("A"), graph.related("B")) == (["B", "C"], ["A"])
    assert graph.related("A", RelationType.SOLVES) == ["B"]


def test_unknown_types_read_as_the_mildest() -> None:
    """Types of entities and relations that nobody knows are Concept and RelatedTo."""
    assert EntityData.model_validate({"name": "x", "entity_type": "Spell"}).entity_type is EntityType.CONCEPT
    relation = {"from_entity": "a", "to_entity": "b", "relation_type": "Haunts"}
    assert EntityRelationship.model_validate(relation).relation_type is RelationType.RELATED_TO


@pytest.mark.parametrize("given, kept", [(-1, 0.0), (0.9, 0.9), (7, 1.0), (float("nan"), 0.0), (float("inf"), 1.0)])
def test_confidence_is_clamped(given: float, kept: float) -> None:
    """Confidence lies between 0 and 1, whatever is given."""
    assert DecisionItem(description="d", confidence=given).confidence == kept


def test_the_flow_is_bounded() -> None:
    """The list of steps never exceeds 500; the oldest tenth goes when it is full."""
    context = StructuredContext()
    assert context.total_items() == 0
    for number in range(1_234):
        context.add_flow_item(FlowItem(step_description=str(number)))
        assert len(context.conversation_flow) <= 500
    assert context.conversation_flow[-1].step_description == "1233"
    context.conversation_flow = [FlowItem(step_description=str(number)) for number in range(500)]
    context.add_flow_item(FlowItem(step_description="new"))
    assert (len(context.conversation_flow), context.conversation_flow[0].step_description) == (451, "50")


def test_long_texts_are_cut_between_characters() -> None:
    """A title of more than 200 bytes keeps 190, a description of more than 2000 keeps 1800; at the limit, all stays."""
    content = UpdateContent(title="é" * 101, description="x" + "é" * 1_000).shortened()
    assert content.title == "é" * 95 + "..."
    assert content.description == "x" + "é" * 899 + "... (truncated)"
    whole = UpdateContent(title="é" * 100, description="é" * 1_000)
    assert whole.shortened() == whole


def test_adding_an_update_does_what_follows_from_it() -> None:
    """Code references are grouped by file, changes come from CodeChanged alone, entities are counted."""
    session = ActiveSession()
    code = CodeReference(file_path="a.py")
    session.add_update(update("one", update_type="CodeChanged", related_code=code, creates_entities=["A"]))
    session.add_update(
        update(
            "two",
            related_code=code,
            references_entities=["A"],
            typed_entities=[TypedEntity(name="B", entity_type=EntityType.PROBLEM)],
        )
    )
    assert len(session.code_references["a.py"]) == 2
    assert [(change.change_type, change.description) for change in session.change_history] == [("CodeChanged", "one")]
    assert session.entity_graph.entities["A"].mention_count == 2
    assert session.entity_graph.entities["B"].entity_type is EntityType.PROBLEM
    assert session.rebuild_entity_graph() == (2, 2)
    assert session.entity_graph.entities["A"].mention_count == 2


def test_a_known_id_is_replaced_in_its_place() -> None:
    """Adding the id of a known update puts the new one where it stood, in both lists."""
    session = ActiveSession()
    first = session.add_update(update("one"))
    session.add_update(update("two"))
    session.add_update(update("changed", id=first.id))
    assert [known.content.title for known in session.incremental_updates] == ["changed", "two"]
    assert [known.content.title for known in session.hot_context] == ["changed", "two"]


@pytest.mark.parametrize("threshold, count, summaries", [(100, 100, 0), (100, 101, 1), (2, 7, 3), (0, 50, 0)])
def test_summaries_come_at_the_threshold(threshold: int, count: int, summaries: int) -> None:
    """A summary is made when the number of updates before the new one is a multiple of the threshold; 0: never."""
    session = ActiveSession(user_preferences=UserPreferences(auto_summary_threshold=threshold))
    for number in range(count):
        session.add_update(update(str(number)))
    assert len(session.cold_context) == summaries


def test_updates_are_removed_everywhere() -> None:
    """Removing by id says whether there was one; removing by file says how many, and drops the file's references."""
    session = ActiveSession()
    one = session.add_update(update("one"))
    for _ in range(2):
        session.add_update(update("file", related_code=CodeReference(file_path="a.py")))
    assert session.remove_update(one.id)
    assert not session.remove_update(uuid4())
    assert session.remove_updates_for_file("b.py") == 0
    assert session.remove_updates_for_file("a.py") == 2
    assert (session.incremental_updates, len(session.hot_context), session.code_references) == ([], 0, {})


def test_unknown_fields_are_kept_at_every_depth() -> None:
    """Fields that nobody declared survive reading and writing, null among them."""
    given = {
        "id": str(uuid4()),
        "mood": None,
        "incremental_updates": [{"id": str(uuid4()), "x": 1, "content": {"title": "t", "y": [None]}}],
    }
    stored = ActiveSession.model_validate(given).model_dump(mode="json")
    assert "mood" in stored
    (kept,) = stored["incremental_updates"]
    assert (kept["x"], kept["content"]["y"]) == (1, [None])
    assert ActiveSession.model_validate(stored).model_dump(mode="json") == stored


def test_all_types_of_updates_have_their_names() -> None:
    """The six types are written as the contract names them."""
    assert [kind.value for kind in UpdateType] == [
        "QuestionAnswered",
        "ProblemSolved",
        "CodeChanged",
        "DecisionMade",
        "ConceptDefined",
        "RequirementAdded",
    ]
    assert update(timestamp=datetime(2026, 1, 1, tzinfo=UTC)).update_type is UpdateType.QUESTION_ANSWERED


def test_uuids_have_one_spelling() -> None:
    """Ids are written in lower case with hyphens; other spellings are read, and name the same session."""
    value = uuid4()
    assert uuid_text(value.hex.upper()) == uuid_text(value) == str(value)
    assert is_uuid_text(str(value))
    assert not is_uuid_text(value.hex)
    with pytest.raises(InvalidArgument, match="session id must be a UUID"):
        uuid_text(7)
