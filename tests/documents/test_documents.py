"""Named documents: set one by one, together, within a whole save."""

from __future__ import annotations

from typing import Any

import pytest

from sessioncache import AsyncSessionCache, DecodeError, InvalidArgument, LimitExceeded, Session, SessionTorn
from tests.engines import Engine
from tests.engines.caches import make_async_cache
from tests.engines.raw import client_for


async def test_documents_are_set_one_by_one(cache: AsyncSessionCache) -> None:
    """A save sets what it names and leaves the rest; None removes."""
    await cache.documents.save("s", {"a": {"x": [1.5, None]}, "b": "text"})
    saved = await cache.documents.save("s", {"b": None, "c": 0})
    found = await cache.documents.get("s")

    assert saved.count == 2
    assert (found.exists, found.values) == (True, {"a": {"x": [1.5, None]}, "c": 0})
    assert (await cache.documents.get("s", "c", "nobody")).values == {"c": 0}
    assert (found.gen, found.revision) == (saved.gen, saved.revision)


async def test_an_unknown_session_has_none(cache: AsyncSessionCache) -> None:
    """Reading creates nothing and says that there is no session."""
    assert not (await cache.documents.get("nobody")).exists
    assert not await cache.sessions.exists("nobody")


@pytest.mark.parametrize("values", [{}, {"": 1}, {"a\n": 1}, {"a": float("nan")}, {"a": object()}])
async def test_bad_documents_are_refused(cache: AsyncSessionCache, values: dict[str, Any]) -> None:
    """Nothing is written for a bad name, a value that is no JSON, or an empty call."""
    with pytest.raises(InvalidArgument):
        await cache.documents.save("s", values)
    assert not await cache.sessions.exists("s")


async def test_too_large_a_document_is_refused(engine: Engine, namespace: str) -> None:
    """The limit of an entry holds for documents."""
    async with make_async_cache(engine, namespace, entry_bytes_max=1_024) as cache:
        with pytest.raises(LimitExceeded, match="document 'a' is 2002 bytes long; the limit is 1024"):
            await cache.documents.save("s", {"a": "x" * 2_000})


async def test_damage_is_named(cache: AsyncSessionCache, engine: Engine) -> None:
    """A document that cannot be decoded is an error with its name; a lost one is a torn session."""
    await cache.documents.save("s", {"a": 1, "b": 2})
    (key,) = cache.keys.session("s").room("documents")
    with client_for(engine, cache.keys.session("s").record) as raw:
        raw.hset(key, "a", "{")
        with pytest.raises(DecodeError, match="document 'a'"):
            await cache.documents.get("s")
        assert (await cache.documents.get("s", "b")).values == {"b": 2}
        raw.hdel(key, "a")
    with pytest.raises(SessionTorn, match="counts 2 documents, there are 1"):
        await cache.documents.get("s", "b")


async def test_a_whole_save_is_one_write(cache: AsyncSessionCache) -> None:
    """Record, labels, messages, documents and context updates change together, at one revision, in one change."""
    async with cache.feed.subscribe("s") as changes:
        session = Session(id="s", title="t", labels={"name": "n"})
        saved = await cache.sessions.save(
            session, messages=[{"n": 1}], documents={"state": {}, "x": 1}, updates={"u1": {"a": 1}, "u2": {"a": 2}}
        )
        later = await cache.sessions.save(session, documents={"x": None}, updates={"u1": None, "u3": {"a": 3}})
        seen = await changes.read()

    found = await cache.documents.get("s")
    assert (found.values, found.revision) == ({"state": {}}, later.revision)
    assert later.revision == saved.revision + 1
    assert [change.kind for change in seen] == ["session.saved", "session.saved"]
    stored = await cache.sessions.get("s")
    assert stored is not None
    assert (stored.title, stored.labels, stored.messages) == ("t", {"name": "n"}, 1)


async def test_a_save_takes_as_many_documents_as_it_says(cache: AsyncSessionCache) -> None:
    """5,000 documents in one save are set, and cleared, at once; all of them can be asked for by their names."""
    names = [f"d{number}" for number in range(5_000)]
    await cache.sessions.save(Session(id="s"), messages=[{"n": 1}], documents=dict.fromkeys(names, 1))
    assert len((await cache.documents.get("s", *names, *names)).values) == 5_000
    saved = await cache.sessions.save(Session(id="s"), documents=dict.fromkeys(names))

    found = await cache.documents.get("s")
    assert (found.values, found.revision, saved.revision) == ({}, 2, 2)
    assert (await cache.stats.get()).entries == 0


async def test_labels_are_shown_by_lists(cache: AsyncSessionCache) -> None:
    """A list shows the labels that it was asked for; saves of others leave them, and an edit sets and clears them."""
    await cache.sessions.save(Session(id="s", labels={"name": "n", "path": "/p"}))
    await cache.sessions.save(Session(id="s", metadata={"a": 1}))
    await cache.sessions.update("s", labels={"path": None, "more": "m"})

    (shown,) = await cache.sessions.list(labels=("name", "path", "more"))
    assert shown.labels == {"name": "n", "more": "m"}
    (shown,) = await cache.sessions.list(labels=("more",), user=None)
    assert shown.labels == {"more": "m"}
    assert (await cache.sessions.list()).items[0].labels == {}
