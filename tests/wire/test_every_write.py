"""What holds for every write: repeats and lost leases change nothing, and all keys of a session expire as one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, LeaseLost, Session
from sessioncache.entities import EntityMention, Relationship
from sessioncache.freshness import SourceReference, WholeFile
from sessioncache.wire.keys import kind_of
from tests.engines import Engine, list_keys
from tests.engines.raw import client_for

pytestmark = pytest.mark.engines("valkey", "redis")

Write = Callable[..., Awaitable[Any]]

ENTRY = "6e7a9e3c-3f5c-4b62-9b0d-0f6f3d8f2a11"
SOURCE = SourceReference("entry", "a.py", b"1", datetime(2026, 1, 1, tzinfo=UTC), WholeFile())
EDGE = Relationship(from_entity="a", to_entity="b")
LONG = [{"n": number} for number in range(501)]

WRITES: dict[str, Callable[[AsyncSessionCache], Write]] = {
    "sessions.save": lambda cache: (
        lambda base=None, **how: cache.sessions.save(
            Session(id="s"), messages=[{"n": 2}], documents={"state": 2}, updates={"v": 1}, base=base, **how
        )
    ),
    "sessions.update": lambda cache: lambda **how: cache.sessions.update("s", title="new", **how),
    "sessions.delete": lambda cache: lambda **how: cache.sessions.delete("s", **how),
    "transcripts.append": lambda cache: lambda **how: cache.transcripts.append("s", {"n": 2}, **how),
    "transcripts.save": lambda cache: lambda **how: cache.transcripts.save("s", [{"n": 2}], **how),
    "transcripts.save, staged": lambda cache: lambda **how: cache.transcripts.save("s", LONG, **how),
    "transcripts.pop": lambda cache: lambda **how: cache.transcripts.pop("s", **how),
    "transcripts.delete": lambda cache: lambda **how: cache.transcripts.delete("s", **how),
    "retention.update": lambda cache: lambda **how: cache.retention.update("s", ttl_ms=90_000_000, **how),
    "documents.save": lambda cache: lambda **how: cache.documents.save("s", {"state": None, "more": 1}, **how),
    "context.save": lambda cache: lambda **how: cache.context.save("s", {"v": 1}, **how),
    "context.delete": lambda cache: lambda **how: cache.context.delete("s", "u", **how),
    "context.save_state": lambda cache: lambda **how: cache.context.save_state("s", {"x": 1}, **how),
    "qa.append": lambda cache: lambda **how: cache.qa.append("s", "what?", "that", **how),
    "qa.update": lambda cache: lambda **how: cache.qa.update("s", ENTRY, answer="so", **how),
    "qa.delete": lambda cache: lambda **how: cache.qa.delete("s", ENTRY, **how),
    "qa.set_graph_context": lambda cache: lambda **how: cache.qa.set_graph_context("s", "nodes", **how),
    "checkpoints.save": lambda cache: lambda **how: cache.checkpoints.save("s", "d", 2, **how),
    "checkpoints.delete": lambda cache: lambda **how: cache.checkpoints.delete("s", "c", **how),
    "traces.append": lambda cache: lambda **how: cache.traces.append("s", {"trace_id": "t"}, **how),
    "usage.append": lambda cache: lambda **how: cache.usage.append("s", '{"model":"m","input_tokens":3}', **how),
    "entities.save": lambda cache: (
        lambda **how: cache.entities.save("s", entities=[EntityMention(name="a")], relationships=[EDGE], **how)
    ),
    "entities.delete": lambda cache: lambda **how: cache.entities.delete("s", "a", **how),
    "entities.clear": lambda cache: lambda **how: cache.entities.clear("s", **how),
    "workspaces.add": lambda cache: lambda **how: cache.workspaces.add("v", "s", **how),
    "workspaces.remove": lambda cache: lambda **how: cache.workspaces.remove("w", "s", **how),
    "freshness.register": lambda cache: lambda **how: cache.freshness.register("s", SOURCE, **how),
}
"""Each write of a session that has something in all of its rooms."""


async def furnish(cache: AsyncSessionCache) -> None:
    """A session with something in all of its rooms."""
    await cache.sessions.save(Session(id="s"), messages=[{"n": 1}], documents={"state": 1}, updates={"u": 1})
    await cache.qa.append("s", "why?", "because", entry_id=ENTRY)
    await cache.checkpoints.save("s", "c", 1)
    await cache.traces.append("s", {"trace_id": "t"})
    await cache.usage.append("s", "{}")
    await cache.entities.save("s", entities=[EntityMention(name="a")], relationships=[EDGE])
    await cache.workspaces.add("w", "s")
    await cache.freshness.register("s", SOURCE)


def everything(engine: Engine) -> dict[str, bytes]:
    """Every key of the server with what is in it."""
    names = [key.name for key in list_keys(engine)]
    with client_for(engine, names[0]) as client:
        dumped: dict[str, Any] = {name: client.dump(name) for name in names}
        return dumped


def expiries(engine: Engine) -> set[int]:
    """When the session's keys expire."""
    keys = ((key, kind_of(key.name)) for key in list_keys(engine))
    return {key.expires_at_ms for key, kind in keys if kind is not None and kind.expiry == "session"}


@pytest.mark.parametrize("name", WRITES)
async def test_a_repeat_changes_nothing(cache: AsyncSessionCache, engine: Engine, name: str) -> None:
    """The same operation id again changes no key, also after others have written, and after the session was deleted."""
    write = WRITES[name](cache)
    await furnish(cache)
    before = everything(engine)
    first = await write(operation_id="once")
    assert everything(engine) != before
    if name != "sessions.delete":
        await cache.sessions.update("s", title="by another")
    after = everything(engine)
    again = await write(operation_id="once")
    assert everything(engine) == after
    if hasattr(again, "repeated"):
        assert (first.repeated, again.repeated) == (False, True)
    else:
        assert again == first
    if name != "sessions.delete":
        await cache.sessions.delete("s")
    after = everything(engine)
    await write(operation_id="once")
    assert everything(engine) == after


@pytest.mark.parametrize("name", WRITES)
async def test_who_has_lost_the_lease_changes_nothing(cache: AsyncSessionCache, engine: Engine, name: str) -> None:
    """A write under a lease that somebody else has taken since is refused, whether there is a session or not."""
    write = WRITES[name](cache)
    await furnish(cache)
    lost = await cache.leases.acquire("s", ttl_ms=60_000)
    await cache.leases.release(lost)
    held = await cache.leases.acquire("s", ttl_ms=60_000)
    for there in (True, False):
        if not there:
            await cache.sessions.delete("s", base=held.base)
        before = everything(engine)
        if there or name != "sessions.delete":
            with pytest.raises(LeaseLost):
                await write(base=lost.base)
        assert {key: value for key, value in everything(engine).items() if ":staging:" not in key} == before


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("later_ms", [0, 86_400_000, None], ids=["at once", "a day later", "first"])
async def test_all_keys_of_a_session_expire_as_one(
    cache: AsyncSessionCache, engine: Engine, name: str, later_ms: int | None
) -> None:
    """What a write makes anew has the expiry of the session, and what moves it moves it for all its keys."""
    write = WRITES[name](cache)
    if later_ms is None and name in {"sessions.update", "retention.update"}:
        await cache.transcripts.append("s", {"n": 0})
    elif later_ms is not None:
        await furnish(cache)
        assert len(expiries(engine)) == 1
    if later_ms:
        session = await cache.sessions.get("s")
        assert session is not None
        assert session.updated_at is not None
        cache.keys.now_override_ms = int(session.updated_at.timestamp() * 1000) + later_ms
    await write()
    assert len(expiries(engine)) == (0 if not await cache.sessions.exists("s") else 1)
    await write()
    assert len(expiries(engine)) == (0 if not await cache.sessions.exists("s") else 1)
