"""Five views of one record: what one contract saves the others list, and nobody shows a part as the whole."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from sessioncache import (
    AsyncSessionCache,
    Session,
    SessionTorn,
)
from sessioncache.stores import (
    ActiveSession,
    RuntimeSession,
    SessionAsset,
)
from tests.engines import Engine
from tests.engines.raw import client_for
from tests.stores.five import Stores, fill


@pytest.fixture
def stores(cache: AsyncSessionCache) -> Stores:
    """The five stores on the engine."""
    return Stores(cache)


async def test_a_torn_session_is_named_by_all(stores: Stores, engine: Engine) -> None:
    """A session that lost a part raises in every view that would show the part."""
    session_id = str(uuid4())
    await fill(stores, session_id)
    keys = stores.cache.keys.session(session_id)
    with client_for(engine, keys.record) as raw:
        raw.delete(keys.transcript)
    for call in (stores.transcript.load(session_id), stores.runtime.load(session_id), stores.asset.load(session_id)):
        with pytest.raises(SessionTorn):
            await call
    await stores.cache.sessions.delete(session_id)


async def test_what_one_saves_the_others_list(stores: Stores) -> None:
    """Five sessions, saved through five contracts, are in the lists of the others, and one delete removes each."""
    ids = [str(uuid4()) for _ in range(5)]
    await stores.context.save_session(ActiveSession(id=UUID(ids[0]), name="n"))
    await stores.transcript.save(ids[1], [{"role": "user", "content": "hi"}])
    await stores.qa.create_qa_entry(ids[2], None, "q", "a")
    await stores.asset.save(SessionAsset(id=ids[3]))
    await stores.runtime.save_runtime_session(RuntimeSession(id=ids[4]))

    assert {record.id for record in await stores.transcript.list()} == set(ids)
    assert {meta.id for meta in await stores.asset.list()} == set(ids)
    assert {str(one) for one in await stores.context.list_sessions()} == set(ids)
    assert {session.id for session in await stores.cache.sessions.list()} == set(ids)
    for session_id in ids:
        await stores.transcript.delete(session_id)
    assert await stores.context.list_sessions() == []
    await stores.cache.sessions.save(Session(id=ids[0]))
    assert await stores.asset.exists(ids[0])
