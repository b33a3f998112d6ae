"""AsyncSessionCache and SessionCache: options, opening, handles, closing."""

from __future__ import annotations

import inspect

import pytest

from sessioncache import AsyncSessionCache, ConfigurationError, InvalidArgument, SessionCache, Settings
from sessioncache.entities import EntityMention
from tests.engines import Engine
from tests.engines.caches import make_async_cache, make_sync_cache


async def test_it_opens_by_itself(engine: Engine, namespace: str) -> None:
    """A cache that nobody opened opens at its first call, and can be closed twice."""
    cache = make_async_cache(engine, namespace)
    try:
        assert await cache.sessions.count() == 0
    finally:
        await cache.aclose()
        await cache.aclose()


async def test_a_handle_is_the_nouns_with_the_id_filled_in(cache: AsyncSessionCache) -> None:
    """What a handle does is what the nouns do to that session, and to no other."""
    handle = cache.session("chat-1")
    await handle.transcript.append([{"n": 1}, {"n": 2}])
    await handle.update(title="One")
    session = await handle.get()

    assert session is not None
    assert (session.id, session.title, session.messages) == ("chat-1", "One", 2)
    assert [entry.seq async for entry in handle.transcript.each()] == [1, 2]
    assert (await handle.transcript.list(last=1)).messages == [{"n": 2}]
    assert await handle.transcript.count() == 2
    await handle.documents.save({"d": 1})
    await handle.context.save({"u": {"a": 1}})
    await handle.context.save_state({"open": []})
    await handle.checkpoints.save("c", {"n": 1})
    entry = await handle.qa.append("q", "a")
    await handle.traces.append({"origin_function": "f"})
    await handle.usage.append({"model": "m", "input_tokens": 3})
    await handle.entities.save(entities=[EntityMention(name="Ada")])
    async with handle.hold(ttl_ms=60_000) as lease:
        await handle.transcript.append({"n": 3}, base=lease.base)
    assert (await handle.documents.get()).values == {"d": 1, "state": {"open": []}}
    assert [update.id for update in await handle.context.list()] == ["u"]
    assert [checkpoint.id for checkpoint in await handle.checkpoints.list()] == ["c"]
    assert [one.id for one in await handle.qa.last(1)] == [entry]
    assert (await handle.traces.count(), await handle.usage.count()) == (1, 1)
    assert (await handle.entities.count()).entities == 1
    assert (await handle.retain(ttl_ms=1_000_000)).deadline_at is not None
    assert await handle.transcript.pop() is not None
    assert (await handle.transcript.save([{"n": 9}])).count == 1
    assert await handle.transcript.delete()
    assert await handle.delete()
    assert not await handle.exists()
    assert "chat-1" in repr(handle)


@pytest.mark.engines("valkey")
async def test_a_handle_refuses_a_bad_id_at_once(cache: AsyncSessionCache) -> None:
    """A handle is not made for an id that can never work."""
    with pytest.raises(InvalidArgument):
        cache.session("")


@pytest.mark.parametrize(
    "options,text",
    [
        ({"namespace": "a b"}, "namespace 'a b'"),
        ({"namespace": "x" * 65}, "1 to 64"),
        ({"shards": 0}, "shards"),
        ({"shards": 20_000}, "shards"),
        ({"comand_timeout_ms": 5}, "did you mean 'command_timeout_ms'"),
        ({"durability": "maybe"}, "durability"),
        ({"command_timeout_ms": 0}, "command_timeout_ms"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, object], text: str) -> None:
    """A wrong option or value is ConfigurationError that names it, before anything is dialled."""
    with pytest.raises(ConfigurationError, match=text):
        AsyncSessionCache.from_url("redis://localhost:1", **options)  # type: ignore[arg-type] # the point of the test
    with pytest.raises(ConfigurationError, match=text):
        SessionCache.from_url("redis://localhost:1", **options)  # type: ignore[arg-type] # the point of the test


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """SESSIONCACHE_* variables fill in what is not given; arguments win."""
    monkeypatch.setenv("SESSIONCACHE_NAMESPACE", "from-env")
    monkeypatch.setenv("SESSIONCACHE_SHARDS", "7")
    cache = SessionCache.from_url("redis://localhost:1", shards=9)
    try:
        assert (cache.settings.namespace, cache.settings.shards) == ("from-env", 9)
    finally:
        cache.close()


@pytest.mark.parametrize("shards", [1, 64, 300])
async def test_any_number_of_shards_works(engine: Engine, namespace: str, shards: int) -> None:
    """Lists, counts and totals are right over one shard as over hundreds."""
    async with make_async_cache(engine, namespace, shards=shards) as cache:
        for number in range(12):
            await cache.transcripts.append(f"s{number}", {"n": number})
        stats = await cache.stats.get()

        assert len(await cache.sessions.list(limit=50)) == 12
        assert (stats.shards, stats.sessions, stats.messages) == (shards, 12, 12)


async def test_another_shard_count_is_refused(engine: Engine, namespace: str) -> None:
    """A cache that disagrees with the namespace about its shards is refused, with the count that is right."""
    async with make_async_cache(engine, namespace, shards=8) as cache:
        await cache.transcripts.append("s", {"n": 1})
    with pytest.raises(ConfigurationError, match="SESSIONCACHE_SHARDS=8"):
        async with make_async_cache(engine, namespace, shards=16):
            raise AssertionError("it must not open")
    with (
        pytest.raises(ConfigurationError, match="SESSIONCACHE_SHARDS=8"),
        make_sync_cache(engine, namespace, shards=16),
    ):
        raise AssertionError("it must not open")


@pytest.mark.engines("valkey", "cluster", "acl")
async def test_a_namespace_is_found_with_its_shard_count(engine: Engine, namespace: str) -> None:
    """Who finds a namespace has its shard count, whatever the settings say, and makes none where there is none."""
    assert await AsyncSessionCache.find(engine.url, namespace=namespace, shards=3) is None
    assert SessionCache.find(engine.url, namespace=namespace) is None
    async with make_async_cache(engine, namespace, shards=8) as cache:
        await cache.transcripts.append("s", {"n": 1})
    found = await AsyncSessionCache.find(engine.url, namespace=namespace, shards=3)
    assert found is not None
    async with found:
        assert found.keys.shards == found.settings.shards == 8
        assert await found.transcripts.list("s")
    there = SessionCache.find(engine.url, namespace=namespace)
    assert there is not None
    with there:
        assert there.transcripts.count("s") == 1


@pytest.mark.engines("valkey", "cluster")
async def test_what_was_found_is_not_made_again(engine: Engine, namespace: str) -> None:
    """A namespace that is removed after it was found stays removed."""
    async with make_async_cache(engine, namespace) as cache:
        await cache.transcripts.append("s", {"n": 1})
        found = await AsyncSessionCache.find(engine.url, namespace=namespace)
        assert found is not None
        engine.flush()
        with pytest.raises(ConfigurationError, match="no such namespace"):
            await found.open()
        await found.aclose()
    assert await AsyncSessionCache.find(engine.url, namespace=namespace) is None


@pytest.mark.engines("valkey")
async def test_a_namespace_of_a_newer_release_is_refused(engine: Engine, namespace: str) -> None:
    """Whoever finds a namespace with a newer schema is told to upgrade."""
    async with make_async_cache(engine, namespace):
        pass
    assert engine.server is not None
    engine.server.command("HSET", f"sc:{{{namespace}}}:config", "schema", "99")
    with pytest.raises(ConfigurationError, match=r"schema 99.*upgrade"):
        await AsyncSessionCache.find(engine.url, namespace=namespace)


async def test_namespaces_do_not_see_each_other(engine: Engine, namespace: str) -> None:
    """The same id in two namespaces is two sessions."""
    async with make_async_cache(engine, namespace) as one, make_async_cache(engine, f"{namespace}2") as two:
        await one.transcripts.append("s", {"n": 1})

        assert not await two.sessions.exists("s")
        assert await two.sessions.count() == 0
        await two.sessions.delete("s")
        assert await one.sessions.exists("s")


def test_both_colours_have_the_same_methods() -> None:
    """Every public method of the async nouns exists in the sync ones, with the same parameters."""
    settings = Settings()
    pairs = [(AsyncSessionCache, SessionCache)]
    a, b = AsyncSessionCache.from_url(settings.url), SessionCache.from_url(settings.url)
    pairs += [
        (type(getattr(a, noun)), type(getattr(b, noun)))
        for noun in ("sessions", "transcripts", "feed", "retention", "stats", "leases", "upkeep")
    ]
    for many, one in pairs:
        names = {name for name in vars(many) if not name.startswith("_")} - {"aclose"}
        assert names == {name for name in vars(one) if not name.startswith("_")} - {"close"}
        for name in names:
            if inspect.isfunction(getattr(many, name)):
                given = list(inspect.signature(getattr(many, name)).parameters)
                assert given == list(inspect.signature(getattr(one, name)).parameters)
    b.close()
