"""Contract 000 over a cache, in both colours on every engine, and what the contract itself does not say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sessioncache import (
    AsyncSessionCache,
    BackendError,
    DecodeError,
    LimitExceeded,
    RetentionPolicy,
    SessionCache,
    SessionTorn,
)
from sessioncache.entities.models import EntityMention
from sessioncache.freshness.models import SourceReference, WholeFile
from sessioncache.stores import (
    ActiveSession,
    AsyncContextStorage,
    ContextStorage,
    ContextUpdate,
    DecisionItem,
    SessionCheckpoint,
    UpdateContent,
)
from sessioncache.testing import AsyncFaultyTransport, AsyncRecordingTransport
from sessioncache.testing.conformance import AsyncContextStorageConformance, ContextStorageConformance
from tests.engines import Engine, list_keys
from tests.engines.caches import lowest_transport, make_sync_cache
from tests.engines.raw import client_for


class TestAsync(AsyncContextStorageConformance):
    """The async store."""

    @pytest.fixture
    async def store(self, cache: AsyncSessionCache) -> AsyncContextStorage:
        return AsyncContextStorage(cache)

    @pytest.fixture
    async def other_store(self, other_cache: AsyncSessionCache) -> AsyncContextStorage:
        return AsyncContextStorage(other_cache)


class TestSync(ContextStorageConformance):
    """The sync store."""

    @pytest.fixture
    def store(self, sync_cache: SessionCache) -> ContextStorage:
        return ContextStorage(sync_cache)

    @pytest.fixture
    def other_store(self, engine: Engine, namespace: str) -> Iterator[ContextStorage]:
        with make_sync_cache(engine, namespace) as opened:
            yield ContextStorage(opened)


@pytest.fixture
def store(cache: AsyncSessionCache) -> AsyncContextStorage:
    """The async store."""
    return AsyncContextStorage(cache)


@pytest.fixture
def other_store(other_cache: AsyncSessionCache) -> AsyncContextStorage:
    """The store of another client."""
    return AsyncContextStorage(other_cache)


def update(title: str) -> ContextUpdate:
    """An update with a title."""
    return ContextUpdate(content=UpdateContent(title=title))


def titles(session: ActiveSession) -> list[str]:
    """The titles of a session's updates."""
    return [known.content.title for known in session.incremental_updates]


async def test_a_save_is_one_write(engine: Engine, namespace: str) -> None:
    """Name, parts, changed, new and removed updates of a known session go in one script."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as cache:
        store = AsyncContextStorage(cache)
        session = ActiveSession(name="one")
        session.incremental_updates = [update(str(number)) for number in range(700)]
        recording.clear()
        await store.save_session(session)
        assert recording.names() == ["sessions.get", "sessions.save"]
        session.name = "two"
        session.description = "text"
        session.remove_update(session.incremental_updates[0].id)
        session.incremental_updates[1].content.title = "changed"
        session.add_update(update("new"))
        recording.clear()
        await store.save_session_with_updates(session, session.id, [update("further")])
        assert recording.names() == ["sessions.save"]
        # The session's id, and the updates that were removed, changed and added.
        assert len([arg for arg in recording.calls[0].args if isinstance(arg, str) and len(arg) == 36]) == 5
        recording.clear()
        await store.save_session(session)
        (call,) = recording.calls
        assert [arg for arg in call.args if isinstance(arg, str) and len(arg) == 36] == [str(session.id)]
        assert "context.session" not in call.args


async def test_readers_see_all_of_a_save_or_nothing(
    store: AsyncContextStorage, other_store: AsyncContextStorage
) -> None:
    """While one client saves, each load of another has the name, the parts and the updates of one and the same save."""
    session = ActiveSession(name="0", description="0")
    await store.save_session(session)

    async def write() -> None:
        for number in range(1, 15):
            session.name = session.description = str(number)
            session.add_update(update(str(number)))
            await store.save_session_with_updates(session, session.id, [update(f"further {number}")])

    writing = asyncio.create_task(write())
    while not writing.done():
        loaded = await other_store.load_session(session.id)
        assert loaded.name == loaded.description
        assert len(loaded.incremental_updates) == 2 * int(loaded.name or 0)
    await writing


async def test_more_updates_than_one_save_takes(store: AsyncContextStorage) -> None:
    """Of 6,200 updates the oldest are sent first; all are there in their order, and all can be removed."""
    new = ActiveSession(name="many")
    new.incremental_updates = [update(str(number)) for number in range(6_200)]
    await store.save_session(new)
    loaded = await store.load_session(new.id)
    assert (loaded.name, titles(loaded)) == ("many", [str(number) for number in range(6_200)])
    loaded.incremental_updates.clear()
    loaded.hot_context.resize(0)
    loaded.name = "none"
    await store.save_session(loaded)
    again = await store.load_session(new.id)
    assert (again.name, titles(again)) == ("none", [])


async def test_concurrent_saves_lose_no_update(store: AsyncContextStorage, other_store: AsyncContextStorage) -> None:
    """Thirty objects of one session, saved side by side by two clients: every update is there once."""
    session = ActiveSession(name="shared")
    await store.save_session(session)
    copies = [await store.load_session(session.id) for _ in range(30)]
    for number, copy in enumerate(copies):
        copy.add_update(update(str(number)))
    await asyncio.gather(*((store, other_store)[at % 2].save_session(copy) for at, copy in enumerate(copies)))
    loaded = await store.load_session(session.id)
    assert sorted(titles(loaded), key=int) == [str(number) for number in range(30)]
    assert loaded.name == "shared"


async def test_a_hundred_concurrent_members(store: AsyncContextStorage, other_store: AsyncContextStorage) -> None:
    """100 concurrent adds to one workspace: 100 distinct members."""
    workspace = uuid4()
    await store.save_workspace_metadata(workspace, "Team", "", [])
    members = [uuid4() for _ in range(100)]
    both = (store, other_store)
    await asyncio.gather(
        *(both[at % 2].add_session_to_workspace(workspace, member) for at, member in enumerate(members))
    )
    (found,) = await store.list_workspaces()
    assert {member for member, _ in found.sessions} == set(members)


async def test_fifty_concurrent_workspaces(store: AsyncContextStorage) -> None:
    """50 concurrent tasks each make a workspace of 5 sessions: 50 workspaces of 5."""

    async def make() -> None:
        await store.save_workspace_metadata(uuid4(), "Team", "", [uuid4() for _ in range(5)])

    await asyncio.gather(*(make() for _ in range(50)))
    assert [len(found.sessions) for found in await store.list_workspaces()] == [5] * 50


async def test_a_save_reverts_nothing_of_other_views(store: AsyncContextStorage, cache: AsyncSessionCache) -> None:
    """A pin, status, metadata, messages and documents that others set since the session was loaded stay."""
    session = ActiveSession(name="mine")
    await store.save_session(session)
    name = str(session.id)
    await cache.sessions.update(name, pinned=True, status="busy", metadata={"a": 1})
    await cache.transcripts.append(name, {"role": "user"})
    await cache.documents.save(name, {"theirs": 1})
    session.description = "text"
    await store.save_session(session)
    await store.batch_save_updates(session.id, [update("one")])
    record = await cache.sessions.get(name)
    assert record is not None
    assert (record.title, record.pinned, record.status, record.metadata) == ("mine", True, "busy", {"a": 1})
    assert record.messages == 1
    assert (await cache.documents.get(name, "theirs")).values == {"theirs": 1}
    session.name = "renamed"
    await store.save_session(session)
    record = await cache.sessions.get(name)
    assert record is not None
    assert (record.title, record.pinned, record.title_version) == ("renamed", True, 1)


async def test_an_object_of_unknown_origin_overwrites(store: AsyncContextStorage) -> None:
    """A session built anew under a stored id sets name and parts; stored updates stay, and no name keeps the name."""
    first = ActiveSession(name="first", description="old")
    first.add_update(update("one"))
    first.current_state.key_decisions.append(DecisionItem(description="old"))
    await store.save_session(first)
    second = ActiveSession(id=first.id, name="second", incremental_updates=[update("two")])
    await store.save_session(second)
    loaded = await store.load_session(first.id)
    assert (loaded.name, loaded.description, titles(loaded)) == ("second", None, ["one", "two"])
    assert loaded.current_state.total_items() == 0
    await store.save_session(ActiveSession(id=first.id))
    assert (await store.load_session(first.id)).name == "second"


async def test_a_given_time_of_creation_is_kept(store: AsyncContextStorage) -> None:
    """A session that was made elsewhere keeps the time of its creation through saves and loads."""
    created = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    session = ActiveSession(created_at=created)
    await store.save_session(session)
    loaded = await store.load_session(session.id)
    loaded.description = "changed"
    await store.save_session(loaded)
    assert (await store.load_session(session.id)).created_at == session.created_at == created


async def test_sessions_of_other_contracts_are_loaded_and_only_uuids_listed(
    store: AsyncContextStorage, cache: AsyncSessionCache
) -> None:
    """A session of another view is one of this contract if its id is a UUID; others are not listed."""
    session_id = uuid4()
    await cache.transcripts.append(str(session_id), {"role": "user"})
    await cache.transcripts.append("chat", {"role": "user"})
    await cache.transcripts.append(str(uuid4()).upper(), {"role": "user"})
    assert await store.list_sessions() == [session_id]
    loaded = await store.load_session(session_id)
    assert (loaded.name, titles(loaded), len(loaded.hot_context)) == (None, [], 0)
    await cache.context.save(str(session_id), {"no uuid": {}})
    with pytest.raises(DecodeError, match="no uuid"):
        await store.load_session(session_id)


async def test_damage_is_no_absence(store: AsyncContextStorage, cache: AsyncSessionCache, engine: Engine) -> None:
    """A part or update that cannot be read, or lost updates, are errors to load and save; nothing is overwritten."""
    session = ActiveSession(name="whole")
    session.add_update(update("one"))
    session.current_state.key_decisions.append(DecisionItem(description="one"))
    await store.save_session(session)
    keys = cache.keys.session(str(session.id))
    with client_for(engine, keys.record) as raw:
        raw.hset(keys.room("documents")[0], "state", "[1]")
        with pytest.raises(DecodeError, match="current_state"):
            await store.load_session(session.id)
        raw.hset(keys.room("documents")[0], "state", "{")
        with pytest.raises(DecodeError):
            await store.load_session(session.id)
        raw.hdel(keys.room("documents")[0], "state")
        with pytest.raises(SessionTorn):
            await store.load_session(session.id)
        raw.hset(keys.room("documents")[0], "state", "{}")
        raw.hset(keys.room("updates")[0], str(session.incremental_updates[0].id), "7")
        with pytest.raises(DecodeError, match="ContextUpdate"):
            await store.load_session_updates(session.id)
        raw.delete(*keys.room("updates"))
        with pytest.raises(SessionTorn):
            await store.load_session(session.id)
        with pytest.raises(SessionTorn):
            await store.load_session_updates(session.id)
        session.add_update(update("two"))
        with pytest.raises(SessionTorn):
            await store.save_session(session)


async def test_a_delete_leaves_nothing(store: AsyncContextStorage, cache: AsyncSessionCache, engine: Engine) -> None:
    """After a delete no key of the session is left but the tombstone, and no row that names it."""
    session = ActiveSession(name="gone")
    session.add_update(update("one"))
    session.entity_graph.add_entity("A")
    await store.save_session(session)
    await store.save_checkpoint(SessionCheckpoint.of(session))
    await store.add_session_to_workspace(uuid4(), session.id)
    await store.register_source(
        session.id, SourceReference("e", "a.py", b"h", datetime(2026, 1, 1, tzinfo=UTC), WholeFile())
    )
    await cache.entities.save(str(session.id), entities=[EntityMention(name="B")])
    await store.delete_session(session.id)
    left = [key.name for key in list_keys(engine) if str(session.id) in key.name]
    assert [name.rpartition(":")[2] for name in left] == ["tombstone"]
    links = cache.keys.session(str(session.id)).shard.links
    with client_for(engine, links) as raw:
        assert raw.zcard(links) == 0
    assert await store.get_key_count() == 0


async def test_clearing_entities_clears_both_places(store: AsyncContextStorage, cache: AsyncSessionCache) -> None:
    """Entities saved with the session and those of cache.entities go; a stale save does not bring them back."""
    session = ActiveSession()
    session.entity_graph.add_entity("A")
    await store.save_session(session)
    await cache.entities.save(str(session.id), entities=[EntityMention(name="B")])
    await store.clear_session_entities(session.id)
    assert (await cache.entities.count(str(session.id))).entities == 0
    session.description = "stale"
    await store.save_session(session)
    assert (await store.load_session(session.id)).entity_graph.entities == {}


async def test_compact_frees_what_has_expired(store: AsyncContextStorage, cache: AsyncSessionCache) -> None:
    """Sessions past their deadline are removed with their entries, and the report says how many."""
    sessions = [ActiveSession(incremental_updates=[update("one")]) for _ in range(7)]
    for session in sessions:
        await store.save_session(session)
    keep = sessions[0]
    await cache.retention.update(str(keep.id), ttl_ms=0)
    record = await cache.sessions.get(str(sessions[1].id))
    assert record is not None
    assert record.deadline_at is not None
    cache.keys.now_override_ms = int(record.deadline_at.timestamp() * 1000) + 60_000
    try:
        assert await store.list_sessions() == [keep.id]
        report = await store.compact()
        assert report.sessions_removed == 6
        assert report.entries_removed >= 6
        assert report.remaining_keys == await store.get_key_count()
        assert (await store.compact()).sessions_removed == 0
        assert titles(await store.load_session(keep.id)) == ["one"]
    finally:
        cache.keys.now_override_ms = None


async def test_stats_count_workspaces_not_memberships(store: AsyncContextStorage, cache: AsyncSessionCache) -> None:
    """Stats have the contract's counts: a workspace of three sessions is one, and an unsaved one is none."""
    sessions = [ActiveSession(incremental_updates=[update("one")]) for _ in range(3)]
    for session in sessions:
        await store.save_session(session)
    await store.save_checkpoint(SessionCheckpoint.of(sessions[0]))
    await store.save_workspace_metadata(uuid4(), "Team", "", [session.id for session in sessions])
    await store.add_session_to_workspace(uuid4(), sessions[0].id)
    await cache.entities.save(str(sessions[0].id), entities=[EntityMention(name="B")])
    counted = {"sessions": 3, "updates": 3, "entities": 1, "embeddings": 0, "workspaces": 1, "checkpoints": 1}
    stats = json.loads(await store.get_stats())
    assert {name: stats[name] for name in counted} == counted
    assert stats["workspace_memberships"] == 4
    assert stats["workspaces"] == len(await store.list_workspaces())


async def test_a_failed_save_leaves_the_object_as_it_was(store: AsyncContextStorage, cache: AsyncSessionCache) -> None:
    """After a refused save the object still knows what it has to send, and sends it once it can."""
    session = ActiveSession(name="one")
    await store.save_session(session)
    await cache.retention.save(RetentionPolicy(quota_entries=1))
    session.name = "two"
    session.incremental_updates = [update("a"), update("b")]
    with pytest.raises(LimitExceeded):
        await store.save_session(session)
    assert (await store.load_session(session.id)).name == "one"
    await cache.retention.save(RetentionPolicy())
    await store.save_session(session)
    loaded = await store.load_session(session.id)
    assert (loaded.name, titles(loaded)) == ("two", ["a", "b"])


@pytest.mark.parametrize("fault", ["lose_reply", "refuse"])
async def test_a_save_of_unknown_outcome_is_made_sure(engine: Engine, namespace: str, fault: str) -> None:
    """After a save that nobody answered, made or not, the next one saves what has changed since, the name too."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=50, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        store = AsyncContextStorage(cache)
        session = ActiveSession(name="one")
        await store.save_session(session)
        session.name = "two"
        session.add_update(update("a"))
        getattr(faulty.faults, fault)("sessions.save", times=10_000)
        with pytest.raises(BackendError):
            await store.save_session(session)
        faulty.faults.clear()
        session.name = "three"
        session.add_update(update("b"))
        await store.save_session(session)
        loaded = await store.load_session(session.id)
        assert (session.name, loaded.name, titles(loaded)) == ("three", "three", ["a", "b"])
        record = await cache.sessions.get(str(session.id))
        assert record is not None
        assert record.title_version == 2
