"""Entities and relationships on their way to Redis and back.

The rule of this module: no I/O. What the user gave goes through the codec, field by field; what scripts count with
(mention count, times) is stored as plain numbers.
"""

from __future__ import annotations

from typing import Final

from sessioncache.entities.models import Entity, EntityMention, EntityType, Relationship, RelationType
from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.types import JSONObject, check_text, datetime_from_ms, ms_from_datetime
from sessioncache.wire.call import Arg, optional
from sessioncache.wire.keys import escape, unescape
from sessioncache.wire.values import ValueEncoder, unpack_fields

__all__ = ["decode_entity", "decode_relationship", "entity_args", "entity_name", "relationship_args"]

NAME_BYTES_MAX: Final = 512
COUNTED: Final = ("mention_count", "first_mentioned_ms", "last_mentioned_ms")
"""Fields that the script writes."""


def entity_name(name: object) -> str:
    """The escaped name of an entity."""
    return escape(check_text(name, what="name of an entity", bytes_max=NAME_BYTES_MAX))


def entity_args(values: ValueEncoder, given: EntityMention) -> list[Arg]:
    """Name, mention count, first and last mention, fields: as `entities/save.lua` takes them."""
    if not isinstance(given, EntityMention):
        raise InvalidArgument(f"an entity must be an EntityMention, not {type(given).__name__}")
    name = entity_name(given.name)
    fields: JSONObject = dict(given.model_extra or {})
    if taken := [field for field in COUNTED if field in fields]:
        raise InvalidArgument(f"entity {given.name!r}: the field name {taken[0]} is taken; choose another one")
    if given.entity_type is not None:
        fields["entity_type"] = given.entity_type.value
    if given.description:
        fields["description"] = given.description
    if given.importance_score is not None:
        fields["importance_score"] = given.importance_score
    first, last = (
        None if time is None else ms_from_datetime(time) for time in (given.first_mentioned, given.last_mentioned)
    )
    packed = values.encode_fields(f"entity {given.name!r}", fields)
    return [name, optional(given.mention_count), optional(first), optional(last), packed]


def relationship_args(values: ValueEncoder, given: Relationship) -> list[Arg]:
    """From, type, to, fields: as `entities/save.lua` takes them."""
    if not isinstance(given, Relationship):
        raise InvalidArgument(f"a relationship must be a Relationship, not {type(given).__name__}")
    fields: JSONObject = dict(given.model_extra or {})
    if given.context:
        fields["context"] = given.context
    what = f"relationship from {given.from_entity!r} to {given.to_entity!r}"
    return [
        entity_name(given.from_entity),
        escape(given.relation_type.value),
        entity_name(given.to_entity),
        values.encode_fields(what, fields),
    ]


def decode_entity(values: ValueEncoder, name: str, payload: bytes) -> Entity:
    """The entity of an escaped name.

    Raises:
        DecodeError: its fields are damaged.
    """
    what = f"entity {unescape(name)!r}"
    raw = unpack_fields(what, payload)
    counted = [raw.pop(field, b"") for field in COUNTED]
    if not all(number.isdigit() for number in counted):
        raise DecodeError(f"{what} is damaged: its mention count or times are no numbers")
    mentions, first, last = map(int, counted)
    fields = {field: values.decode(f"{what}.{field}", value) for field, value in raw.items()}
    return Entity(
        name=unescape(name),
        entity_type=EntityType.read(fields.pop("entity_type", "")),
        first_mentioned=datetime_from_ms(first),
        last_mentioned=datetime_from_ms(last),
        mention_count=mentions,
        importance_score=float(fields.pop("importance_score", 0.0)),
        description=fields.pop("description", None),
        extra=fields,
    )


def decode_relationship(values: ValueEncoder, row: str, payload: bytes) -> Relationship:
    """The relationship that a row of the index of ends stands for.

    Raises:
        DecodeError: its fields are damaged.
    """
    parts = [unescape(part) for part in row[1:].split("\0")]
    begin, relation_type, end = parts if row[0] == ">" else parts[::-1]
    fields = values.decode_fields(f"relationship from {begin!r} to {end!r}", payload)
    return Relationship(
        **fields | {"from_entity": begin, "to_entity": end, "relation_type": RelationType.read(relation_type)}
    )
