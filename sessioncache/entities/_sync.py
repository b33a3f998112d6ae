# Generated from sessioncache/entities/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.entities`."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from sessioncache.entities import lua
from sessioncache.entities.encoding import (
    decode_entity,
    decode_relationship,
    entity_args,
    entity_name,
    relationship_args,
)
from sessioncache.entities.models import (
    EntitiesSaved,
    Entity,
    EntityCounts,
    EntityMention,
    Related,
    Relationship,
    RelationType,
)
from sessioncache.errors import InvalidArgument, LimitExceeded
from sessioncache.transport.base import Transport
from sessioncache.types import (
    NO_BASE,
    Base,
    Page,
    SessionId,
    check_limit,
    check_session_id,
    check_user,
    decode_cursor,
    encode_cursor,
)
from sessioncache.wire.call import Arg, Write
from sessioncache.wire.keys import Keyspace, escape
from sessioncache.wire.values import ValueEncoder

__all__ = ["Entities"]

ITEMS_MAX: Final = 500
DIRECTIONS: Final[tuple[tuple[str, Literal["out", "in"]], ...]] = ((">", "out"), ("<", "in"))


class Entities:
    """What sessions speak of, and how these things are related."""

    def __init__(self, transport: Transport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values

    def save(
        self,
        session_id: SessionId,
        *,
        entities: Sequence[EntityMention] = (),
        relationships: Sequence[Relationship] = (),
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> EntitiesSaved:
        """Put entities and relationships in: known ones, by name or by both ends and type, are edited.

        Each entity is counted as mentioned once more, and its last mention moves. Neither end of a relationship has to
        be an entity of the session. Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Args:
            session_id: whose entities.
            entities: what None or an empty description leaves as it is stands there.
            relationships: an empty context leaves the one that is stored. At most 500 of both together.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and counts nothing.

        Raises:
            InvalidArgument: nothing to save, a bad name, or a value that is no JSON; nothing is written.
            LimitExceeded: too many at once, a field too large, or the session's quota; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        total = len(entities) + len(relationships)
        if total == 0:
            raise InvalidArgument("there is nothing to save; give at least one entity or relationship")
        if total > ITEMS_MAX:
            raise LimitExceeded(f"{total} entities and relationships in one call; the limit is {ITEMS_MAX}")
        given: list[Arg] = []
        for entity in entities:
            given += entity_args(self._values, entity)
        for relationship in relationships:
            given += relationship_args(self._values, relationship)
        write = Write.of(self._keys, "entities.save", base, operation_id)
        call = lua.save(session=keys, write=write, user=check_user(user), count=len(entities), given=given)
        return self._transport.call(call)

    def get(self, session_id: SessionId, name: str) -> Entity | None:
        """One entity by its name.

        Unknown session or entity: None. One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: the entity is damaged.
            SessionTorn: the record counts other entities than there are.
        """
        keys = self._keys.session(check_session_id(session_id))
        entity = entity_name(name)
        call = lua.get(session=keys, now_override_ms=self._keys.now_override_ms, entity=entity)
        payload = self._transport.call(call)
        return None if payload is None else decode_entity(self._values, entity, payload)

    def list(self, session_id: SessionId, *, limit: int = ITEMS_MAX, cursor: str | None = None) -> Page[Entity]:
        """A page of entities in the order of their names as they are stored, escaped.

        Unknown session: an empty page. One round trip, O(log n + page). Does not slide the expiry, unless the policy
        says so.

        Args:
            session_id: whose entities.
            limit: entities a page, 0 to 500.
            cursor: of the page before.

        Raises:
            InvalidArgument: a bad limit, or a cursor that this call did not give out.
            DecodeError: an entity is damaged.
            SessionTorn: the record counts other entities than there are.
        """
        keys = self._keys.session(check_session_id(session_id))
        check_limit(limit, at_most=ITEMS_MAX)
        after = _after("entities.list", cursor)
        if limit == 0:
            return Page((), cursor)
        found = self._transport.call(
            lua.list_(session=keys, now_override_ms=self._keys.now_override_ms, after=after, limit=limit)
        )
        items = tuple(decode_entity(self._values, name, payload) for name, payload in found)
        following = encode_cursor("entities.list", {"after": found[-1][0]}) if len(found) == limit else None
        return Page(items, following)

    def each(self, session_id: SessionId, *, batch: int = ITEMS_MAX) -> Iterator[Entity]:
        """Every entity in the order of `list`, a page at a time."""
        check_limit(batch, what="batch", at_least=1, at_most=ITEMS_MAX)
        cursor: str | None = None
        while True:
            page = self.list(session_id, limit=batch, cursor=cursor)
            for entity in page:
                yield entity
            cursor = page.cursor
            if cursor is None:
                return

    def count(self, session_id: SessionId) -> EntityCounts:
        """How many entities and relationships the session has.

        Unknown session: none. One round trip, O(1). Does not slide the expiry, unless the policy says so.

        Raises:
            SessionTorn: the record counts others than there are.
        """
        keys = self._keys.session(check_session_id(session_id))
        return self._transport.call(lua.count(session=keys, now_override_ms=self._keys.now_override_ms))

    def delete(
        self, session_id: SessionId, name: str, *, base: Base = NO_BASE, operation_id: str | None = None
    ) -> bool:
        """Remove an entity with its relationships, and answer whether there was such an entity.

        Unknown session or entity: False; relationships of a name that is no entity go, too. Atomic and one round trip
        for up to 499 relationships; beyond that 500 go with each round trip, the entity with the last ones. Slides the
        expiry if something was removed.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        entity = entity_name(name)
        rounds = 0
        while True:
            operation = operation_id if operation_id is None or rounds == 0 else f"{operation_id}\0{rounds}"
            write = Write.of(self._keys, "entities.delete", base, operation)
            found, more = self._transport.call(lua.delete(session=keys, write=write, entity=entity))
            if not more:
                return found
            # The rounds after the first are based on what the first one made.
            base = Base(gen=base.gen, fence=base.fence)
            rounds += 1

    def clear(self, session_id: SessionId, *, base: Base = NO_BASE, operation_id: str | None = None) -> EntityCounts:
        """Remove all entities and relationships of a session, and answer how many there were.

        Unknown session: none. Atomic, one round trip; slides the expiry if something was removed.

        Raises:
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        write = Write.of(self._keys, "entities.clear", base, operation_id)
        return self._transport.call(lua.clear(session=keys, write=write))

    def relationships(
        self, session_id: SessionId, *, limit: int = ITEMS_MAX, cursor: str | None = None
    ) -> Page[Relationship]:
        """A page of relationships, in the order of the names from which they go.

        Unknown session: an empty page. One round trip, O(log n + page). Does not slide the expiry, unless the policy
        says so.

        Raises:
            InvalidArgument: a bad limit, or a cursor that this call did not give out.
            DecodeError: a relationship is damaged.
            SessionTorn: the record counts other relationships than there are.
        """
        check_session_id(session_id)
        check_limit(limit, at_most=ITEMS_MAX)
        after = _after("entities.relationships", cursor)
        if limit == 0:
            return Page((), cursor)
        rows = self._rows(session_id, [(f"({after}" if after else "[>", "(?")], limit=limit)
        items = tuple(decode_relationship(self._values, row, payload) for row, payload in rows[0])
        more = len(rows[0]) == limit
        return Page(items, encode_cursor("entities.relationships", {"after": rows[0][-1][0]}) if more else None)

    def find_related(
        self, session_id: SessionId, name: str, relation_type: RelationType | str | None = None
    ) -> Sequence[Related]:
        """The entities at the other ends of an entity's relationships: those that go out, then those that come in.

        Unknown session or entity: none. One round trip, and one more for each 500 neighbours; O(neighbours). Does not
        slide the expiry, unless the policy says so.

        Args:
            session_id: whose entities.
            name: the entity.
            relation_type: only relationships of this type.

        Raises:
            InvalidArgument: a bad name or an unknown type.
            DecodeError: a relationship is damaged.
            SessionTorn: the record counts other relationships than there are.
        """
        check_session_id(session_id)
        prefix = f"{entity_name(name)}\0"
        if relation_type is not None:
            if relation_type not in list(RelationType):
                raise InvalidArgument(f"relation_type must be one of {', '.join(RelationType)}, not {relation_type!r}")
            prefix += f"{escape(RelationType(relation_type).value)}\0"
        found: dict[str, list[Related]] = {sigil: [] for sigil, _ in DIRECTIONS}
        open_ends = {sigil: (f"[{sigil}{prefix}", f"({sigil}{prefix[:-1]}\1", way) for sigil, way in DIRECTIONS}
        while open_ends:
            asked = list(open_ends.items())
            pages = self._rows(session_id, [(start, stop) for _, (start, stop, _) in asked], limit=ITEMS_MAX)
            for (sigil, (_start, stop, way)), rows in zip(asked, pages, strict=True):
                for row, payload in rows:
                    relationship = decode_relationship(self._values, row, payload)
                    other = relationship.to_entity if way == "out" else relationship.from_entity
                    found[sigil].append(Related(other, way, relationship))
                if len(rows) == ITEMS_MAX:
                    open_ends[sigil] = (f"({rows[-1][0]}", stop, way)
                else:
                    del open_ends[sigil]
        return [related for sigil, _ in DIRECTIONS for related in found[sigil]]

    def find_path(self, session_id: SessionId, from_entity: str, to_entity: str) -> Sequence[str] | None:
        """The names on a shortest way from one entity to another, both included; relationships lead both ways.

        Not connected, or unknown: None. A way from a name to itself is that name, if it has relationships. Reads all
        relationships of the session, 500 a round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            DecodeError: a relationship is damaged.
            SessionTorn: the record counts other relationships than there are.
        """
        entity_name(from_entity)
        entity_name(to_entity)
        neighbours: dict[str, list[str]] = defaultdict(list)
        cursor: str | None = None
        while True:
            page = self.relationships(session_id, cursor=cursor)
            for relationship in page:
                neighbours[relationship.from_entity].append(relationship.to_entity)
                neighbours[relationship.to_entity].append(relationship.from_entity)
            cursor = page.cursor
            if cursor is None:
                return _shortest(neighbours, from_entity, to_entity)

    def _rows(
        self, session_id: str, bounds: Sequence[tuple[str, str]], *, limit: int
    ) -> Sequence[Sequence[tuple[str, bytes]]]:
        """The rows of the index of ends between each two bounds, with the fields of their relationships."""
        keys = self._keys.session(session_id)
        calls = [
            lua.relationships(
                session=keys, now_override_ms=self._keys.now_override_ms, start=start, stop=stop, limit=limit
            )
            for start, stop in bounds
        ]
        return self._transport.call_many(calls)


def _after(kind: str, cursor: str | None) -> str:
    if cursor is None:
        return ""
    match decode_cursor(kind, cursor):
        case {"after": str() as after} if after:
            return after
    raise InvalidArgument(f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor")


def _shortest(neighbours: dict[str, list[str]], start: str, end: str) -> Sequence[str] | None:
    """Breadth first: the first way that reaches the end is a shortest one."""
    if start not in neighbours:
        return None
    came_from: dict[str, str] = {start: start}
    waiting = deque([start])
    while waiting and end not in came_from:
        name = waiting.popleft()
        for other in neighbours[name]:
            if other not in came_from:
                came_from[other] = name
                waiting.append(other)
    if end not in came_from:
        return None
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]
