"""Saves of one object in a row, each of which builds on the one before."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest

from sessioncache import AsyncSessionCache, Session
from sessioncache.stores.runtime_async import AsyncRuntimePersistence
from sessioncache.stores.runtime_models import RuntimeMessage, RuntimeSession

Deed = Callable[[RuntimeSession, AsyncSessionCache], Awaitable[object]]


async def nothing(_: RuntimeSession, __: AsyncSessionCache) -> None:
    """Only the message is new."""


async def retitle(session: RuntimeSession, _: AsyncSessionCache) -> None:
    """A title that loses against the stored one."""
    session.title = "mine"


async def rename(session: RuntimeSession, _: AsyncSessionCache) -> None:
    """A title that wins."""
    session.title, session.metadata_version = "newer", session.metadata_version + 1


async def work(session: RuntimeSession, _: AsyncSessionCache) -> None:
    """Fields of the record and of the document."""
    session.status, session.token_usage = "busy", {"n": len(session.messages)}
    session.metadata["at"] = len(session.messages)


async def permit(session: RuntimeSession, _: AsyncSessionCache) -> None:
    """A host's field, which is the store's."""
    session.agent_runtime_state = {"bypass_permissions": True, "step": 1}


async def edit(session: RuntimeSession, cache: AsyncSessionCache) -> None:
    """Somebody edits the stored session."""
    await cache.sessions.update(session.id, title="theirs", host={"bypass_permissions": {"by": "them"}})


async def gild(session: RuntimeSession, cache: AsyncSessionCache) -> None:
    """Somebody sets what decides about merges, nested, and something of the group that the object has no field for."""
    await cache.sessions.update(session.id, authoritative={"gold_config": {"a": [1]}, "rest": [1]})


async def spoil(session: RuntimeSession, _: AsyncSessionCache) -> None:
    """The object's copy of that is changed in place."""
    session.metadata.get("gold_config", {"a": []})["a"].append(2)


async def say(session: RuntimeSession, cache: AsyncSessionCache) -> None:
    """Somebody else says something."""
    await cache.transcripts.append(session.id, {"role": "user", "content": "theirs"})


async def overwrite(session: RuntimeSession, cache: AsyncSessionCache) -> None:
    """Somebody else writes the document."""
    await cache.sessions.save(Session(id=session.id, status="theirs"), documents={"runtime": {"kind": "child"}})


async def save_without_messages(session: RuntimeSession, cache: AsyncSessionCache) -> None:
    """The object is saved in another way."""
    await AsyncRuntimePersistence(cache).save_runtime_only(session)


DEEDS: list[Deed] = [
    *(nothing, nothing, nothing, nothing, retitle, rename, work, permit, edit, gild, spoil, say, overwrite),
    save_without_messages,
]


@pytest.mark.engines("valkey", "fakeredis")
@pytest.mark.parametrize("seed", range(6))
async def test_saves_in_a_row_do_what_each_does_alone(cache: AsyncSessionCache, seed: int) -> None:
    """Whatever happens in between, an object that remembers its last save comes to the same as one that forgets it."""
    store = AsyncRuntimePersistence(cache)
    sessions = [RuntimeSession(id=name, title="one") for name in ("remembers", "forgets")]
    for session in sessions:
        await store.save_runtime_session(session)
    choose, in_a_row = random.Random(seed), 0
    for step in range(40):
        deed = choose.choice(DEEDS)
        found = []
        for session in sessions:
            await deed(session, cache)
            session.messages.append(RuntimeMessage(role="user", content=f"{step}"))
            memory = session._memory
            if session.id == "forgets":
                memory.known = memory.settled = None
            in_a_row += memory.settled is not None
            await store.save_runtime_session(session)
            stored = await cache.sessions.get(session.id)
            assert stored is not None
            left_out = {"id", "gen", "created_at", "updated_at", "deadline_at"}
            found.append(
                (
                    session.model_dump(exclude={"id", "created_at", "updated_at"}),
                    stored.model_dump(exclude=left_out),
                    (await cache.documents.get(session.id)).values,
                    (await cache.transcripts.list(session.id)).messages,
                )
            )
            assert session.updated_at == stored.updated_at
        assert found[0] == found[1], deed.__name__
    assert in_a_row > 3
