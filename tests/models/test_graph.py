"""Entities and relationships against a model: mentions, edits, removals, and every relationship from both its ends.

`SESSIONCACHE_MODELS=deep` plays more, and other games at every run; see `profile.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.engines import Engine
from tests.models.graph import GraphStore
from tests.models.machine import IDS, START_MS, bases, play, users
from tests.models.product import plain
from tests.models.store import Kept, Reply, Store
from tests.models.test_rooms import RoomGame

pytestmark = [pytest.mark.engines("valkey", "redis", "cluster"), pytest.mark.timeout(300)]

ids = st.sampled_from(IDS[:2])
names = st.sampled_from(["a", "b:{c}", "ü", "<a", "=a"])
times = st.integers(START_MS - 5_000, START_MS + 5_000)
entities = st.fixed_dictionaries(
    {"name": names},
    optional={
        "entity_type": st.sampled_from(["Technology", "Problem"]),
        "description": st.sampled_from(["", "text"]),
        "importance_score": st.sampled_from([0.5, 2.0]),
        "mention_count": st.integers(0, 9),
        "first_mentioned_ms": times,
        "last_mentioned_ms": times,
    },
)
relationships = st.tuples(
    names, st.sampled_from(["RequiredBy", "RelatedTo"]), names, st.sampled_from(["", "why", "because"])
)


class GraphGame(RoomGame):
    """Entities of a few sessions."""

    model: type[Store] = GraphStore

    @rule(
        session_id=ids,
        given=st.lists(entities, max_size=2),
        related=st.lists(relationships, max_size=2),
        user=users,
        base=bases,
    )
    def mention(
        self,
        *,
        session_id: str,
        given: list[Reply],
        related: list[tuple[str, str, str, str]],
        user: str | None,
        base: str,
    ) -> None:
        """Entities and relationships are put in."""
        if given or related:
            self.write("mention", session_id, given, related, user=user, base=base)

    @rule(session_id=ids, name=names, base=bases)
    def forget(self, session_id: str, name: str, base: str) -> None:
        """An entity goes, with its relationships."""
        self.write("forget", session_id, name, base=base)

    @rule(session_id=ids, base=bases)
    def forget_all(self, session_id: str, base: str) -> None:
        """All of them go."""
        self.write("forget_all", session_id, base=base)

    def compare_session(self, session_id: str, kept: Kept | None) -> None:
        """The entities of the session, and who is related to whom."""
        rooms = kept.rooms if kept else {}
        cache = self.opened.entities
        found = {}
        for one in cache.each(session_id):
            fields = {name: getattr(one, name) for name in one.__slots__ if name not in ("name", "extra")}
            found[one.name] = plain(fields) | {"entity_type": str(one.entity_type)}
        assert found == rooms.get("entities", {})
        related = sorted(rooms.get("relationships", {}).values())
        listed = [
            (one.from_entity, str(one.relation_type), one.to_entity, one.context)
            for one in cache.relationships(session_id)
        ]
        assert sorted(listed) == related
        counts = cache.count(session_id)
        assert (counts.entities, counts.relationships) == (len(found), len(related))
        for name in ("a", "b:{c}", "=a"):
            ends = [
                (one.name, one.direction, str(one.relationship.relation_type))
                for one in cache.find_related(session_id, name)
            ]
            out = [(end, "out", kind) for begin, kind, end, _ in related if begin == name]
            into = [(begin, "in", kind) for begin, kind, end, _ in related if end == name]
            assert sorted(ends) == sorted(out + into)


def test_entities_are_as_the_model_says(engine: Engine) -> None:
    """Whatever is mentioned and forgotten, every count, time and relationship is that of a dict in Python."""
    play(GraphGame, engine, games=15 if engine.kind == "cluster" else 30)
