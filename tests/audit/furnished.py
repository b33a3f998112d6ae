"""A namespace that has something of everything, and sessions whose messages are sealed."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sessioncache import AsyncSessionCache, Session
from sessioncache.entities import EntityMention, Relationship
from sessioncache.freshness import SourceReference, SymbolId, WholeFile
from sessioncache.maintenance import compact
from sessioncache.sealing.chunks import dictionary_id

ENTRY = "6e7a9e3c-3f5c-4b62-9b0d-0f6f3d8f2a11"
HOUR_MS = 3_600_000
DICTIONARY = b"".join(b'{"role":"user","content":"this is number %d"},' % n for n in range(20))


async def furnish(cache: AsyncSessionCache) -> None:
    """`full` has all rooms, `plain` and `other` messages alone, `long` and `idle` sealed ones; `gone` was deleted."""
    saved = Session(id="full", title="a title", metadata={"m": 1}, host={"h": 1}, labels={"l": "x"}, user="bob")
    await cache.sessions.save(saved, messages=[{"n": 1}, {"n": 2}], documents={"state": 1}, updates={"u": 1, "v": 2})
    await cache.qa.append("full", "why?", "because", entry_id=ENTRY)
    await cache.checkpoints.save("full", "c", 1)
    await cache.traces.append("full", {"trace_id": "t"})
    await cache.usage.append("full", '{"model":"m","input_tokens":3}')
    edge = Relationship(from_entity="a", to_entity="b")
    await cache.entities.save("full", entities=[EntityMention(name=name) for name in "ab"], relationships=[edge])
    await cache.workspaces.save("w", name="W", session_ids=["full"])
    source = SourceReference("entry", "a.py", b"1", datetime(2026, 1, 1, tzinfo=UTC), WholeFile())
    await cache.freshness.register("full", source)
    await cache.freshness.register_dependencies(SymbolId("b.py", "g"), [SymbolId("a.py", "f")])
    for name in ("plain", "other", "gone"):
        await cache.transcripts.append(name, [{"role": "user", "n": n} for n in range(3)], user=name)
    await cache.transcripts.save("other", [{"summary": "s"}], through=2)
    await cache.sessions.delete("gone")
    await _seal(cache)


async def _seal(cache: AsyncSessionCache) -> None:
    """Sessions that were written to two hours ago."""
    at = cache.keys.now_override_ms = int(time.time() * 1000) - 2 * HOUR_MS
    name = dictionary_id(DICTIONARY)
    await cache.upkeep.save_current_dictionary(name, DICTIONARY)
    for session in ("long", "idle"):
        messages = [{"role": "user", "content": f"this is number {n}"} for n in range(400)]
        await cache.transcripts.append(session, messages)
        await cache.upkeep.save_dictionary(cache.keys.shard_of(session), name, DICTIONARY)
        cache.keys.now_override_ms = at + HOUR_MS + HOUR_MS // 2
        await compact.run(cache, cache.keys.shard_of(session), limit=100)
        cache.keys.now_override_ms = at
    cache.keys.now_override_ms = None
    await cache.transcripts.append("long", [{"role": "user", "content": "and one more"}] * 2)
