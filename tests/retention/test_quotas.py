"""Quotas: what counts, and what a policy that became stricter still allows."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, LimitExceeded, RetentionPolicy, Session


async def test_a_whole_save_is_held_to_the_quota_of_documents(cache: AsyncSessionCache) -> None:
    """A save of the whole session brings no more documents than the policy allows, and then writes nothing."""
    await cache.retention.save(RetentionPolicy(quota_entries=2))
    await cache.sessions.save(Session(id="s"), documents={"a": 1, "b": 2})
    with pytest.raises(LimitExceeded, match="would hold 3 documents"):
        await cache.sessions.save(Session(id="s", title="new"), documents={"c": 3})

    session = await cache.sessions.get("s")
    assert session is not None
    assert (session.title, session.revision) == (None, 1)


async def test_known_documents_are_not_counted_twice(cache: AsyncSessionCache) -> None:
    """At its quota, a session's documents can still be replaced and removed."""
    await cache.retention.save(RetentionPolicy(quota_entries=2))
    await cache.documents.save("s", {"a": 1, "b": 2})
    await cache.documents.save("s", {"a": 10, "b": None})
    await cache.documents.save("s", {"a": 11, "c": 3})

    assert (await cache.documents.get("s")).values == {"a": 11, "c": 3}


async def test_a_session_over_a_stricter_quota_can_still_be_edited(cache: AsyncSessionCache) -> None:
    """A session that holds more than a new policy allows takes every write that does not add to it."""
    session = Session(id="s")
    await cache.sessions.save(session, messages=[{"n": 1}] * 4, documents={"a": 1, "b": 2}, updates={"u": 1, "v": 2})
    await cache.retention.save(RetentionPolicy(quota_messages=2, quota_bytes=1, quota_entries=1))
    session.status = "busy"
    await cache.sessions.save(session, documents={"a": 3}, updates={"v": 4})
    await cache.transcripts.save("s", [{"n": 2}], through=2)

    assert (await cache.transcripts.list("s")).messages == [{"n": 2}, {"n": 1}, {"n": 1}]
    assert (await cache.documents.get("s")).values == {"a": 3, "b": 2}
    for write in (cache.transcripts.append("s", {}), cache.documents.save("s", {"c": 1})):
        with pytest.raises(LimitExceeded):
            await write
