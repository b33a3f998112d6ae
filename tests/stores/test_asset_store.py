"""Contract 003 over a cache, in both colours on every engine, and what the contract itself does not say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sessioncache import (
    AsyncSessionCache,
    BackendTimeout,
    BackendUnavailable,
    DataError,
    DecodeError,
    InvalidArgument,
    SchemaTooNew,
    Session,
    SessionCache,
    SessionGone,
)
from sessioncache.stores import (
    AssetStore,
    AsyncAssetStore,
    AsyncRuntimePersistence,
    AsyncTranscriptStore,
    ConversationTurn,
    RuntimeMessage,
    RuntimeSession,
    SessionAsset,
    SyncMode,
    SyncState,
    TranscriptMessage,
)
from sessioncache.testing import AsyncFaultyTransport, AsyncGatedTransport, AsyncRecordingTransport
from sessioncache.testing.conformance import AssetStoreConformance, AsyncAssetStoreConformance
from tests.engines.caches import lowest_transport, make_sync_cache
from tests.engines.engine import Engine


class TestAsync(AsyncAssetStoreConformance):
    """The async store."""

    @pytest.fixture
    async def store(self, cache: AsyncSessionCache) -> AsyncAssetStore:
        return AsyncAssetStore(cache)

    @pytest.fixture
    async def other_store(self, other_cache: AsyncSessionCache) -> AsyncAssetStore:
        return AsyncAssetStore(other_cache)


class TestSync(AssetStoreConformance):
    """The sync store."""

    @pytest.fixture
    def store(self, sync_cache: SessionCache) -> AssetStore:
        return AssetStore(sync_cache)

    @pytest.fixture
    def other_store(self, engine: Engine, namespace: str) -> Iterator[AssetStore]:
        with make_sync_cache(engine, namespace) as opened:
            yield AssetStore(opened)


def asset(session_id: str, *texts: str) -> SessionAsset:
    """An asset with these turns."""
    made = SessionAsset.for_project("/src", name="app")
    made.id = session_id
    made.history.turns = [ConversationTurn(role="user", content=text) for text in texts]
    return made


@pytest.mark.engines("valkey", "fakeredis")
async def test_a_save_is_one_write_of_what_is_new(engine: Engine, namespace: str) -> None:
    """Turns, documents, labels and time go in one script, and turns that are stored are not sent again."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as cache:
        made = asset("work", "the first turn")
        await AsyncAssetStore(cache).save(made)
        made.add_turn(ConversationTurn(role="user", content="the second turn"))
        recording.calls.clear()
        await AsyncAssetStore(cache).save(made)
        (call,) = recording.calls
        sent = b"".join(arg for arg in call.args if isinstance(arg, bytes))
        assert call.name == "sessions.save"
        assert (b"the first turn" in sent, b"the second turn" in sent) == (False, True)


@pytest.mark.engines("valkey", "fakeredis")
async def test_a_list_reads_no_asset(engine: Engine, namespace: str) -> None:
    """A list is one look at the shards."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as cache:
        await AsyncAssetStore(cache).save(asset("work", "hello"))
        recording.calls.clear()
        assert [meta.id for meta in await AsyncAssetStore(cache).list()] == ["work"]
        assert {call.name for call in recording.calls} == {"sessions.list"}


@pytest.mark.parametrize("part", ["asset", "asset.metadata"])
async def test_a_damaged_asset_is_an_error(cache: AsyncSessionCache, part: str) -> None:
    """A part that was changed, or taken away, behind the store's back is a DataError with both checksums."""
    store = AsyncAssetStore(cache)
    made = asset("work", "hello")
    made.metadata["amount"] = 1
    await store.save(made)
    stored = (await cache.documents.get("work")).values
    changed: dict[str, Any] = {"asset": stored["asset"] | {"updated_at_ms": 1}, "asset.metadata": None}
    await cache.documents.save("work", {part: changed[part]})
    with pytest.raises(DataError, match=r"expected checksum [0-9a-f]{32}, actual [0-9a-f]{32}"):
        await store.load("work")
    await store.save(made)
    assert await store.load("work") == made


async def test_a_newer_asset_is_refused(cache: AsyncSessionCache) -> None:
    """An asset of a later version is SchemaTooNew, before anything else of it is looked at."""
    await cache.documents.save("work", {"asset": {"version": 2, "other": "layout"}})
    with pytest.raises(SchemaTooNew, match="version 2"):
        await AsyncAssetStore(cache).load("work")


async def test_appends_of_others_break_no_checksum(cache: AsyncSessionCache) -> None:
    """After messages came and went through other contracts the asset can be read, with the messages as turns."""
    store = AsyncAssetStore(cache)
    await store.save(asset("work", "hello"))
    await cache.transcripts.append("work", {"role": "assistant", "content": "hi"})
    assert [turn.content for turn in (await store.load("work")).history.turns] == ["hello", "hi"]
    await AsyncTranscriptStore(cache).save("work", [TranscriptMessage(role="user", content="anew")])
    assert [turn.content for turn in (await store.load("work")).history.turns] == ["anew"]


async def test_the_contracts_see_one_session(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """What one contract saved the others list, load and extend, and nobody undoes what another one keeps there."""
    assets, transcripts = AsyncAssetStore(cache), AsyncTranscriptStore(other_cache)
    runtime = AsyncRuntimePersistence(cache)
    session = RuntimeSession(id="work", title="Rome", model="m", status="running", metadata={"a": "b"})
    session.messages = [RuntimeMessage(role="user", content="from 004")]
    await runtime.save_runtime_session(session)
    loaded = await assets.load("work")
    assert [turn.content for turn in loaded.history.turns] == ["from 004"]
    loaded.add_turn(ConversationTurn(role="assistant", content="from 003"))
    loaded.project_context.name = "app"
    await assets.save(loaded)
    read = await transcripts.load("work")
    assert read is not None
    assert [message.text() for message in read] == ["from 004", "from 003"]
    again = await runtime.load("work")
    assert again is not None
    assert (again.title, again.model, again.status, again.metadata) == ("Rome", "m", "running", {"a": "b"})
    await runtime.save_runtime_session(again)
    assert (await assets.load("work")).project_context.name == "app"
    assert [meta.id for meta in await assets.list()] == [record.id for record in await transcripts.list()] == ["work"]
    await transcripts.delete("work")
    assert (await assets.list(), await runtime.load("work")) == ([], None)


async def test_a_time_in_the_future_is_the_callers(cache: AsyncSessionCache) -> None:
    """updated_at_ms ahead of the server is kept in the asset, and counts as now in lists."""
    made = asset("work")
    made.updated_at_ms = int(datetime(2999, 1, 1, tzinfo=UTC).timestamp() * 1000)
    await AsyncAssetStore(cache).save(made)
    assert (await AsyncAssetStore(cache).load("work")).updated_at_ms == made.updated_at_ms
    (meta,) = await AsyncAssetStore(cache).list()
    assert meta.updated_at.year < 2999


@pytest.mark.engines("valkey", "fakeredis")
async def test_sync_status_follows_the_connection(engine: Engine, namespace: str) -> None:
    """Offline before the first call and where no server is, Error where it fails, Online as soon as it answers."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=1)
    faulty = AsyncFaultyTransport(lowest)
    cache = AsyncSessionCache(faulty, settings)
    store = AsyncAssetStore(cache)
    assert store.sync_status().mode is SyncMode.OFFLINE
    assert not await store.exists("work")
    online = store.sync_status()
    assert (online.mode, online.is_fully_synced) == (SyncMode.ONLINE, True)
    faulty.faults.refuse("sessions.exists", times=99)
    with pytest.raises(BackendUnavailable):
        await store.exists("work")
    assert (store.sync_status().mode, store.sync_status().last_sync) == (SyncMode.OFFLINE, online.last_sync)
    faulty.faults.clear()
    faulty.faults.lose_reply("sessions.exists", times=99)
    with pytest.raises(BackendTimeout):
        await store.exists("work")
    assert store.sync_status().mode is SyncMode.ERROR
    faulty.faults.clear()
    assert not await store.exists("work")
    assert store.sync_status().mode is SyncMode.ONLINE
    await cache.aclose()
    assert store.sync_status().mode is SyncMode.OFFLINE


@pytest.mark.engines("valkey", "fakeredis")
async def test_sync_status_counts_what_is_on_its_way(engine: Engine, namespace: str) -> None:
    """While a save is on its way the store is syncing, with one upload pending."""
    lowest, settings = lowest_transport(engine, namespace)
    gated = AsyncGatedTransport(lowest)
    async with AsyncSessionCache(gated, settings) as cache:
        store = AsyncAssetStore(cache)
        gate = gated.gate("sessions.save")
        saving = asyncio.create_task(store.save(asset("work")))
        await gate.reached()
        status = store.sync_status()
        assert (status.mode, status.pending_uploads, status.pending_downloads) == (SyncMode.SYNCING, 1, 0)
        gate.open()
        await saving
        assert store.sync_status().is_fully_synced


async def test_a_conflict_is_named(cache: AsyncSessionCache) -> None:
    """A session whose save met its deletion is in conflict until it is loaded or saved again."""
    store = AsyncAssetStore(cache)
    made = asset("work", "hello")
    await store.save(made)
    await cache.sessions.delete("work")
    await cache.transcripts.append("work", {"role": "user", "content": "another session"})
    with pytest.raises(Exception, match="deleted"):
        await store.save(made)
    assert store.sync_status().conflicts == ("work",)
    assert [meta.sync_state for meta in await store.list()] == [SyncState.CONFLICT]
    await store.load("work")
    assert store.sync_status().is_fully_synced
    assert [meta.sync_state for meta in await store.list()] == [SyncState.SYNCED]


async def test_an_asset_of_ours_is_not_written_as_a_later_version(cache: AsyncSessionCache) -> None:
    """An asset with another version than this release writes is refused, and nothing is saved."""
    made = asset("work")
    made.version = 2
    with pytest.raises(ValueError, match="version 2"):
        await AsyncAssetStore(cache).save(made)
    assert not await cache.sessions.exists("work")


async def test_a_time_of_creation_that_is_none_is_an_error(cache: AsyncSessionCache) -> None:
    """Such a time is refused by a save; a damaged one of a stored asset is named by the list."""
    store = AsyncAssetStore(cache)
    made = asset("work")
    made.created_at_ms = 10**18
    with pytest.raises(InvalidArgument, match="created_at_ms"):
        await store.save(made)
    await cache.sessions.save(Session(id="work", labels={"asset_created_ms": "yesterday"}))
    with pytest.raises(DecodeError, match="asset_created_ms"):
        await store.list()


@pytest.mark.engines("valkey", "fakeredis")
async def test_conflicts_do_not_fill_the_memory(cache: AsyncSessionCache) -> None:
    """A store that lives long names the newest thousand of the sessions in conflict."""
    store = AsyncAssetStore(cache)
    made = asset("work")
    await store.save(made)
    await cache.sessions.delete("work")
    for number in range(1_003):
        other = made.model_copy(deep=True)
        other.id = f"work-{number}"
        with pytest.raises(SessionGone):
            await store.save(other)
    assert store.sync_status().conflicts == tuple(f"work-{number}" for number in range(3, 1_003))
