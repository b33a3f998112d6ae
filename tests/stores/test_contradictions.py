"""Where five session stores contradict each other, C1 to C22: what is decided, one test each.

The decisions are in docs/adr/0001-where-session-stores-contradict-each-other.md.
"""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from sessioncache import (
    UNSET,
    AsyncSessionCache,
    BackendUnavailable,
    DataError,
    InvalidArgument,
    NotFound,
    RetentionPolicy,
)
from sessioncache.freshness import FreshnessStatus, SourceReference, SymbolId
from sessioncache.stores import (
    AsyncAssetStore,
    AsyncContextStorage,
    AsyncQAStore,
    AsyncRuntimePersistence,
    AsyncTranscriptStore,
    ConversationTurn,
    ListOptions,
    RuntimeSession,
    SessionAsset,
    SessionCheckpoint,
    SessionQAUpdate,
    UpdateContent,
)
from sessioncache.testing import AsyncFaultyTransport
from sessioncache.wire.keys import CATALOGUE, escape
from sessioncache.workspaces import SessionRole
from tests.engines import Engine, list_keys
from tests.engines.caches import lowest_transport, make_async_cache
from tests.engines.raw import client_for
from tests.sealing.sealing import seal
from tests.stores.five import Stores, fill, message, update


@pytest.fixture
def stores(cache: AsyncSessionCache) -> Stores:
    """The five stores on the engine."""
    return Stores(cache)


async def test_c1_loading_an_unknown_id(stores: Stores) -> None:
    """The core answers None; 000 and 003 raise NotFound, 001 and 004 answer None, 002 an empty list."""
    unknown = str(uuid4())
    assert await stores.cache.sessions.get(unknown) is None
    with pytest.raises(NotFound):
        await stores.context.load_session(unknown)
    assert await stores.transcript.load(unknown) is None
    assert await stores.qa.get_all_qa_entries(unknown, None) == []
    with pytest.raises(NotFound):
        await stores.asset.load(unknown)
    assert await stores.runtime.load(unknown) is None
    assert await stores.cache.sessions.count() == 0


async def test_c2_deleting_an_unknown_id(stores: Stores) -> None:
    """The core and 002 answer False; 000 and 001 succeed; 003 raises NotFound."""
    unknown = str(uuid4())
    assert await stores.cache.sessions.delete(unknown) is False
    await stores.context.delete_session(unknown)
    await stores.transcript.delete(unknown)
    assert await stores.qa.delete_session(unknown, None) is False
    with pytest.raises(NotFound):
        await stores.asset.delete(unknown)
    assert await stores.runtime.delete(unknown) is False


async def test_c3_order_of_lists(stores: Stores) -> None:
    """The core lists newest or oldest first as asked; 001 oldest first, 003 newest first, 000 by id."""
    ids = [str(uuid4()) for _ in range(4)]
    for session_id in ids:
        await stores.transcript.save(session_id, [{"role": "user", "content": "hi"}])
        stores.cache.keys.now_override_ms = (stores.cache.keys.now_override_ms or 1_800_000_000_000) + 5
    stores.cache.keys.now_override_ms = None
    newest = [session.id for session in await stores.cache.sessions.list(order="newest")]
    assert [session.id for session in await stores.cache.sessions.list(order="oldest")] == newest[::-1]
    assert [record.id for record in await stores.transcript.list()] == newest[::-1]
    assert [meta.id for meta in await stores.asset.list()] == newest
    assert [str(one) for one in await stores.context.list_sessions()] == sorted(ids)


async def test_c4_equal_times(stores: Stores) -> None:
    """The id breaks the tie, and pages neither skip nor repeat."""
    ids = [f"s{number:02}" for number in range(20)]
    stores.cache.keys.now_override_ms = 1_800_000_000_000
    for session_id in reversed(ids):
        await stores.transcript.save(session_id, [])
    pages = [await stores.transcript.list_paginated(ListOptions(offset=at, limit=3)) for at in range(0, 21, 3)]
    assert [record.id for page in pages for record in page] == ids
    found, cursor = [], None
    while True:
        page = await stores.cache.sessions.list(order="newest", limit=3, cursor=cursor)
        found += [session.id for session in page]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ids[::-1]
    stores.cache.keys.now_override_ms = None


async def test_c5_who_stamps_updated_at(stores: Stores) -> None:
    """The server's clock, whatever the caller's object says; 003 keeps its caller's stamp."""
    long_ago = datetime.now(UTC) - timedelta(days=300)
    await stores.runtime.save_runtime_session(RuntimeSession(id="r", updated_at=long_ago))
    asset = SessionAsset(id=str(uuid4()))
    asset.updated_at_ms = int(long_ago.timestamp() * 1000)
    await stores.asset.save(asset)
    times = {session.id: session.updated_at for session in await stores.cache.sessions.list()}
    assert times["r"] > long_ago + timedelta(days=299)
    assert int(times[asset.id].timestamp() * 1000) == asset.updated_at_ms
    assert (await stores.asset.load(asset.id)).updated_at_ms == asset.updated_at_ms


async def test_c6_what_delete_removes(stores: Stores, engine: Engine) -> None:
    """Everything of the session, in every room and index; what may stay is bounded, and named in the catalogue."""
    session_id = str(uuid4())
    await fill(stores, session_id)
    await stores.cache.transcripts.append(session_id, [{"role": "user", "content": "a"}] * 2)
    assert await seal(stores.cache, session_id, keep=1, chunk=1)
    keys = stores.cache.keys.session(session_id)
    mine = {key.name for key in list_keys(engine) if keys.escaped in key.name}
    session_kinds = {kind.name for kind in CATALOGUE if kind.expiry == "session"}
    made = {kind.name for kind in CATALOGUE for key in mine if kind.matches(key)}
    assert session_kinds - made == set(), "the test fills every room"
    await stores.context.delete_session(session_id)

    left = {key.name for key in list_keys(engine) if keys.escaped in key.name}
    assert left == {keys.tombstone}
    with client_for(engine, keys.record) as raw:
        for index in (keys.shard.by_updated, keys.shard.by_user, keys.shard.deadlines, keys.shard.links):
            rows: Any = raw.zrange(index, 0, -1)
            assert [row for row in rows if keys.escaped.encode() in row] == []
        totals: Any = raw.hgetall(keys.shard.totals)
    assert {name for name, value in totals.items() if value != b"0"} <= {b"feed_seq", b"settled"}


async def test_c7_concurrent_saves(stores: Stores) -> None:
    """Authoritative metadata merges by version; messages are a log, and a save reverts nothing that others appended."""
    await stores.runtime.save_runtime_session(RuntimeSession(id="s", messages=[message("one")]))
    stale = await stores.runtime.load("s")
    assert stale is not None
    await stores.runtime.set_title("s", "A person's title")
    await stores.cache.transcripts.append("s", message("by another").model_dump(exclude_none=True, mode="json"))
    stale.title = "an agent's guess"
    stale.messages.append(message("two"))
    await stores.runtime.save_runtime_session(stale)

    assert stale.title == "A person's title"
    loaded = await stores.runtime.load("s")
    assert loaded is not None
    assert [one.content for one in loaded.messages] == ["one", "by another", "two"]
    assert loaded.title == "A person's title"


@pytest.mark.parametrize("bad", ["", "a\nb", "x" * 513, "\ud800"])
async def test_c8_bad_ids(stores: Stores, bad: str) -> None:
    """Empty, too long, with control characters or no UTF-8: refused everywhere; 000 takes UUIDs only."""
    for call in (
        stores.context.load_session(bad),
        stores.transcript.load(bad),
        stores.qa.get_all_qa_entries(bad, None),
        stores.asset.load(bad),
        stores.runtime.load(bad),
        stores.context.load_session("no-uuid"),
    ):
        with pytest.raises(InvalidArgument):
            await call


async def test_c8_odd_ids(stores: Stores) -> None:
    """Ids with signs that mean something to Redis neither collide nor match one another."""
    ids = ["a:b", "a", "{a}", "a*", "a?", "[a]", "a%3Ab", "ä", "a b", "..", "a/b", "\u2028", "a{b}c:transcript"]
    for number, session_id in enumerate(ids):
        await stores.transcript.save(session_id, [{"role": "user", "content": str(number)}])
    for number, session_id in enumerate(ids):
        loaded = await stores.transcript.load(session_id)
        assert loaded is not None
        assert [one.content for one in loaded] == [str(number)]
    await stores.transcript.delete("a*")
    assert {record.id for record in await stores.transcript.list()} == set(ids) - {"a*"}
    assert len({escape(session_id) for session_id in ids}) == len(ids)


async def test_c9_user_none(stores: Stores) -> None:
    """None is the user `default`, never all users."""
    await stores.qa.create_qa_entry("s", None, "q1", "a")
    await stores.qa.create_qa_entry("s", "default", "q2", "a")
    await stores.qa.create_qa_entry("s", "ann", "q3", "a")
    assert [entry.question for entry in await stores.qa.get_all_qa_entries("s", None)] == ["q1", "q2"]
    assert [entry.question for entry in await stores.qa.get_all_qa_entries("s", "ann")] == ["q3"]
    assert await stores.qa.delete_session("s", None)
    assert [entry.question for entry in await stores.qa.get_all_qa_entries("s", "ann")] == ["q3"]
    assert len(await stores.cache.sessions.list(user=None)) == 0


async def test_c10_leave_clear_set(stores: Stores, engine: Engine) -> None:
    """UNSET leaves, None clears, a value sets; fields that this release does not know survive."""
    entry_id = await stores.qa.create_qa_entry("s", None, "q", "a", "c")
    cache = stores.cache
    await cache.qa.update("s", entry_id, feedback_text="good", feedback_score=4)
    items, _order = cache.keys.session("s").room("qa")
    with client_for(engine, items) as raw:
        stored: Any = raw.hget(items, entry_id)
        raw.hset(items, entry_id, stored + b"7:unknown9:[1, true]")
    assert await stores.qa.update_qa_entry(
        "s", None, entry_id, SessionQAUpdate(context=None, feedback_score=5, feedback_text=UNSET)
    )
    (entry,) = await stores.qa.get_all_qa_entries("s", None)
    assert (entry.context, entry.feedback_score, entry.feedback_text) == (None, 5, "good")
    assert entry.model_extra == {"unknown": [1, True]}


async def test_c11_the_last_none(stores: Stores) -> None:
    """The last 0 are the empty list; a negative number is an error."""
    await stores.qa.create_qa_entry("s", None, "q", "a")
    assert await stores.qa.get_latest_qa_entries("s", None, 0) == []
    with pytest.raises(InvalidArgument):
        await stores.qa.get_latest_qa_entries("s", None, -1)
    await stores.transcript.save("t", [{"role": "user", "content": "hi"}])
    assert (await stores.cache.transcripts.list("t", last=0)).messages == []


async def test_c12_one_deadline(stores: Stores, engine: Engine) -> None:
    """Seven days from the last write for all keys together, moved by writes and not by reads; 0 is never."""
    start = 1_800_000_000_000
    stores.cache.keys.now_override_ms = start
    session_id = str(uuid4())
    await fill(stores, session_id)
    session = await stores.cache.sessions.get(session_id)
    assert session is not None
    assert session.deadline_at == datetime.fromtimestamp(start / 1000, UTC) + timedelta(days=7)
    stores.cache.keys.now_override_ms = start + 86_400_000
    await stores.qa.get_all_qa_entries(session_id, None)
    await stores.context.load_session(session_id)
    assert (await stores.cache.sessions.get(session_id)) == session
    await stores.qa.create_qa_entry(session_id, None, "q", "a")
    moved = await stores.cache.sessions.get(session_id)
    assert moved is not None
    assert moved.deadline_at == session.deadline_at + timedelta(days=1)
    mine = [key for key in list_keys(engine) if f":s:{session_id}" in key.name and not key.name.endswith(":lease")]
    assert len({key.expires_at_ms for key in mine}) == 1
    stores.cache.keys.now_override_ms = start + 9 * 86_400_000
    assert await stores.transcript.load(session_id) is None
    assert await stores.qa.get_all_qa_entries(session_id, None) == []
    assert await stores.context.list_sessions() == []
    stores.cache.keys.now_override_ms = None
    await stores.cache.retention.save(RetentionPolicy(ttl_ms=0))
    await stores.transcript.save("for ever", [])
    forever = await stores.cache.sessions.get("for ever")
    assert forever is not None
    assert forever.deadline_at is None


@pytest.mark.foreign_keys
async def test_c13_prune(stores: Stores, engine: Engine, namespace: str) -> None:
    """Only this namespace's sessions go; foreign keys and other namespaces stay, and the store goes on working."""
    async with make_async_cache(engine, f"{namespace}b") as other:
        await other.transcripts.append("theirs", {"role": "user"})
        for number in range(30):
            await stores.qa.create_qa_entry(f"s{number}", f"u{number}", "q", "a")
        config = stores.cache.keys.config
        with client_for(engine, config) as raw:
            raw.set(f"{config}-of-somebody-else", "x")
            await stores.qa.prune()
            assert raw.get(f"{config}-of-somebody-else") == b"x"
            raw.delete(f"{config}-of-somebody-else")
        assert await other.sessions.count() == 1
    assert await stores.cache.sessions.count() == 0
    await stores.qa.create_qa_entry("again", None, "q", "a")
    assert len(await stores.qa.get_all_qa_entries("again", None)) == 1


async def test_c14_two_meanings_of_compact(stores: Stores) -> None:
    """`compact` loses nothing; replacing turns by a summary is `summarise`, and happens only when asked for."""
    asset = SessionAsset(id=str(uuid4()))
    asset.history.max_turns = 2
    for number in range(5):
        turn = ConversationTurn(id=str(number), timestamp_ms=number, role="user", content=f"turn {number}")
        asset.add_turn(turn)
    await stores.asset.save(asset)
    await stores.context.compact()
    assert len((await stores.asset.load(asset.id)).history.turns) == 5
    loaded = await stores.asset.load(asset.id)
    loaded.history.summarise(lambda turns: f"{len(turns)} turns")
    await stores.asset.save(loaded)
    again = await stores.asset.load(asset.id)
    assert [turn.content for turn in again.history.turns] == ["turn 3", "turn 4"]
    assert [one.summary for one in again.history.compacted] == ["3 turns"]


async def test_c15_checkpoints(stores: Stores) -> None:
    """Explicit snapshots; they go with their session, and the retention may keep the newest alone."""
    session_id = str(uuid4())
    await stores.cache.retention.save(RetentionPolicy(keep_checkpoints=2))
    ids = [uuid4() for _ in range(3)]
    for checkpoint_id in ids:
        await stores.context.save_checkpoint(SessionCheckpoint(id=checkpoint_id, session_id=UUID(session_id)))
    assert {one.id for one in await stores.context.list_checkpoints()} == set(ids[1:])
    with pytest.raises(NotFound):
        await stores.context.load_checkpoint(ids[0])
    await stores.context.delete_session(session_id)
    assert await stores.context.list_checkpoints() == []


async def test_c16_order_of_updates(stores: Stores) -> None:
    """Insertion order; saving an update id again replaces it in its place."""
    session_id = str(uuid4())
    updates = [update(f"u{number}") for number in range(5)]
    await stores.context.batch_save_updates(session_id, updates)
    changed = updates[1].model_copy(update={"content": UpdateContent(title="changed")})
    await stores.context.batch_save_updates(session_id, [update("u5"), changed])
    titles = [one.content.title for one in await stores.context.load_session_updates(session_id)]
    assert titles == ["u0", "changed", "u2", "u3", "u4", "u5"]


async def test_c17_invalidating_a_source(stores: Stores) -> None:
    """It is stale until it is registered again; depth None is unlimited, 0 is direct only."""
    session_id = str(uuid4())
    reference = SourceReference("e", "a.py", b"1", datetime.now(UTC))
    await stores.context.register_source(session_id, reference)
    assert await stores.context.invalidate_source("a.py") == 1
    assert (await stores.context.check_freshness("e", b"1")).status == FreshnessStatus.STALE
    await stores.context.register_source(session_id, reference)
    assert (await stores.context.check_freshness("e", b"1")).status == FreshnessStatus.FRESH
    one, two, three = (SymbolId(f"{name}.py", name, "function") for name in "abc")
    await stores.context.register_symbol_dependencies(two, [one])
    await stores.context.register_symbol_dependencies(three, [two])
    found = {
        depth: len((await stores.context.cascade_invalidate(one, None, depth)).invalidated_symbols)
        for depth in (0, 1, 2, None)
    }
    assert found[0] < found[1] < found[2] == found[None]


async def test_c18_an_error_is_never_absence(stores: Stores, engine: Engine, namespace: str) -> None:
    """A failed read and damaged data raise in all five, and a save does not overwrite what it could not read."""
    session_id = str(uuid4())
    await fill(stores, session_id)
    keys = stores.cache.keys.session(session_id)
    with client_for(engine, keys.record) as raw:
        raw.hset(keys.record, "revision", "broken")
        for call in (
            stores.context.load_session(session_id),
            stores.transcript.load(session_id),
            stores.qa.get_all_qa_entries(session_id, None),
            stores.asset.load(session_id),
            stores.runtime.load(session_id),
            stores.runtime.save_runtime_session(RuntimeSession(id=session_id)),
        ):
            with pytest.raises(DataError):
                await call
    await stores.cache.sessions.delete(session_id)
    lowest, settings = lowest_transport(engine, f"{namespace}x", call_timeout_ms=50, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        await cache.transcripts.append("s", {"role": "user", "content": "hi"})
        for name in ("sessions.get", "transcripts.head", "transcripts.read", "qa.list", "documents.get"):
            faulty.faults.refuse(name, times=10_000)
        for load in (AsyncTranscriptStore(cache).load, AsyncRuntimePersistence(cache).load):
            with pytest.raises(BackendUnavailable):
                await load("s")
        with pytest.raises(BackendUnavailable):
            await AsyncQAStore(cache).get_all_qa_entries("s", None)
        faulty.faults.clear()


async def test_c19_the_callers_copy_after_a_failed_save(engine: Engine, namespace: str) -> None:
    """It is unchanged; it moves only with an acknowledged write."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=50, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    async with AsyncSessionCache(faulty, settings) as cache:
        runtime = AsyncRuntimePersistence(cache)
        await runtime.save_runtime_session(RuntimeSession(id="s"))
        await runtime.set_title("s", "by a person")
        session = RuntimeSession(id="s", title="mine", messages=[message("one")])
        before = session.model_dump()
        faulty.faults.refuse("sessions.save", times=10_000)
        with pytest.raises(BackendUnavailable):
            await runtime.save_runtime_session(session)
        assert session.model_dump() == before
        faulty.faults.clear()
        await runtime.save_runtime_session(session)
        assert session.title == "by a person"


async def test_c20_saving_a_workspace(stores: Stores) -> None:
    """It adds the missing members as Primary, keeps roles, removes none, and keeps the time of its creation."""
    workspace, one, two, three = (str(uuid4()) for _ in range(4))
    await stores.context.save_workspace_metadata(workspace, "w", "first", [one])
    (created,) = await stores.context.list_workspaces()
    await stores.context.add_session_to_workspace(workspace, two, SessionRole.DEPENDENCY)
    await stores.context.save_workspace_metadata(workspace, "renamed", "second", [two, three])
    (saved,) = await stores.context.list_workspaces()
    assert {str(member): role for member, role in saved.sessions} == {
        one: SessionRole.PRIMARY,
        two: SessionRole.DEPENDENCY,
        three: SessionRole.PRIMARY,
    }
    assert (saved.name, saved.description, saved.created_at) == ("renamed", "second", created.created_at)


def test_c21_argument_order() -> None:
    """Each contract keeps its own order: questions by session, then user; traces by user, then session."""

    def order(method: Any) -> list[str]:  # noqa: ANN401 - any method
        return [name for name in inspect.signature(method).parameters if name in ("user_id", "session_id")]

    for method in ("create_qa_entry", "get_all_qa_entries", "delete_session", "set_graph_context"):
        assert order(getattr(AsyncQAStore, method)) == ["session_id", "user_id"]
    for method in ("save_trace_step", "read_trace_steps"):
        assert order(getattr(AsyncQAStore, method)) == ["user_id", "session_id"]
    assert order(AsyncContextStorage.batch_save_updates) == ["session_id"]


async def test_c22_sync_status(engine: Engine, namespace: str) -> None:
    """It is synchronous and infallible: it tells what the client already knows of its connection."""
    lowest, settings = lowest_transport(engine, namespace, call_timeout_ms=50, retry_wait_max_ms=5)
    faulty = AsyncFaultyTransport(lowest)
    cache = AsyncSessionCache(faulty, settings)
    store = AsyncAssetStore(cache)
    assert not inspect.iscoroutinefunction(store.sync_status)
    assert store.sync_status().mode.name.lower() == "offline"
    await store.save(SessionAsset(id=str(uuid4())))
    assert store.sync_status().mode.name.lower() == "online"
    assert store.sync_status().is_fully_synced
    faulty.faults.refuse("sessions.list", times=10_000)
    with pytest.raises(BackendUnavailable):
        await store.list()
    assert store.sync_status().mode.name.lower() == "offline"
    assert not store.sync_status().is_fully_synced
    faulty.faults.clear()
    await asyncio.gather(store.list(), store.list())
    assert store.sync_status().mode.name.lower() == "online"
    await cache.aclose()
