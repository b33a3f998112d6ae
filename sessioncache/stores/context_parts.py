"""What contract 000 calls the parts of a session: updates, structured context, entities, summaries.

The rule of this module: values and what is done with one of them. Types of entities and relations that this release
does not know read as the mildest of them, and a number out of range as the nearest in range.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BeforeValidator, Field

from sessioncache.entities.models import EntityType, RelationType
from sessioncache.stores.stored_model import StoredModel

__all__ = [
    "ChangeRecord",
    "CodeReference",
    "CompressedUpdate",
    "ConceptItem",
    "ContextUpdate",
    "DecisionItem",
    "EntityData",
    "EntityGraph",
    "EntityRelationship",
    "FlowItem",
    "QuestionItem",
    "QuestionStatus",
    "SpecItem",
    "StructuredContext",
    "StructuredSummary",
    "TypedEntity",
    "UpdateContent",
    "UpdateType",
]

FLOW_ITEMS_MAX: Final = 500
"""Steps of a conversation that a context keeps."""

TITLE_BYTES: Final = (200, 190, "...")
DESCRIPTION_BYTES: Final = (2000, 1800, "... (truncated)")
"""Longest text, where a longer one is cut, and what is put behind the cut."""


def _now() -> datetime:
    return datetime.now(UTC)


def _in_unit(value: object) -> object:
    """The number itself, or the end of 0 to 1 that it lies beyond."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    return 0.0 if math.isnan(value) else min(max(float(value), 0.0), 1.0)


def _entity_type(value: object) -> object:
    return EntityType.read(value) if isinstance(value, str) else value


def _relation_type(value: object) -> object:
    return RelationType.read(value) if isinstance(value, str) else value


Fraction: TypeAlias = Annotated[float, BeforeValidator(_in_unit)]
AnyEntityType: TypeAlias = Annotated[EntityType, BeforeValidator(_entity_type)]
AnyRelationType: TypeAlias = Annotated[RelationType, BeforeValidator(_relation_type)]


class UpdateType(StrEnum):
    """What an update tells."""

    QUESTION_ANSWERED = "QuestionAnswered"
    PROBLEM_SOLVED = "ProblemSolved"
    CODE_CHANGED = "CodeChanged"
    DECISION_MADE = "DecisionMade"
    CONCEPT_DEFINED = "ConceptDefined"
    REQUIREMENT_ADDED = "RequirementAdded"


class UpdateContent(StoredModel):
    """The text of an update."""

    title: str = ""
    description: str = ""
    details: list[str] = Field(default_factory=list)
    examples: list[str] = Field(default_factory=list)
    implications: list[str] = Field(default_factory=list)

    def shortened(self) -> UpdateContent:
        """A copy whose title has at most 200 bytes and whose description at most 2000, cut between characters."""
        return self.model_copy(
            update={
                "title": _cut(self.title, *TITLE_BYTES),
                "description": _cut(self.description, *DESCRIPTION_BYTES),
            }
        )


def _cut(text: str, bytes_max: int, cut_at: int, mark: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= bytes_max:
        return text
    return encoded[:cut_at].decode("utf-8", "ignore") + mark


class CodeReference(StoredModel):
    """A place in code."""

    file_path: str
    start_line: int = Field(default=0, ge=0)
    end_line: int = Field(default=0, ge=0)
    code_snippet: str = ""
    commit_hash: str | None = None
    branch: str | None = None
    change_description: str = ""


class EntityRelationship(StoredModel):
    """How one entity is related to another."""

    from_entity: str
    to_entity: str
    relation_type: AnyRelationType = RelationType.RELATED_TO
    context: str = ""


class TypedEntity(StoredModel):
    """An entity that an update names, with its type."""

    name: str
    entity_type: AnyEntityType = EntityType.CONCEPT


class ContextUpdate(StoredModel):
    """Something that a session has learnt."""

    id: UUID = Field(default_factory=uuid4)
    timestamp: AwareDatetime = Field(default_factory=_now)
    update_type: UpdateType = UpdateType.QUESTION_ANSWERED
    content: UpdateContent = Field(default_factory=UpdateContent)
    related_code: CodeReference | None = None
    parent_update: UUID | None = None
    user_marked_important: bool = False
    creates_entities: list[str] = Field(default_factory=list)
    creates_relationships: list[EntityRelationship] = Field(default_factory=list)
    references_entities: list[str] = Field(default_factory=list)
    typed_entities: list[TypedEntity] = Field(default_factory=list)


class DecisionItem(StoredModel):
    """A decision."""

    description: str
    context: str = ""
    alternatives: list[str] = Field(default_factory=list)
    confidence: Fraction = 0.0
    timestamp: AwareDatetime = Field(default_factory=_now)


class QuestionStatus(Enum):
    """What became of a question."""

    OPEN = "Open"
    IN_PROGRESS = "InProgress"
    ANSWERED = "Answered"
    DEFERRED = "Deferred"


class QuestionItem(StoredModel):
    """A question."""

    question: str
    context: str = ""
    status: QuestionStatus = QuestionStatus.OPEN
    timestamp: AwareDatetime = Field(default_factory=_now)
    last_updated: AwareDatetime = Field(default_factory=_now)


class ConceptItem(StoredModel):
    """A word and what it means."""

    name: str
    definition: str = ""
    examples: list[str] = Field(default_factory=list)
    related_concepts: list[str] = Field(default_factory=list)
    timestamp: AwareDatetime = Field(default_factory=_now)


class SpecItem(StoredModel):
    """A technical specification."""

    title: str
    description: str = ""
    requirements: list[str] = Field(default_factory=list)
    constraints: list[str] = Field(default_factory=list)
    timestamp: AwareDatetime = Field(default_factory=_now)


class FlowItem(StoredModel):
    """A step of the conversation."""

    step_description: str
    timestamp: AwareDatetime = Field(default_factory=_now)
    related_updates: list[UUID] = Field(default_factory=list)
    outcome: str | None = None


class StructuredContext(StoredModel):
    """What a session knows, in order."""

    key_decisions: list[DecisionItem] = Field(default_factory=list)
    open_questions: list[QuestionItem] = Field(default_factory=list)
    key_concepts: list[ConceptItem] = Field(default_factory=list)
    technical_specifications: list[SpecItem] = Field(default_factory=list)
    conversation_flow: list[FlowItem] = Field(default_factory=list)

    def total_items(self) -> int:
        """How many decisions, questions, concepts, specifications and steps there are."""
        return sum(
            len(items)
            for items in (
                self.key_decisions,
                self.open_questions,
                self.key_concepts,
                self.technical_specifications,
                self.conversation_flow,
            )
        )

    def add_flow_item(self, item: FlowItem) -> None:
        """Add a step; where there are 500, the oldest tenth goes first."""
        if len(self.conversation_flow) >= FLOW_ITEMS_MAX:
            keep = FLOW_ITEMS_MAX - FLOW_ITEMS_MAX // 10
            del self.conversation_flow[: len(self.conversation_flow) - keep]
        self.conversation_flow.append(item)


class CompressedUpdate(StoredModel):
    """An update that was made smaller."""

    update: ContextUpdate
    compression_ratio: Fraction = 1.0
    compressed_at: AwareDatetime = Field(default_factory=_now)


class StructuredSummary(StoredModel):
    """What the session knew at one moment."""

    summary_id: UUID = Field(default_factory=uuid4)
    created_at: AwareDatetime = Field(default_factory=_now)
    context_snapshot: StructuredContext = Field(default_factory=StructuredContext)
    referenced_updates: list[UUID] = Field(default_factory=list)
    summary_quality: Fraction = 1.0


class ChangeRecord(StoredModel):
    """A change that was made."""

    id: UUID = Field(default_factory=uuid4)
    timestamp: AwareDatetime = Field(default_factory=_now)
    change_type: str
    description: str = ""
    related_update_id: UUID | None = None


class EntityData(StoredModel):
    """What is known of an entity."""

    name: str
    entity_type: AnyEntityType = EntityType.CONCEPT
    first_mentioned: AwareDatetime = Field(default_factory=_now)
    last_mentioned: AwareDatetime = Field(default_factory=_now)
    mention_count: int = Field(default=1, ge=0)
    importance_score: float = 1.0
    description: str | None = None


class EntityGraph(StoredModel):
    """What a session speaks of, and how that is related."""

    entities: dict[str, EntityData] = Field(default_factory=dict)
    relationships: list[EntityRelationship] = Field(default_factory=list)

    def add_entity(
        self,
        name: str,
        entity_type: EntityType = EntityType.CONCEPT,
        description: str = "",
        *,
        at: datetime | None = None,
    ) -> EntityData:
        """Count a mention of an entity, a new one where there is none; an empty description leaves the known one."""
        at = at or _now()
        known = self.entities.get(name)
        if known is None:
            known = self.entities[name] = EntityData(
                name=name, entity_type=entity_type, first_mentioned=at, last_mentioned=at
            )
        else:
            known.mention_count += 1
            known.last_mentioned = max(known.last_mentioned, at)
        known.description = description or known.description
        return known

    def add_relationship(self, relationship: EntityRelationship) -> None:
        """Relate two entities; the same relation of the same two again takes the new context."""
        for known in self.relationships:
            if (known.from_entity, known.to_entity, known.relation_type) == (
                relationship.from_entity,
                relationship.to_entity,
                relationship.relation_type,
            ):
                known.context = relationship.context or known.context
                return
        self.relationships.append(relationship)

    def related(self, name: str, relation_type: RelationType | None = None) -> list[str]:
        """Names of the entities at the other ends of an entity's relationships, each once."""
        ends: dict[str, Any] = {}
        for known in self.relationships:
            if relation_type in (None, known.relation_type):
                if known.from_entity == name:
                    ends[known.to_entity] = None
                elif known.to_entity == name:
                    ends[known.from_entity] = None
        return list(ends)

    def take(self, update: ContextUpdate) -> None:
        """Count the entities that an update names, and add its relationships."""
        types = {entity.name: entity.entity_type for entity in update.typed_entities}
        for name in dict.fromkeys([*update.creates_entities, *update.references_entities, *types]):
            self.add_entity(name, types.get(name, EntityType.CONCEPT), at=update.timestamp)
        for relationship in update.creates_relationships:
            self.add_relationship(relationship)

    def clear(self) -> None:
        """Forget everything."""
        self.entities.clear()
        self.relationships.clear()
