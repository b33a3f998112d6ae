"""Entities and relationships: counting mentions, editing, neighbours, paths, removal."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sessioncache import (
    AsyncSessionCache,
    Base,
    DecodeError,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    ScriptFailure,
    SessionCache,
    SessionTorn,
    VersionConflict,
)
from sessioncache.entities import EntityCounts, EntityMention, EntityType, Relationship, RelationType
from sessioncache.wire.values import pack_fields
from tests.engines import Engine, list_keys
from tests.engines.raw import client_for

ODD = "a:{b}*c/ü% <>"
MOMENT = datetime(2096, 1, 1, tzinfo=UTC)


def mention(name: str, **fields: object) -> EntityMention:
    """An entity to save."""
    return EntityMention.model_validate({"name": name, **fields})


def relation(begin: str, end: str, kind: RelationType = RelationType.RELATED_TO, **fields: object) -> Relationship:
    """A relationship to save."""
    return Relationship.model_validate({"from_entity": begin, "to_entity": end, "relation_type": kind, **fields})


async def chain(cache: AsyncSessionCache, *names: str) -> None:
    """Relate each name to the next one."""
    pairs = pairwise(names)
    await cache.entities.save("s", relationships=[relation(begin, end) for begin, end in pairs])


async def test_an_entity_is_what_was_saved(cache: AsyncSessionCache) -> None:
    """Type, importance, description and unknown fields come back; the server's clock says when it was mentioned."""
    cache.keys.now_override_ms = int(MOMENT.timestamp() * 1000)
    saved = await cache.entities.save(
        "s",
        entities=[
            mention(ODD, entity_type="Technology", importance_score=0.5, description="d", aliases=["x"], none=None)
        ],
    )

    found = await cache.entities.get("s", ODD)
    assert found is not None
    assert (saved.created, saved.entities, saved.relationships) == (True, 1, 0)
    assert (found.name, found.entity_type, found.importance_score, found.description) == (
        ODD,
        EntityType.TECHNOLOGY,
        0.5,
        "d",
    )
    assert (found.mention_count, found.first_mentioned, found.last_mentioned) == (1, MOMENT, MOMENT)
    assert found.extra == {"aliases": ["x"], "none": None}


async def test_a_bare_entity_has_defaults(cache: AsyncSessionCache) -> None:
    """A new entity of which only the name is known is a Concept without description."""
    await cache.entities.save("s", entities=[mention("a")])

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert (found.entity_type, found.importance_score, found.description) == (EntityType.CONCEPT, 0.0, None)


async def test_mentions_are_counted(cache: AsyncSessionCache) -> None:
    """Each save counts one mention more, also twice in one call; the last mention moves, the first one stays."""
    cache.keys.now_override_ms = int(MOMENT.timestamp() * 1000)
    await cache.entities.save("s", entities=[mention("a"), mention("a")])
    later = MOMENT + timedelta(seconds=5)
    cache.keys.now_override_ms = int(later.timestamp() * 1000)
    await cache.entities.save("s", entities=[mention("a")])

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert (found.mention_count, found.first_mentioned, found.last_mentioned) == (3, MOMENT, later)


async def test_what_is_not_given_stays(cache: AsyncSessionCache) -> None:
    """An empty description overwrites nothing; a given importance replaces; unknown fields of others stay."""
    await cache.entities.save("s", entities=[mention("a", description="kept", importance_score=1, one=1)])
    await cache.entities.save("s", entities=[mention("a", description="", importance_score=0.25, two=2)])

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert (found.description, found.importance_score, found.extra) == ("kept", 0.25, {"one": 1, "two": 2})


async def test_counts_and_times_can_be_given(cache: AsyncSessionCache) -> None:
    """A given count replaces the count; given times widen the span between first and last mention."""
    early, late = MOMENT - timedelta(days=2), MOMENT + timedelta(days=2)
    cache.keys.now_override_ms = int(MOMENT.timestamp() * 1000)
    await cache.entities.save("s", entities=[mention("a")])
    await cache.entities.save("s", entities=[mention("a", mention_count=9, first_mentioned=early, last_mentioned=late)])
    await cache.entities.save("s", entities=[mention("a", last_mentioned=MOMENT)])

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert (found.mention_count, found.first_mentioned, found.last_mentioned) == (10, early, late)


async def test_a_repeated_save_counts_nothing(cache: AsyncSessionCache) -> None:
    """The same operation id again answers the first reply and counts no mention."""
    first = await cache.entities.save("s", entities=[mention("a")], operation_id="1")
    again = await cache.entities.save("s", entities=[mention("a")], operation_id="1")

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert found.mention_count == 1
    assert (again.repeated, again.created, again.revision) == (True, True, first.revision)


async def test_two_clients_count_every_mention(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Concurrent saves of one entity lose no mention and no field."""
    await asyncio.gather(
        *(
            (cache, other_cache)[number % 2].entities.save("s", entities=[mention("a", **{f"f{number}": number})])
            for number in range(40)
        )
    )

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert found.mention_count == 40
    assert found.extra == {f"f{number}": number for number in range(40)}


async def test_entities_are_listed_in_pages(cache: AsyncSessionCache) -> None:
    """Pages neither skip nor repeat, though entities come in between; relationships are none of them."""
    names = [f"n{number:02}" for number in range(10)]
    await cache.entities.save("s", entities=[mention(name) for name in names], relationships=[relation("x", "y")])
    page = await cache.entities.list("s", limit=4)
    await cache.entities.save("s", entities=[mention("n00a"), mention("n05a")])
    rest = await cache.entities.list("s", cursor=page.cursor)

    assert [entity.name for entity in page] == names[:4]
    assert [entity.name for entity in rest] == [*names[4:6], "n05a", *names[6:]]
    assert len([entity async for entity in cache.entities.each("s", batch=1)]) == 12
    assert len(await cache.entities.list("s", limit=0)) == 0
    with pytest.raises(InvalidArgument):
        await cache.entities.list("s", cursor="junk")


async def test_unknown_sessions_have_nothing(cache: AsyncSessionCache) -> None:
    """Reads of an unknown session find nothing and create nothing; nor do removals."""
    assert await cache.entities.get("s", "a") is None
    assert len(await cache.entities.list("s")) == 0
    assert await cache.entities.count("s") == EntityCounts(0, 0)
    assert len(await cache.entities.relationships("s")) == 0
    assert await cache.entities.find_related("s", "a") == []
    assert await cache.entities.find_path("s", "a", "b") is None
    assert await cache.entities.delete("s", "a") is False
    assert await cache.entities.clear("s") == EntityCounts(0, 0)
    assert await cache.sessions.exists("s") is False


async def test_relationships_are_found_from_both_ends(cache: AsyncSessionCache) -> None:
    """Each end finds the other one, with the direction; a type narrows it down."""
    await cache.entities.save(
        "s",
        relationships=[
            relation("a", ODD, RelationType.DEPENDS_ON, context="why", weight=3),
            relation("c", "a", RelationType.SOLVES),
            relation("a", "a", RelationType.LEADS_TO),
            relation("ab", "z"),
        ],
    )

    related = await cache.entities.find_related("s", "a")
    assert [(other.direction, other.name) for other in related] == [
        ("out", ODD),
        ("out", "a"),
        ("in", "a"),
        ("in", "c"),
    ]
    (only,) = await cache.entities.find_related("s", "a", "DependsOn")
    assert (only.relationship.context, only.relationship.model_extra) == ("why", {"weight": 3})
    (back,) = await cache.entities.find_related("s", ODD)
    assert (back.name, back.direction, back.relationship.relation_type) == ("a", "in", RelationType.DEPENDS_ON)
    with pytest.raises(InvalidArgument, match="relation_type"):
        await cache.entities.find_related("s", "a", "Likes")


async def test_a_relationship_saved_again_is_edited(cache: AsyncSessionCache) -> None:
    """Both ends and the type name it: it stays one, an empty context leaves the stored one, fields are added."""
    await cache.entities.save("s", relationships=[relation("a", "b", context="kept", one=1)])
    await cache.entities.save("s", relationships=[relation("a", "b", two=2)])

    (found,) = await cache.entities.relationships("s")
    assert (found.context, found.model_extra) == ("kept", {"one": 1, "two": 2})
    assert await cache.entities.count("s") == EntityCounts(0, 1)


async def test_a_shortest_path_is_found(cache: AsyncSessionCache) -> None:
    """The way over the fewest relationships, in either direction; None where there is none."""
    await chain(cache, "a", "b", "c", "d", "e")
    await chain(cache, "b", "x", "d")
    await chain(cache, "a", "y", "z", "e")
    await chain(cache, "lonely", "too")

    assert await cache.entities.find_path("s", "a", "c") == ["a", "b", "c"]
    assert await cache.entities.find_path("s", "a", "e") == ["a", "y", "z", "e"]
    assert await cache.entities.find_path("s", "e", "a") == ["e", "z", "y", "a"]
    assert await cache.entities.find_path("s", "a", "lonely") is None
    assert await cache.entities.find_path("s", "a", "unheard of") is None
    assert await cache.entities.find_path("s", "a", "a") == ["a"]


async def test_deleting_an_entity_takes_its_relationships(cache: AsyncSessionCache) -> None:
    """The entity and all relationships of it go; the rest stays; a second time there is nothing."""
    await cache.entities.save("s", entities=[mention("a"), mention("b")])
    await chain(cache, "b", "a", "c", "d")
    await chain(cache, "a", "a")

    assert await cache.entities.delete("s", "a", operation_id="1") is True
    assert await cache.entities.delete("s", "a", operation_id="1") is True
    assert await cache.entities.delete("s", "a") is False
    assert await cache.entities.get("s", "a") is None
    assert [(found.from_entity, found.to_entity) for found in await cache.entities.relationships("s")] == [("c", "d")]
    assert await cache.entities.count("s") == EntityCounts(1, 1)


async def test_an_entity_with_many_relationships_goes_in_steps(cache: AsyncSessionCache) -> None:
    """More relationships than one script removes: all go, page by page, and are found page by page before."""
    for at in range(3):
        into = [relation("hub", f"o{at}-{number}") for number in range(250)]
        out = [relation(f"i{at}-{number}", "hub") for number in range(250)]
        await cache.entities.save("s", relationships=into + out)
    await cache.entities.save("s", entities=[mention("hub")])
    revision = (await cache.entities.save("s", entities=[mention("other")])).revision

    assert len(await cache.entities.find_related("s", "hub")) == 1_500
    assert len(await cache.entities.find_path("s", "o0-1", "i2-249") or ()) == 3
    assert await cache.entities.delete("s", "hub", base=Base(revision=revision), operation_id="1") is True
    assert await cache.entities.delete("s", "hub", operation_id="1") is True
    assert await cache.entities.count("s") == EntityCounts(1, 0)


async def test_clearing_takes_entities_and_relationships(cache: AsyncSessionCache) -> None:
    """Both go, the session stays; a repeat answers the same numbers and clears nothing new."""
    await cache.entities.save("s", entities=[mention("a")], relationships=[relation("a", "b"), relation("b", "c")])

    assert await cache.entities.clear("s", operation_id="1") == EntityCounts(1, 2)
    await cache.entities.save("s", entities=[mention("new")])
    assert await cache.entities.clear("s", operation_id="1") == EntityCounts(1, 2)
    assert await cache.entities.count("s") == EntityCounts(1, 0)


async def test_a_deleted_session_leaves_nothing(cache: AsyncSessionCache, engine: Engine) -> None:
    """No key of the graph outlives its session, and a new session of that id has none."""
    await cache.entities.save("s", entities=[mention("a")], relationships=[relation("a", "b")])
    await cache.sessions.delete("s")

    assert [key.name for key in list_keys(engine) if "entities" in key.name or "relationships" in key.name] == []
    assert await cache.entities.count("s") == EntityCounts(0, 0)


async def test_a_session_past_its_deadline_has_no_entities(cache: AsyncSessionCache) -> None:
    """Entities of a session past its deadline are not there, swept or not, and a new session does not inherit them."""
    await cache.entities.save("s", entities=[mention("a")])
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 1

    assert await cache.entities.get("s", "a") is None
    assert (await cache.entities.save("s", entities=[mention("b")])).created is True
    assert [entity.name async for entity in cache.entities.each("s")] == ["b"]


async def test_limits_are_held(cache: AsyncSessionCache) -> None:
    """Nothing, too much at once, or more than the quota is refused, and nothing is written; edits are no growth."""
    with pytest.raises(InvalidArgument, match="nothing to save"):
        await cache.entities.save("s")
    with pytest.raises(LimitExceeded, match="501"):
        await cache.entities.save("s", entities=[mention("a")], relationships=[relation("a", "b")] * 500)
    with pytest.raises(InvalidArgument, match="is taken"):
        await cache.entities.save("s", entities=[mention("a", first_mentioned_ms=1)])
    with pytest.raises(InvalidArgument, match="name of an entity"):
        await cache.entities.save("s", entities=[mention("a\0b")])
    await cache.retention.save(RetentionPolicy(quota_entries=2))
    await cache.entities.save("s", entities=[mention("a"), mention("b"), mention("a")])
    await cache.entities.save("s", entities=[mention("a"), mention("b")])
    with pytest.raises(LimitExceeded, match="3 entities"):
        await cache.entities.save("s", entities=[mention("c")], relationships=[relation("a", "b")])
    assert await cache.entities.count("s") == EntityCounts(2, 0)


async def test_bases_are_held(cache: AsyncSessionCache) -> None:
    """A save that is based on an old revision is refused as a whole."""
    saved = await cache.entities.save("s", entities=[mention("a")])
    await cache.entities.save("s", entities=[mention("a")])

    with pytest.raises(VersionConflict):
        await cache.entities.save("s", relationships=[relation("a", "b")], base=Base(revision=saved.revision))
    assert await cache.entities.count("s") == EntityCounts(1, 0)


async def test_unknown_types_read_back_as_the_general_ones(cache: AsyncSessionCache, engine: Engine) -> None:
    """Text that this release does not know is a Concept, and RelatedTo."""
    await cache.entities.save("s", entities=[mention("a")], relationships=[relation("a", "b")])
    keys = cache.keys.session("s")
    relationships, ends = keys.room("relationships")
    with client_for(engine, keys.record) as client:
        counted = [("mention_count", b"1"), ("first_mentioned_ms", b"1"), ("last_mentioned_ms", b"1")]
        client.execute_command(
            "HSET", keys.room("entities")[0], "a", pack_fields([("entity_type", b'"New"'), *counted])
        )
        client.execute_command("HSET", relationships, "a\0New\0b", b"")
        client.execute_command("HDEL", relationships, "a\0RelatedTo\0b")
        client.execute_command("ZADD", ends, 0, ">a\0New\0b", 0, "<b\0New\0a")
        client.execute_command("ZREM", ends, ">a\0RelatedTo\0b", "<b\0RelatedTo\0a")

    found = await cache.entities.get("s", "a")
    assert found is not None
    assert found.entity_type is EntityType.CONCEPT
    (related,) = await cache.entities.find_related("s", "b")
    assert related.relationship.relation_type is RelationType.RELATED_TO


async def test_damage_is_an_error_not_absence(cache: AsyncSessionCache, engine: Engine) -> None:
    """An entity that cannot be read raises; a lost part is a torn session for reads and writes."""
    await cache.entities.save("s", entities=[mention("a")], relationships=[relation("a", "b")])
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.execute_command("HSET", keys.room("entities")[0], "a", b"junk")
        with pytest.raises(DecodeError):
            await cache.entities.get("s", "a")
        client.execute_command("ZREM", keys.room("relationships")[1], ">a\0RelatedTo\0b")
        with pytest.raises(SessionTorn, match="rows in their index"):
            await cache.entities.relationships("s")
        client.execute_command("UNLINK", keys.room("entities")[0])
        with pytest.raises(SessionTorn, match="0"):
            await cache.entities.save("s", entities=[mention("b")])


async def test_a_save_onto_damage_changes_nothing(cache: AsyncSessionCache, engine: Engine) -> None:
    """Where a known entity cannot be edited, the save fails before its first write."""
    saved = await cache.entities.save("s", entities=[mention("a"), mention("b")])
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.execute_command("HSET", keys.room("entities")[0], "b", b"junk")

    with pytest.raises(ScriptFailure):
        await cache.entities.save("s", entities=[mention("a"), mention("b"), mention("c")])
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.revision == saved.revision
    assert await cache.entities.count("s") == EntityCounts(2, 0)


def test_the_sync_twin_does_the_same(sync_cache: SessionCache) -> None:
    """The generated class saves, finds and clears as the async one does."""
    sync_cache.entities.save("s", entities=[mention("a")], relationships=[relation("a", "b"), relation("b", "c")])

    assert [entity.name for entity in sync_cache.entities.each("s")] == ["a"]
    assert sync_cache.entities.find_path("s", "a", "c") == ["a", "b", "c"]
    assert sync_cache.entities.clear("s") == EntityCounts(1, 2)
