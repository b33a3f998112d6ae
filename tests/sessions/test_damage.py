"""Damaged records: each is told by name, and hides no other session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, DataError, DecodeError, SessionTorn
from sessioncache.freshness import FreshnessStatus, SourceReference, WholeFile
from tests.engines import Engine
from tests.engines.raw import client_for

pytestmark = pytest.mark.foreign_keys


def _damage(cache: AsyncSessionCache, engine: Engine, field: str) -> None:
    record = cache.keys.session("bad one").record
    with client_for(engine, record) as client:
        client.hset(record, field, "zzz")


@pytest.mark.parametrize("field", ["revision", "deadline_ms", "created_ms"])
async def test_a_damaged_record_is_named(cache: AsyncSessionCache, engine: Engine, field: str) -> None:
    """Reading and writing a session with a damaged field is an error that names session and field.

    An append looks at what it needs: a session's time of creation is not among it.
    """
    await cache.transcripts.append("bad one", {"n": 1})
    _damage(cache, engine, field)
    with pytest.raises(SessionTorn, match=rf"session bad%20one: field {field}"):
        await cache.sessions.get("bad one")
    with pytest.raises(SessionTorn, match=rf"session bad%20one: field {field}"):
        await cache.sessions.update("bad one", title="no")
    if field != "created_ms":
        with pytest.raises(SessionTorn, match=rf"session bad%20one: field {field}"):
            await cache.transcripts.append("bad one", {"n": 2})

    assert await cache.sessions.delete("bad one")


@pytest.mark.parametrize("field", ["revision", "deadline_ms"])
@pytest.mark.parametrize("by_user", [False, True])
async def test_a_damaged_record_hides_no_other(
    cache: AsyncSessionCache, engine: Engine, field: str, *, by_user: bool
) -> None:
    """A list with a damaged session in it is an error that names it, or leaves it out and says so."""
    for name in ("a", "bad one", "z"):
        await cache.transcripts.append(name, {"n": 1}, user="ada")
    _damage(cache, engine, field)
    only: dict[str, Any] = {"user": "ada"} if by_user else {}
    with pytest.raises(DecodeError, match="'bad one'"):
        await cache.sessions.list(**only)
    with pytest.raises(DecodeError, match="'bad one'"):
        [session async for session in cache.sessions.each(**only)]
    page = await cache.sessions.list(on_corrupt="skip", **only)

    assert sorted(session.id for session in page) == ["a", "z"]
    assert page.skipped == ("bad one",)
    assert [session.id async for session in cache.sessions.each(order="oldest", on_corrupt="skip", **only)] == [
        "a",
        "z",
    ]


async def test_a_key_of_a_foreign_type_is_told(cache: AsyncSessionCache, engine: Engine) -> None:
    """A record that is no hash is an error that says what to do, and can be deleted."""
    record = cache.keys.session("bad one").record
    await cache.transcripts.append("good one", {"n": 1})
    await cache.transcripts.append("bad one", {"n": 1})
    with client_for(engine, record) as client:
        client.delete(record)
        client.set(record, "text")
    with pytest.raises(DataError, match="sessions delete"):
        await cache.sessions.get("bad one")
    with pytest.raises(DecodeError, match="'bad one'"):
        await cache.sessions.list()
    page = await cache.sessions.list(on_corrupt="skip")

    assert ([session.id for session in page], page.skipped) == (["good one"], ("bad one",))
    assert await cache.sessions.delete("bad one")


async def test_operations_of_a_foreign_type_do_not_stop_a_delete(cache: AsyncSessionCache, engine: Engine) -> None:
    """A session whose list of operations is no list can still be deleted."""
    await cache.transcripts.append("bad one", {"n": 1})
    operations = cache.keys.session("bad one").operations
    with client_for(engine, operations) as client:
        client.set(operations, "text")

    assert await cache.sessions.delete("bad one")
    assert not await cache.sessions.exists("bad one")


@pytest.mark.parametrize("damage", ["", "garbage", "9:x", "4:a.pyrest"])
async def test_damaged_sources_do_not_stop_a_delete(cache: AsyncSessionCache, engine: Engine, damage: str) -> None:
    """A session with a source that cannot be read can be deleted, whole, and its totals follow."""
    for entry in ("one", "two"):
        reference = SourceReference(entry, "a.py", b"1", datetime(2026, 1, 1, tzinfo=UTC), WholeFile())
        await cache.freshness.register("bad one", reference)
    keys = cache.keys.session("bad one")
    (sources,) = keys.room("sources")
    with client_for(engine, sources) as client:
        client.hset(sources, "one", damage)

    assert await cache.sessions.delete("bad one")
    stats = await cache.stats.get()
    assert (stats.sessions, stats.entries) == (0, 0)
    assert (await cache.freshness.check("one", b"1")).status is FreshnessStatus.UNKNOWN
    assert list(await cache.freshness.entries("a.py")) == []


@pytest.mark.parametrize("then", ["create", "delete"])
async def test_what_a_vanished_session_left_is_cleared(cache: AsyncSessionCache, engine: Engine, then: str) -> None:
    """Index entries of a session that the server expired by itself go when its id is used, or deleted, again."""
    await cache.transcripts.append("s", {"n": 1}, user="ada")
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.delete(keys.record, keys.transcript, keys.operations)
    if then == "create":
        assert (await cache.transcripts.append("s", {"n": 1}, user="bob")).created
    else:
        assert not await cache.sessions.delete("s")
    stats = await cache.stats.shards()

    assert sum(shard.sessions for shard in stats) == sum(shard.indexed for shard in stats) == int(then == "create")
