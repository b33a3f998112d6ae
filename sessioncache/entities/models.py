"""What entities and their relationships are to their users."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sessioncache.types import JSONObject

__all__ = [
    "EntitiesSaved",
    "Entity",
    "EntityCounts",
    "EntityMention",
    "EntityType",
    "Related",
    "RelationType",
    "Relationship",
]


class EntityType(StrEnum):
    """What sort of thing an entity is."""

    TECHNOLOGY = "Technology"
    CONCEPT = "Concept"
    PROBLEM = "Problem"
    SOLUTION = "Solution"
    DECISION = "Decision"
    CODE_COMPONENT = "CodeComponent"

    @classmethod
    def read(cls, text: str) -> EntityType:
        """The type that was stored; text that this release does not know is Concept."""
        return cls(text) if text in cls._value2member_map_ else cls.CONCEPT


class RelationType(StrEnum):
    """How one entity is related to another."""

    REQUIRED_BY = "RequiredBy"
    LEADS_TO = "LeadsTo"
    RELATED_TO = "RelatedTo"
    CONFLICTS_WITH = "ConflictsWith"
    DEPENDS_ON = "DependsOn"
    IMPLEMENTS = "Implements"
    CAUSED_BY = "CausedBy"
    SOLVES = "Solves"

    @classmethod
    def read(cls, text: str) -> RelationType:
        """The type that was stored; text that this release does not know is RelatedTo."""
        return cls(text) if text in cls._value2member_map_ else cls.RELATED_TO


class EntityMention(BaseModel):
    """An entity to save: what is None stays as it is. Further fields are kept as they are given."""

    model_config = ConfigDict(extra="allow")

    name: str
    entity_type: EntityType | None = None
    """A new entity without one is a Concept."""
    description: str | None = None
    """An empty one, too, leaves the one that is stored."""
    importance_score: float | None = Field(default=None, allow_inf_nan=False)
    mention_count: int | None = Field(default=None, ge=0, le=2**53 - 1)
    """None counts one mention more; a number replaces the count."""
    first_mentioned: AwareDatetime | None = None
    """None: the server's time, if the entity is new. An earlier one replaces a later one."""
    last_mentioned: AwareDatetime | None = None
    """None: the server's time. A later one replaces an earlier one."""


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of a session, as it is stored."""

    name: str
    entity_type: EntityType
    first_mentioned: datetime
    last_mentioned: datetime
    mention_count: int
    importance_score: float
    description: str | None
    extra: JSONObject = field(default_factory=dict)
    """Further fields, as they were given."""


class Relationship(BaseModel):
    """How one entity is related to another. Further fields are kept as they are given."""

    model_config = ConfigDict(extra="allow")

    from_entity: str
    to_entity: str
    relation_type: RelationType = RelationType.RELATED_TO
    context: str = ""
    """An empty one leaves the one that is stored."""


@dataclass(frozen=True, slots=True)
class Related:
    """An entity at the other end of a relationship."""

    name: str
    direction: Literal["out", "in"]
    """`out`: the relationship goes from the entity that was asked for to this one."""
    relationship: Relationship


@dataclass(frozen=True, slots=True)
class EntityCounts:
    """How many entities and relationships a session has, or lost."""

    entities: int
    relationships: int


@dataclass(frozen=True, slots=True)
class EntitiesSaved:
    """What a save of entities and relationships did."""

    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    entities: int
    """How many entities the session has now."""
    relationships: int
    """How many relationships the session has now."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
