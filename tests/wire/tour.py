"""A walk through the whole API that runs every script at least once, some of them on every way through."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime

from sessioncache import NO_BASE, AccessDenied, AsyncSessionCache, RetentionPolicy, ScriptFailure, Session, audit
from sessioncache.entities import EntityMention, Relationship
from sessioncache.freshness import Function, SourceReference, SymbolId
from sessioncache.maintenance import compact
from sessioncache.rooms._async import AsyncRoom
from sessioncache.sealing.chunks import dictionary_id
from sessioncache.sessions import lua as sessions_lua
from sessioncache.transcripts import lua
from sessioncache.upkeep import ShardLease
from sessioncache.upkeep.models import LINKED_ROOMS, ArchiveState, RoomPart, StoredPart, Walk
from sessioncache.wire.keys import Key

OPERATION = "tour-1"


async def walk(cache: AsyncSessionCache) -> None:
    """Call everything."""
    await _sessions(cache)
    await _transcripts(cache)
    await _documents(cache)
    await _rooms(cache)
    await _checkpoints(cache)
    await _workspaces(cache)
    await _qa(cache)
    await _logs(cache)
    await _entities(cache)
    await _freshness(cache)
    await _retention(cache)
    await _leases(cache)
    await _feed(cache)
    await _sealing(cache)
    assert (await audit.run(cache, pace=0)).found == {}
    for keys in cache.keys:
        await _upkeep(cache, keys.index)
    await _delete_all(cache)


async def _sessions(cache: AsyncSessionCache) -> None:
    saved = Session(id="saved", title="one", metadata={"a": 1}, host={"h": 1}, user="bob")
    await cache.sessions.save(saved, messages=[{"role": "user"}])
    saved.metadata = {"b": 2}
    saved.metadata_version = 7
    await cache.sessions.save(saved, operation_id=OPERATION)
    await cache.sessions.save(saved, operation_id=OPERATION)
    await cache.sessions.update("saved", title="two", user="eve", pinned=True)
    await cache.sessions.update("saved", title=None)
    await cache.sessions.get("saved")
    await cache.sessions.exists("saved")
    page = await cache.sessions.list(limit=1)
    await cache.sessions.list(limit=1, cursor=page.cursor)
    await cache.sessions.list(order="oldest")
    await cache.sessions.list(user="eve")
    await cache.sessions.count()
    await cache.sessions.seek(1)
    await cache.transcripts.append("deleted", {"role": "user"})
    await cache.sessions.delete("deleted")
    await cache.sessions.delete("deleted")
    await cache.stats.get()


async def _delete_all(cache: AsyncSessionCache) -> None:
    """Everything goes, ghosts included."""
    assert await cache.sessions.delete_all() > 0
    await cache._transport.call(sessions_lua.unlist(session=cache.keys.session("nobody"), rows=("u\0nobody",)))


async def _transcripts(cache: AsyncSessionCache) -> None:
    for number in range(3):
        await cache.transcripts.append("chat", [{"role": "user", "n": number}, {"role": "tool"}])
    await cache.transcripts.append("chat", {"role": "user"}, operation_id=OPERATION)
    await cache.transcripts.append("chat", {"role": "user"}, operation_id=OPERATION)
    await cache.transcripts.list("chat", last=2)
    await cache.transcripts.list("chat", start=2, stop=3)
    # Pages are read in two halves side by side, and in one only where the two do not fit together.
    whole = lua.list_(
        session=cache.keys.session("chat"), now_override_ms=None, start=0, stop=None, limit=1, newest=True
    )
    await cache._transport.call(whole)
    await cache.transcripts.count("chat")
    await cache.transcripts.save("chat", [{"summary": 1}], through=4)
    await cache.transcripts.pop("chat")
    await cache.transcripts.save("chat", [{"n": number} for number in range(501)])
    await cache.transcripts.append("popped", {"role": "user"})
    await cache.transcripts.pop("popped")
    await cache.transcripts.append("emptied", {"role": "user"})
    await cache.transcripts.delete("emptied")


async def _documents(cache: AsyncSessionCache) -> None:
    await cache.documents.save("saved", {"one": 1, "two": [2]})
    await cache.documents.save("saved", {"one": None})
    await cache.documents.get("saved")
    await cache.documents.get("saved", "two")
    whole = Session(id="saved", labels={"name": "x"})
    await cache.sessions.save(whole, messages=[{"n": 1}], through=1, documents={"three": 3}, updates={"u": {}})
    await cache.sessions.save(whole, updates={"u": None})


async def _rooms(cache: AsyncSessionCache) -> None:
    """What every room does, in the room that has links to it."""
    room = AsyncRoom(cache._transport, cache.keys, "checkpoints", kind="c", keep="keep_checkpoints")
    for name in ("one", "two"):
        await room.save("saved", [(name, b"1:a1:1")], user=None, base=NO_BASE, operation_id=None)
    await room.last("saved", 10)
    await room.list("saved")
    await room.get("saved", "one")
    await room.update("saved", "one", ["a", "2"], base=NO_BASE, operation_id=None)
    await room.delete("saved", ["one", "two"], base=NO_BASE, operation_id=None)


async def _checkpoints(cache: AsyncSessionCache) -> None:
    for name in ("one", "two", "three"):
        await cache.checkpoints.save("chat", name, {"n": name})
    await cache.checkpoints.list_all(limit=1)
    await cache.checkpoints.find("two")
    await cache.checkpoints.delete("chat", "one")


async def _workspaces(cache: AsyncSessionCache) -> None:
    await cache.workspaces.save("one", name="1", session_ids=["saved", "chat"])
    await cache.workspaces.add("one", "chat", "Shared")
    await cache.workspaces.add("two", "chat")
    await cache.workspaces.list()
    await cache.workspaces.count()
    await cache.workspaces.get("one")
    await cache.workspaces.of_session("chat")
    await cache.workspaces.remove("one", "saved")
    await cache.workspaces.delete("one")


async def _qa(cache: AsyncSessionCache) -> None:
    entry = await cache.qa.append("saved", "why?", "because")
    await cache.qa.update("saved", entry, memify_metadata={"done": True})
    await cache.qa.set_graph_context("saved", "nodes")


async def _logs(cache: AsyncSessionCache) -> None:
    for _ in range(2):
        await cache.traces.append("saved", {"trace_id": "t"}, operation_id=OPERATION)
        await cache.usage.append("saved", '{"model":"m","input_tokens":3}', operation_id=OPERATION)
    await cache.usage.append("nobody", "{}", create=False)
    await cache.traces.list("saved", last=1)
    await cache.usage.list("saved", start=1)
    await cache.usage.totals("saved")


async def _entities(cache: AsyncSessionCache) -> None:
    entities = [EntityMention(name=name) for name in ("a", "b")]
    for session in ("saved", "chat"):
        await cache.entities.save(
            session, entities=entities, relationships=[Relationship(from_entity="a", to_entity="b")]
        )
    await cache.entities.get("chat", "a")
    await cache.entities.list("chat")
    await cache.entities.count("chat")
    await cache.entities.find_path("chat", "a", "b")
    await cache.entities.delete("chat", "a")
    await cache.entities.clear("chat")


async def _freshness(cache: AsyncSessionCache) -> None:
    changed, caller = SymbolId("a.py", "f"), SymbolId("b.py", "g")
    for session in ("saved", "chat"):
        scope = Function("f", b"2")
        reference = SourceReference(session, "a.py", b"1", datetime(2026, 1, 1, tzinfo=UTC), scope)
        await cache.freshness.register(session, reference)
    await cache.freshness.check("chat", b"1")
    await cache.freshness.register_dependencies(caller, [changed])
    await cache.freshness.cascade_invalidate(changed)
    await cache.freshness.stale_entries("a.py")


async def _retention(cache: AsyncSessionCache) -> None:
    policy = RetentionPolicy(slide_on_read=True, keep_messages=10)
    await cache.retention.save(policy)
    await cache.retention.get()
    await cache.retention.update("chat", ttl_ms=10_000_000, keep_messages=5)
    await cache.retention.update("chat", keep_messages=None)
    await cache.retention.get_own("chat")
    await cache.sessions.get("chat")
    await cache.transcripts.list("chat", last=1)


async def _leases(cache: AsyncSessionCache) -> None:
    held = await cache.leases.acquire("chat", ttl_ms=60_000)
    held = await cache.leases.renew(held, ttl_ms=60_000)
    await cache.transcripts.append("chat", {"role": "user"}, base=held.base)
    await cache.leases.release(held)
    for _ in range(2):
        await cache.transcripts.append("leased", {"role": "user"})
        async with cache.leases.hold("leased", ttl_ms=1_000) as held:
            await cache.sessions.delete("leased", base=held.base)


async def _feed(cache: AsyncSessionCache) -> None:
    async with cache.feed.subscribe("chat") as changes:
        await cache.transcripts.append("chat", {"role": "user"})
        await changes.read()
        await changes.read(wait_ms=1)


async def _sealing(cache: AsyncSessionCache) -> None:
    """What is sealed is read, opened, trimmed and replaced."""
    at = cache.keys.now_override_ms = int(time.time() * 1000)
    try:
        await cache.transcripts.append("asleep", {"role": "user"})
        cache.keys.now_override_ms = at + 1
        await cache.transcripts.append("asleep", [{"role": "user", "n": number} for number in range(300)])
        cache.keys.now_override_ms = at + 4_000_000
        shard = cache.keys.shard_of("asleep")
        await cache.upkeep.save_dictionary(shard, dictionary_id(b"some bytes"), b"some bytes")
        await compact.run(cache, shard, limit=10)
        await cache.transcripts.list("asleep", last=50)
        await cache.transcripts.list("asleep", start=20, stop=30)
        whole = lua.list_(
            session=cache.keys.session("asleep"), now_override_ms=None, start=9, stop=None, limit=1, newest=True
        )
        await cache._transport.call(whole)
        await cache.upkeep.shorten(shard, {"asleep": at + 1})
        await cache.upkeep.trim(shard, ["asleep"], RetentionPolicy(keep_messages=200))
        await cache.transcripts.append("asleep", {"role": "user"})
        await cache.transcripts.save("asleep", [], through=290)
        cache.keys.now_override_ms = at + 8_000_000
        await compact.run(cache, shard, limit=10)
        await cache.transcripts.pop("asleep")
        await compact.run(cache, shard, limit=10)
        await cache.sessions.delete("asleep")
    finally:
        cache.keys.now_override_ms = None


async def _upkeep(cache: AsyncSessionCache, shard: int) -> None:
    lease = await cache.upkeep.acquire(shard, "tour", holder="somebody", ttl_ms=60_000)
    assert isinstance(lease, ShardLease)
    lease = await cache.upkeep.renew(lease, ttl_ms=60_000)
    here = [name for name in ("saved", "chat", "popped", "emptied") if cache.keys.shard_of(name) == shard]
    await cache.upkeep.due(shard, limit=10)
    await cache.upkeep.trim(shard, here, RetentionPolicy(keep_messages=1), lease=lease)
    await cache.upkeep.reindex(shard, dict.fromkeys([*here, "nobody"]), lease=lease)
    found = await cache.upkeep.by_user(shard, after="", limit=10)
    assert {session_id for _, _, session_id in found} == set(here)
    await cache.upkeep.counters(here)
    await cache.upkeep.expire(shard, [*here, "nobody"], lease=lease)
    newest, _ = await cache.upkeep.changes(shard, after=0, limit=1)
    await cache.upkeep.view(shard, after=max(newest - 3, 0), limit=2)
    await cache.upkeep.note(shard, "tour", {"cursor": "here"}, lease=lease)
    await cache.upkeep.noted(shard, "tour", ["cursor"])
    keys: list[Key] = []
    with suppress(AccessDenied):
        # Workers may SCAN; agents, whose rights are tried here too, may not.
        _cursor, keys = await cache.upkeep.session_keys(shard, cursor=0, limit=1_000)
    await cache.upkeep.bound([(key, 60_000) for key in keys if key.endswith(":tombstone")])
    await cache.upkeep.kept_dictionaries(shard)
    await cache.upkeep.used(shard, ["none"])
    await cache.upkeep.dictionaries_of([key for key in keys if key.endswith(":sealed")])
    await cache.upkeep.forget(shard, "none", used=0, lease=lease)
    for name in here:
        [state] = await cache.upkeep.archive_states([name])
        if isinstance(state, ArchiveState):
            await cache.upkeep.archived(shard, {name: state}, lease=lease)
            async for part in cache.upkeep.contents(name):
                await _restore(cache, name, part)
    await cache.upkeep.tally(shard, b"a part", length=0, lease=lease)
    await cache.upkeep.tallied(shard, start=0, limit=10)
    await cache.upkeep.settle(shard, settled=0, lacking={"sessions": 0}, lease=lease)
    parts = [RoomPart(name, room) for name in [*here, "nobody"] for room in LINKED_ROOMS]
    await cache.upkeep.things(parts, limit=10)
    await cache.upkeep.relink(shard, [(part, ["two", "chat-1"]) for part in parts], lease=lease)
    rows = await cache.upkeep.linked(shard, after="", limit=100)
    await cache.upkeep.unlink(shard, {name: [row] for row, name in rows} or {"nobody": []}, lease=lease)
    await cache.upkeep.evict(shard, {"nobody": 0}, lease=lease)
    with suppress(ScriptFailure):
        # fakeredis has no INFO.
        await cache.upkeep.memory(shard)
    await cache.upkeep.release(lease, seen={"torn": 0})
    await _evict(cache, shard)
    await _after_the_deadline(cache, here)


async def _restore(cache: AsyncSessionCache, name: str, part: StoredPart) -> None:
    """Put a part back into another session of the shard, which is gone then."""
    other = next(f"back-{n}" for n in range(99) if cache.keys.shard_of(f"back-{n}") == cache.keys.shard_of(name))
    await cache.sessions.save(Session(id=other))
    found = await cache.sessions.get(other)
    assert found is not None
    if part.part != "record":
        await cache.upkeep.restore(other, part, base=found.base, operation_id="once")
    else:
        fields = StoredPart("record", "", "", (b"created_ms", b"1"))
        await cache.upkeep.restore(other, fields, base=found.base, operation_id="once")
    await cache.sessions.delete(other)


async def _evict(cache: AsyncSessionCache, shard: int) -> None:
    """To make room, sessions go that nobody holds; `deleted` had been removed before, and `evicted` had not."""
    for name in ("deleted", "evicted"):
        if cache.keys.shard_of(name) != shard:
            continue
        async with cache.leases.hold(name, ttl_ms=60_000) as held:
            await cache.transcripts.append(name, {"role": "user"}, base=held.base)
            found = await cache.upkeep.updated(shard, Walk(), until_ms=9_007_199_254_740_991, limit=100)
            chosen = {session_id: at_ms for session_id, at_ms in found if session_id == name}
            await cache.upkeep.evict(shard, chosen)
        await cache.upkeep.evict(shard, chosen, dry_run=True)
        await cache.upkeep.evict(shard, chosen)


async def _after_the_deadline(cache: AsyncSessionCache, session_ids: list[str]) -> None:
    """What is past its deadline is removed by whoever comes first: a writer, a delete, or the worker."""
    past = [session_id for session_id in session_ids if session_id != "saved"]
    for session_id in past:
        await cache.retention.update(session_id, ttl_ms=60_000)
    session = await cache.sessions.get(past[0]) if past else None
    if session is None or session.deadline_at is None:
        return
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 60_000
    try:
        await cache.transcripts.append(past[0], {"role": "user"})
        await cache.upkeep.expire(cache.keys.shard_of(past[0]), past[1:])
    finally:
        cache.keys.now_override_ms = None
