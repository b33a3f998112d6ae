"""Sessions of all five contracts live alike: one deadline, one end, and nothing of another session touched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from sessioncache import AsyncSessionCache, NotFound, RetentionPolicy
from sessioncache.freshness import FreshnessStatus
from tests.engines import Engine, list_keys
from tests.engines.caches import make_async_cache
from tests.stores.contracts import CONTRACTS
from tests.stores.five import Stores, fill

START = 1_800_000_000_000
DAY = 86_400_000


@pytest.fixture
def stores(cache: AsyncSessionCache) -> Iterator[Stores]:
    """The five stores on the engine, at a time that the test sets."""
    cache.keys.now_override_ms = START
    yield Stores(cache)
    cache.keys.now_override_ms = None


async def written(stores: Stores, contract: str) -> str:
    """The id of a session with all that a contract can hold, but no pin, for a pinned one does not expire."""
    session_id = str(uuid4())
    await CONTRACTS[contract][0](stores, session_id)
    await stores.runtime.set_pinned(session_id, False)  # noqa: FBT003 - as the contract says
    return session_id


async def deadline_ms(stores: Stores, session_id: str) -> int | None:
    """When the session ends, after the start."""
    session = await stores.cache.sessions.get(session_id)
    assert session is not None
    return None if session.deadline_at is None else round(session.deadline_at.timestamp() * 1000) - START


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_writes_slide_and_reads_do_not(stores: Stores, engine: Engine, contract: str) -> None:
    """A session ends seven days after its last write, whatever is read of it, and its keys expire together."""
    _, look, change = CONTRACTS[contract]
    session_id = await written(stores, contract)
    assert await deadline_ms(stores, session_id) == 7 * DAY
    stores.cache.keys.now_override_ms = START + DAY
    await look(stores, session_id)
    assert await deadline_ms(stores, session_id) == 7 * DAY
    await change(stores, session_id)
    assert await deadline_ms(stores, session_id) == 8 * DAY
    session = await stores.cache.sessions.get(session_id)
    assert session is not None
    assert session.updated_at is not None
    if contract != "asset":
        assert session.updated_at.timestamp() * 1000 == START + DAY
    mine = [key for key in list_keys(engine) if session_id in key.name]
    assert len(mine) > 1
    assert len({key.expires_at_ms for key in mine}) == 1


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_the_time_of_creation_stays(stores: Stores, contract: str) -> None:
    """A day later a change moves the time of the last update in every view, and the time of creation in none."""
    session_id = await written(stores, contract)
    session = await stores.context.load_session(session_id)
    created = [session.created_at, (await stores.asset.load(session_id)).created_at_ms]
    stores.cache.keys.now_override_ms = START + DAY
    await CONTRACTS[contract][2](stores, session_id)
    session = await stores.context.load_session(session_id)
    assert [session.created_at, (await stores.asset.load(session_id)).created_at_ms] == created
    run = await stores.runtime.load(session_id)
    (record,) = await stores.transcript.list()
    assert run is not None
    assert run.created_at is not None
    assert {run.created_at.timestamp() * 1000, record.created_at.timestamp() * 1000} == {START}
    if contract != "asset":
        updated = [session.last_updated, run.updated_at, record.updated_at]
        assert {time.timestamp() * 1000 for time in updated if time is not None} == {START + DAY}


async def test_a_workspace_keeps_its_time_of_creation(stores: Stores) -> None:
    """Saved again a day later, with new words and members, a workspace was made when it was made."""
    workspace = uuid4()
    await stores.context.save_workspace_metadata(workspace, "Team", "", [])
    stores.cache.keys.now_override_ms = START + DAY
    await stores.context.save_workspace_metadata(workspace, "Renamed", "now", [uuid4()])
    (found,) = await stores.context.list_workspaces()
    assert (found.name, found.created_at) == ("Renamed", START // 1000)


async def test_each_write_of_questions_slides(stores: Stores) -> None:
    """So does each single write of contract 002: graph context, feedback and its deletion among them."""
    qa, user = stores.qa, "ada"
    first = await qa.create_qa_entry("s", user, "q", "a")
    name = (await stores.cache.sessions.list()).items[0].id
    steps: dict[str, Any] = {"origin_function": "f", "status": "success"}
    writes: list[Callable[[], Awaitable[object]]] = [
        lambda: qa.set_graph_context("s", user, "graph"),
        lambda: qa.add_feedback("s", user, first, feedback_text="good", feedback_score=4),
        lambda: qa.delete_feedback("s", user, first),
        lambda: qa.save_trace_step(user, "s", steps),
        lambda: qa.create_qa_entry("s", user, "q", "a"),
    ]
    for day, write in enumerate(writes, start=1):
        stores.cache.keys.now_override_ms = START + day * DAY
        await write()
        assert await deadline_ms(stores, name) == (7 + day) * DAY


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_past_its_deadline_a_session_is_absent(stores: Stores, contract: str) -> None:
    """Past its deadline it is in no list, no count and no lookup, and a write begins a session without the old one."""
    session_id = await written(stores, contract)
    await fill(stores, session_id)
    stores.cache.keys.now_override_ms = START + 8 * DAY
    assert await stores.transcript.load(session_id) is None
    assert await stores.runtime.load(session_id) is None
    assert not await stores.asset.exists(session_id)
    for load in (stores.asset.load, stores.context.load_session):
        with pytest.raises(NotFound):
            await load(session_id)
    assert await stores.context.load_session_updates(session_id) == []
    assert await stores.qa.get_all_qa_entries(session_id, None) == []
    assert await stores.qa.read_trace_steps(None, session_id) == []
    assert await stores.qa.get_graph_context(session_id, None) is None
    assert [*await stores.transcript.list(), *await stores.asset.list(), *await stores.context.list_sessions()] == []
    assert await stores.context.list_checkpoints() == []
    assert [workspace.sessions for workspace in await stores.context.list_workspaces()] in ([()], [(), ()])
    assert (await stores.context.check_freshness("e", b"1")).status is FreshnessStatus.UNKNOWN
    assert await stores.cache.sessions.count() == 0
    await stores.qa.create_qa_entry(session_id, None, "anew", "a")
    assert [entry.question for entry in await stores.qa.get_all_qa_entries(session_id, None)] == ["anew"]
    assert await stores.transcript.load(session_id) == []
    assert await stores.context.load_session_updates(session_id) == []


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_a_session_without_a_deadline_gets_one(stores: Stores, engine: Engine, contract: str) -> None:
    """With a TTL of 0 nothing expires; once the policy has one again, the next write gives the session a deadline."""
    await stores.cache.retention.save(RetentionPolicy(ttl_ms=0))
    session_id = await written(stores, contract)
    assert await deadline_ms(stores, session_id) is None
    assert {key.expires_at_ms for key in list_keys(engine) if session_id in key.name} == {-1}
    await stores.cache.retention.save(RetentionPolicy(ttl_ms=DAY))
    await CONTRACTS[contract][2](stores, session_id)
    assert await deadline_ms(stores, session_id) == DAY
    assert -1 not in {key.expires_at_ms for key in list_keys(engine) if session_id in key.name}


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_a_delete_touches_only_its_session(stores: Stores, contract: str) -> None:
    """Of two sessions with all that a contract can hold, the one that is not deleted is as it was."""
    write, look, _ = CONTRACTS[contract]
    gone, kept = str(uuid4()), str(uuid4())
    await fill(stores, gone)
    await write(stores, gone)
    stores.cache.keys.now_override_ms = START + 1
    await write(stores, kept)
    before = await look(stores, kept)
    await stores.cache.sessions.delete(gone)
    assert await look(stores, kept) == before


@pytest.mark.parametrize("contract", CONTRACTS)
async def test_a_client_that_opens_later_sees_all(engine: Engine, namespace: str, contract: str) -> None:
    """What a client has stored is there for one that opens after it was closed; closing twice is no error."""
    write, look, _ = CONTRACTS[contract]
    session_id = str(uuid4())
    async with make_async_cache(engine, namespace) as first:
        await write(Stores(first), session_id)
        before = await look(Stores(first), session_id)
        await first.aclose()
        await first.aclose()
    async with make_async_cache(engine, namespace) as second:
        assert await look(Stores(second), session_id) == before
