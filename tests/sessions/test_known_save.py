"""Saves that know what the save before was answered: what others do in between is never overlooked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, Session
from sessioncache.errors import SessionGone
from sessioncache.sessions.models import Saved
from sessioncache.types import Base
from tests.engines import Engine
from tests.engines.raw import client_for

NEW = [{"role": "user", "content": "new"}]


async def saved_twice(cache: AsyncSessionCache) -> Saved:
    """A session, saved by who knows the save before."""
    saved = await cache.sessions.save(Session(id="chat", title="one"), messages=NEW, documents={"state": {"n": 1}})
    return await save_again(cache, saved)


async def save_again(cache: AsyncSessionCache, saved: Saved, session: Session | None = None) -> Saved:
    """The same document once more, and a new message."""
    session = session or Session(id="chat", title="mine")
    return await cache.sessions.save(session, messages=NEW, documents={"state": {"n": 1}}, known=saved.known)


async def test_a_known_save_answers_the_whole_group(cache: AsyncSessionCache) -> None:
    """Who wrote last takes everything that is stored, though the server does not answer it again."""
    await cache.sessions.save(Session(id="chat", title="one", host={"h": 1}, labels={"l": "x"}), messages=NEW)
    saved = await save_again(cache, await save_again(cache, await saved_twice(cache)))
    session = Session(id="chat", title="mine")
    saved = await save_again(cache, saved, session)
    stored = await cache.sessions.get("chat")
    assert stored is not None
    assert session.model_copy(update={"metadata": {}}) == stored
    assert (saved.outcome, saved.first_seq, saved.revision) == ("stored", 6, 6)


async def test_a_known_save_without_messages(cache: AsyncSessionCache) -> None:
    """Who wrote last and says nothing stores the rest; the numbers of messages stay, also behind one taken away."""
    saved = await saved_twice(cache)
    await cache.transcripts.pop("chat")
    for number in range(3):
        session = Session(id="chat", title="mine", status=f"{number}")
        saved = await cache.sessions.save(session, documents={"state": {"n": number}}, known=saved.known)
        assert (saved.first_seq, saved.last_seq, saved.revision) == (None, 1, 4 + number)
        stored = await cache.sessions.get("chat")
        assert stored is not None
        assert (session.status, session.messages, session.last_seq) == (stored.status, stored.messages, stored.last_seq)
        assert (stored.status, stored.messages) == (f"{number}", 1)
        assert (await cache.documents.get("chat")).values == {"state": {"n": number}}
    saved = await save_again(cache, saved)
    assert (saved.first_seq, saved.last_seq) == (3, 3)


@pytest.mark.parametrize(
    "between",
    [
        lambda cache: cache.documents.save("chat", {"state": {"n": 2}}),
        lambda cache: cache.documents.save("chat", {"state": None}),
        lambda cache: cache.documents.save("chat", {"state": {"n": 2}, "more": 1}),
        lambda cache: cache.sessions.save(Session(id="chat"), messages=NEW, documents={"state": {"n": 2}}),
        lambda cache: cache.sessions.save(Session(id="chat", status="busy", metadata={"k": 1})),
        lambda cache: cache.sessions.update("chat", title="theirs", host={"h": 1}, authoritative={"a": 1}),
        lambda cache: cache.sessions.update("chat", status="busy", metadata={"k": 1}, labels={"l": "x"}, user="ann"),
        lambda cache: cache.transcripts.append("chat", NEW),
        lambda cache: cache.transcripts.pop("chat"),
        lambda cache: cache.transcripts.save("chat", NEW, through=2),
        lambda cache: cache.sessions.update("chat", pinned=True),
        lambda cache: cache.sessions.delete("chat"),
    ],
)
async def test_what_others_wrote_in_between_counts(
    cache: AsyncSessionCache, between: Callable[[AsyncSessionCache], Awaitable[object]]
) -> None:
    """Whatever others wrote since, a save that knows the one before does what one does that knows nothing."""
    found = []
    for knows in (True, False):
        await cache.sessions.delete("chat")
        saved = await saved_twice(cache)
        await between(cache)
        session = Session(id="chat", title="mine")
        again = await cache.sessions.save(
            session, messages=NEW, documents={"state": {"n": 1}}, known=saved.known if knows else None
        )
        stored = await cache.sessions.get("chat")
        assert stored is not None
        left_out = {"gen", "created_at", "updated_at", "deadline_at"}
        found.append(
            (
                again,
                session.model_dump(exclude=left_out),
                stored.model_dump(exclude=left_out),
                (await cache.documents.get("chat")).values,
                (await cache.transcripts.list("chat")).messages,
            )
        )
    assert found[0] == found[1]
    assert found[0][3]["state"] == {"n": 1}


@pytest.mark.engines("valkey")
@pytest.mark.foreign_keys
async def test_a_failover_that_lost_the_known_save_is_noticed(
    cache: AsyncSessionCache, engine: Engine, namespace: str
) -> None:
    """Where the known save was lost and another write took its revision, the next save stores everything."""
    saved = await cache.sessions.save(Session(id="chat", title="one"), messages=NEW, documents={"state": {"n": 1}})
    keys = cache.keys.session("chat")
    names = [keys.record, keys.transcript, keys.operations, keys.room("documents")[0]]
    with client_for(engine, namespace) as client:
        before: list[Any] = [client.dump(name) for name in names]
        saved = await save_again(cache, saved)
        for name, dump in zip(names, before, strict=True):
            client.restore(name, 0, dump, replace=True)
    theirs = await cache.documents.save("chat", {"state": {"n": 2}})
    assert theirs.revision == saved.revision
    again = await save_again(cache, saved)
    assert (again.first_seq, again.revision) == (2, saved.revision + 1)
    assert (await cache.documents.get("chat")).values == {"state": {"n": 1}}


async def test_a_changed_document_is_stored(cache: AsyncSessionCache) -> None:
    """Who wrote last stores a document that differs, and a status."""
    saved = await saved_twice(cache)
    session = Session(id="chat")
    await cache.sessions.save(session, messages=NEW, documents={"state": {"n": 9}}, known=saved.known)
    assert (await cache.documents.get("chat")).values == {"state": {"n": 9}}


async def test_a_repeat_answers_the_first_reply(cache: AsyncSessionCache) -> None:
    """A save that was made in the shortest way is not made twice, and answers who knows as much the same."""
    known = (await saved_twice(cache)).known
    sessions = [Session(id="chat"), Session(id="chat")]
    first, second = [
        await cache.sessions.save(
            session, messages=NEW, documents={"state": {"n": 1}}, known=known, operation_id="once"
        )
        for session in sessions
    ]
    assert (first.repeated, second.repeated, second.known) == (False, True, None)
    assert (first.revision, first.first_seq, first.last_seq) == (second.revision, second.first_seq, second.last_seq)
    assert sessions[0] == sessions[1]
    assert (await cache.transcripts.list("chat")).count == 3


async def test_another_generation_is_not_the_known_one(cache: AsyncSessionCache) -> None:
    """A save by a base of a session that was deleted is refused, whatever is known."""
    saved = await saved_twice(cache)
    stored = await cache.sessions.get("chat")
    assert stored is not None
    await cache.sessions.delete("chat")
    with pytest.raises(SessionGone):
        await cache.sessions.save(Session(id="chat"), messages=NEW, base=Base(stored.gen), known=saved.known)
