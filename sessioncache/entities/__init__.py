"""Entities: what a session speaks of, and how these things are related."""

from sessioncache.entities.models import (
    EntitiesSaved,
    Entity,
    EntityCounts,
    EntityMention,
    EntityType,
    Related,
    Relationship,
    RelationType,
)

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
