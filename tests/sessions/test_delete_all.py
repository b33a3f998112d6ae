"""Removing every session of a namespace, beside whatever else lies in the server."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from sessioncache import AsyncSessionCache, InvalidArgument, RetentionPolicy, Session, SessionCache, SessionGone
from sessioncache.maintenance.batch import chunks
from sessioncache.transcripts import lua as transcripts_lua
from sessioncache.wire.call import Write, new_operation_id
from tests.engines import Engine, clients, list_keys
from tests.engines.caches import make_async_cache

COUNT = 100_000
SLOW_US = 10_000


async def fill(cache: AsyncSessionCache, count: int = 20) -> None:
    """So many sessions, each with messages, a document and a checkpoint."""
    for number in range(count):
        session = Session(id=f"s{number}", user=f"u{number % 3}")
        await cache.sessions.save(session, messages=[{"n": number}], documents={"state": {"n": number}})
        await cache.checkpoints.save(f"s{number}", f"c{number}", {"n": number})


async def test_nothing_of_any_session_stays(cache: AsyncSessionCache, engine: Engine) -> None:
    """Records, transcripts, rooms, lists, links and totals are gone; the feed tells of each."""
    await fill(cache)
    before = (await cache.stats.get()).changes
    assert await cache.sessions.delete_all() == 20
    stats = await cache.stats.get()
    assert (stats.sessions, stats.messages, stats.bytes, stats.entries) == (0, 0, 0, 0)
    assert stats.changes == before + 20
    kinds = {key.name.rpartition(":")[2] for key in list_keys(engine)}
    assert kinds <= {"config", "policy", "totals", "feed", "tombstone"}
    assert await cache.sessions.delete_all() == 0


async def test_small_batches_delete_as_much(cache: AsyncSessionCache) -> None:
    """A batch of one session a round trip comes to the same end."""
    await fill(cache, 9)
    assert await cache.sessions.delete_all(batch=1) == 9
    assert await cache.sessions.count() == 0


async def test_the_policy_stays(cache: AsyncSessionCache) -> None:
    """Deleting the sessions changes nothing of what the namespace is."""
    policy = RetentionPolicy(ttl_ms=7_200_000, keep_messages=7)
    await cache.retention.save(policy)
    await fill(cache, 3)
    await cache.sessions.delete_all()
    assert await cache.retention.get() == policy


async def test_other_namespaces_stay(cache: AsyncSessionCache, engine: Engine, namespace: str) -> None:
    """Sessions of the same ids in a namespace whose name begins with this one's are not touched."""
    async with make_async_cache(engine, f"{namespace}-other") as other:
        await fill(cache, 5)
        await fill(other, 5)
        assert await cache.sessions.delete_all() == 5
        assert await other.sessions.count() == 5
        assert (await other.documents.get("s3", "state")).values == {"state": {"n": 3}}


@pytest.mark.foreign_keys
async def test_foreign_keys_stay(cache: AsyncSessionCache, engine: Engine, namespace: str) -> None:
    """Keys that others put into the server, ours in looks or not, are as they were."""
    foreign = {"user:1": b"a", "sc:note": b"b", f"sc:{{{namespace}}}:their-own": b"c", f"{namespace}:s:s1": b"d"}
    opened = [client for _port, client in clients(engine)]
    owner: dict[str, Redis] = {}
    for name, value in foreign.items():
        owner[name] = _put(opened, name, value)
    await fill(cache, 5)
    assert await cache.sessions.delete_all() == 5
    assert {name: client.get(name) for name, client in owner.items()} == foreign
    for client in opened:
        client.close()


def _put(opened: list[Redis], name: str, value: bytes) -> Redis:
    """Set a key on the node that takes it."""
    for client in opened:
        try:
            client.set(name, value)
        except ResponseError:
            continue
        return client
    raise AssertionError(f"no node takes {name}")


async def test_what_only_other_lists_know_goes(cache: AsyncSessionCache, engine: Engine) -> None:
    """A session that the list by user lost is found in the others, and rows of sessions that are gone are removed."""
    await fill(cache, 6)
    lost, ghost = cache.keys.session("s1").shard, cache.keys.session("ghost")
    for _port, client in clients(engine):
        with client:
            _damage(client, lost.by_user, ghost.shard.by_user, ghost.shard.by_updated)
    assert await cache.sessions.delete_all() == 6
    shards = await cache.stats.shards()
    assert [shard.indexed for shard in shards] == [0, 0, 0, 0]
    assert not {key.name for key in list_keys(engine) if key.name.endswith(("by-user", "by-updated", "deadlines"))}


def _damage(client: Redis, lost: str, by_user: str, by_updated: str) -> None:
    """One list by user is gone, and a ghost stands in two lists."""
    with suppress(ResponseError):
        client.delete(lost)
    with suppress(ResponseError):
        client.zadd(by_user, {"u1\0ghost": 0})
        client.zadd(by_updated, {"ghost": 1})


async def test_links_of_sessions_that_vanished_go(cache: AsyncSessionCache, engine: Engine) -> None:
    """What the links say of a session that the server expired by itself is removed, too."""
    await fill(cache, 3)
    keys = cache.keys.session("s1")
    for _port, client in clients(engine):
        with client, suppress(ResponseError):
            client.delete(keys.record, keys.transcript, keys.operations, *keys.room("documents"))
            client.delete(*keys.room("checkpoints"))
    assert await cache.sessions.delete_all() == 2
    assert not {key.name for key in list_keys(engine) if key.name.endswith(("links", "by-user", "by-updated"))}


async def test_torn_and_overdue_sessions_go(cache: AsyncSessionCache, engine: Engine) -> None:
    """A session that lost its transcript is deleted as any other; one past its deadline goes, and does not count."""
    await fill(cache, 4)
    await cache.retention.update("s1", ttl_ms=60_000)
    [torn] = [key for key in list_keys(engine) if key.name.endswith("s:s2:transcript")]
    for _port, client in clients(engine):
        with client, suppress(ResponseError):
            client.unlink(torn.name)
    session = await cache.sessions.get("s1")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 1
    assert await cache.sessions.delete_all() == 3
    assert await cache.sessions.count() == 0
    assert (await cache.stats.get()).overdue == 0


async def test_a_late_writer_does_not_bring_a_session_back(cache: AsyncSessionCache) -> None:
    """Who still holds a session that was deleted with all others is told so."""
    session = Session(id="s")
    await cache.sessions.save(session)
    await cache.sessions.delete_all()
    with pytest.raises(SessionGone):
        await cache.sessions.save(session)


async def test_a_batch_out_of_range_is_refused(cache: AsyncSessionCache) -> None:
    """A batch is one session at least, and five thousand at most."""
    for batch in (0, -1, 5_001):
        with pytest.raises(InvalidArgument):
            await cache.sessions.delete_all(batch=batch)


def test_the_sync_client_deletes_them_too(sync_cache: SessionCache) -> None:
    """The sync twin does the same."""
    for number in range(5):
        sync_cache.transcripts.append(f"s{number}", {"n": number})
    assert sync_cache.sessions.delete_all() == 5
    assert sync_cache.sessions.count() == 0


@pytest.mark.engines("valkey", "redis")
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_block_nobody(engine: Engine, namespace: str) -> None:
    """No command of ours takes the server ten milliseconds, however many sessions there are."""
    async with make_async_cache(engine, namespace) as cache:
        marks, payloads = cache.transcripts._encoder.encode([{"n": 1}])
        for numbers in chunks(range(COUNT), 2_000):
            calls = [
                transcripts_lua.append(
                    session=cache.keys.session(f"s{number}"),
                    write=Write(new_operation_id()),
                    user="",
                    marks=marks,
                    payloads=payloads,
                )
                for number in numbers
            ]
            await cache._transport.call_many(calls)
        [(_port, client)] = clients(engine)
        with client:
            client.config_set("slowlog-log-slower-than", SLOW_US)
            client.config_set("slowlog-max-len", 10_000)
            client.slowlog_reset()
            client.config_resetstat()
            assert await cache.sessions.delete_all() == COUNT
            slow: Any = client.slowlog_get(10_000)
            stats: Any = client.info("commandstats")
        # A busy machine makes the server wait now and then, in any command: so the mean of each command is judged,
        # and how many of all were slow. A command that looks at all sessions would be slow each time.
        ours = {
            name: stats[f"cmdstat_{name}"] for name in ("zrangebylex", "zscan", "evalsha") if f"cmdstat_{name}" in stats
        }
        assert "evalsha" in ours
        assert {name: stat["usec_per_call"] for name, stat in ours.items() if stat["usec_per_call"] >= SLOW_US} == {}
        assert len(slow) < COUNT / 20
