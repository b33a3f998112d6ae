"""The merge table: a runtime save meets a stored session.

| stored version | the group that is stored afterwards |
|---|---|
| none (no session) | the incoming one |
| higher or equal | the stored one, as a whole: what it lacks is lacking, too |
| lower | the incoming one, as a whole |
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, Base, LimitExceeded, Session, SessionGone

GROUPS = [
    {"title": title, "pinned": pinned, "authoritative": extra}
    for title, pinned, extra in itertools.product([None, "Title"], [False, True], [{}, {"gold_config": {"a": 1}}])
]


def _session(**fields: Any) -> Session:
    return Session(id="s", **fields)


def _group(session: Session | None) -> dict[str, object]:
    assert session is not None
    fields = ("title", "title_version", "pinned", "metadata_version", "authoritative")
    return {name: getattr(session, name) for name in fields}


@pytest.mark.engines("fakeredis", "valkey")
@pytest.mark.parametrize("stored_version,incoming_version", [(3, 2), (3, 3), (2, 3)], ids=["higher", "equal", "lower"])
@pytest.mark.parametrize("stored_group", GROUPS, ids=lambda group: "-".join(k for k, v in group.items() if v) or "none")
@pytest.mark.parametrize(
    "incoming_group", GROUPS, ids=lambda group: "-".join(k for k, v in group.items() if v) or "none"
)
async def test_every_row_of_the_merge_table(
    cache: AsyncSessionCache,
    stored_version: int,
    incoming_version: int,
    stored_group: dict[str, object],
    incoming_group: dict[str, object],
) -> None:
    """The group with the higher metadata_version is stored whole; ties go to the stored one; the caller takes it."""
    stored = _session(title_version=7, metadata_version=stored_version, **stored_group)
    incoming = _session(title_version=9, metadata_version=incoming_version, **incoming_group)
    await cache.sessions.save(stored.model_copy())
    before = incoming.model_copy(deep=True)
    saved = await cache.sessions.save(incoming)
    winner = stored if stored_version >= incoming_version else before

    assert saved.outcome == ("stored" if winner is stored else "incoming")
    assert _group(incoming) == _group(winner)
    assert _group(await cache.sessions.get("s")) == _group(winner)


async def test_a_new_session_is_written_as_it_is(cache: AsyncSessionCache) -> None:
    """A save where there is nothing creates the session with all its groups, and fills in what the server gives."""
    session = Session(
        id="s",
        user="ada",
        title="Refund",
        pinned=True,
        metadata_version=4,
        authoritative={"gold_config": [1]},
        host={"bypass_permissions": True},
        status="running",
        parent="root",
        metadata={"model": "m", "depth": 2},
    )
    saved = await cache.sessions.save(session, messages=[{"n": 1}, {"n": 2}])

    assert (saved.outcome, saved.first_seq, saved.last_seq) == ("created", 1, 2)
    assert session.gen is not None
    assert session.messages == 2
    assert await cache.sessions.get("s") == session


async def test_runtime_fields_are_taken_as_they_come(cache: AsyncSessionCache) -> None:
    """Status, parent and metadata of a save replace those stored; what it lacks is removed, whoever wins the group."""
    await cache.sessions.save(Session(id="s", status="running", parent="p", metadata={"a": 1, "b": 2}))
    await cache.sessions.save(Session(id="s", status=None, metadata={"b": 3, "c": None}))
    session = await cache.sessions.get("s")

    assert session is not None
    assert (session.status, session.parent, session.metadata) == (None, None, {"b": 3, "c": None})


@pytest.mark.parametrize("bypass", [True, False])
async def test_host_fields_survive_every_save(cache: AsyncSessionCache, *, bypass: bool) -> None:
    """A host field that was switched during a run stays switched, although it bumps no version."""
    runner = Session(id="s", host={"bypass_permissions": not bypass}, metadata_version=5)
    await cache.sessions.save(runner)
    await cache.sessions.update("s", host={"bypass_permissions": bypass})
    runner.host = {"bypass_permissions": not bypass}
    runner.metadata_version = 6
    await cache.sessions.save(runner)

    assert runner.host == {"bypass_permissions": bypass}


async def test_a_rename_and_a_pin_survive_a_stale_save(cache: AsyncSessionCache) -> None:
    """Edits made while an agent works are adopted by its next save."""
    runner = Session(id="s", title="New Session")
    await cache.sessions.save(runner)
    await cache.sessions.update("s", title="Refund for Mia")
    await cache.sessions.update("s", pinned=True)
    saved = await cache.sessions.save(runner, messages=[{"n": 1}])

    assert saved.outcome == "stored"
    assert (runner.title, runner.title_version, runner.pinned, runner.metadata_version) == (
        "Refund for Mia",
        1,
        True,
        2,
    )


async def test_messages_are_no_part_of_the_merge(cache: AsyncSessionCache) -> None:
    """A save appends what is new; what others appended meanwhile stays, whoever wins the group."""
    runner = Session(id="s")
    await cache.sessions.save(runner, messages=[{"n": 1}])
    await cache.transcripts.append("s", {"n": 2})
    runner.metadata_version = 1
    saved = await cache.sessions.save(runner, messages=[{"n": 3}])

    assert saved.first_seq == 3
    assert [m["n"] for m in (await cache.transcripts.list("s")).messages] == [1, 2, 3]


async def test_a_save_after_a_delete_is_refused(cache: AsyncSessionCache) -> None:
    """A session that was read before it was deleted cannot be brought back by saving it; a new object can."""
    await cache.sessions.save(Session(id="s", title="old"))
    runner = await cache.sessions.get("s")
    assert runner is not None
    await cache.sessions.delete("s")
    with pytest.raises(SessionGone):
        await cache.sessions.save(runner, messages=[{"n": 1}])
    assert not await cache.sessions.exists("s")
    await cache.sessions.save(Session(id="s", title="new"))
    with pytest.raises(SessionGone):
        await cache.sessions.save(runner)
    session = await cache.sessions.get("s")

    assert session is not None
    assert session.title == "new"


async def test_a_failed_save_leaves_the_callers_object_alone(cache: AsyncSessionCache) -> None:
    """Nothing of the object changes where the save was refused."""
    await cache.sessions.save(Session(id="s", title="stored", metadata_version=5))
    runner = Session(id="s", title="mine")
    before = runner.model_copy(deep=True)
    with pytest.raises(SessionGone):
        await cache.sessions.save(runner, base=Base(gen="somebody else's"))
    with pytest.raises(LimitExceeded):
        await cache.sessions.save(runner, messages=[{"x": "y" * 2_000_000}])

    assert runner == before


async def test_a_repeated_save_answers_the_first_reply(cache: AsyncSessionCache) -> None:
    """The same operation twice appends once and merges once."""
    first = await cache.sessions.save(Session(id="s", title="one"), messages=[{"n": 1}], operation_id="op")
    await cache.sessions.update("s", title="two")
    runner = Session(id="s", title="one")
    again = await cache.sessions.save(runner, messages=[{"n": 1}], operation_id="op")

    assert (again.repeated, again.revision, again.first_seq) == (True, first.revision, 1)
    assert runner.title == "one"
    assert await cache.transcripts.count("s") == 1


async def test_a_stale_save_does_not_give_the_session_back(cache: AsyncSessionCache) -> None:
    """An owner that was changed by an edit stays, and the caller's object takes it; a session without one gets one."""
    runner = Session(id="s", user="ann")
    await cache.sessions.save(runner)
    await cache.sessions.update("s", user="bob")
    await cache.sessions.save(runner)
    await cache.transcripts.append("t", {"n": 1})
    await cache.sessions.save(Session(id="t", user="ann"))

    assert runner.user == "bob"
    assert [session.id for session in await cache.sessions.list(user="bob")] == ["s"]
    assert [session.id for session in await cache.sessions.list(user="ann")] == ["t"]


async def test_a_save_that_does_not_know_the_runtime_fields_keeps_them(cache: AsyncSessionCache) -> None:
    """With keep_runtime, stored status, parent and metadata stay; a new session takes the given ones."""
    await cache.sessions.save(Session(id="s", status="busy", metadata={"a": 1}), keep_runtime=True)
    await cache.sessions.save(Session(id="s", title="new", metadata_version=1), keep_runtime=True)
    session = await cache.sessions.get("s")
    assert session is not None
    assert (session.title, session.status, session.metadata) == ("new", "busy", {"a": 1})
    await cache.sessions.save(Session(id="s"))
    session = await cache.sessions.get("s")
    assert session is not None
    assert (session.status, session.metadata) == (None, {})
