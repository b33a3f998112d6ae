"""How an audit goes: read-only, beside writers, in parts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, InvalidArgument, NotFound, RetentionPolicy, Session, audit
from sessioncache.audit import AuditReport
from sessioncache.cli.demo.conversations import bundled_conversations, turns_of
from sessioncache.embedded import EmbeddedServer
from sessioncache.encryption import AESGCMCodec
from sessioncache.errors import DataError
from sessioncache.maintenance import compact, expire, prune, reconcile
from sessioncache.namespaces.server import EvictionPolicyWarning
from tests.audit.furnished import furnish
from tests.engines import Engine
from tests.engines.caches import make_async_cache
from tests.engines.monitor import monitored

READS = {
    *("evalsha", "script", "info", "time", "type", "pttl", "pexpiretime", "scan", "exists"),
    *("hget", "hmget", "hgetall", "hlen", "hexists", "hscan", "llen", "lindex", "lrange"),
    *("zscore", "zcard", "zscan", "zrangebylex", "zrange", "xlen", "xrange", "xrevrange", "echo", "hello", "client"),
}
"""All that an audit may say to a server."""


@pytest.mark.engines("valkey", "redis")
async def test_nothing_is_written(cache: AsyncSessionCache, engine: Engine) -> None:
    """Seen from the server, an audit is reads alone, though reading slides deadlines in this namespace."""
    await furnish(cache)
    await cache.retention.save(RetentionPolicy(slide_on_read=True))
    assert engine.server is not None
    with monitored(engine.server.port) as lines:
        report = await audit.run(cache, pace=0)
    assert report.clean
    said = {line[1].lower() for line in lines}
    assert said - READS == set()
    assert {"evalsha", "scan", "xrange", "lrange"} <= said


@pytest.mark.engines("valkey")
async def test_what_moving_a_slot_does_to_expiries_is_no_damage(cache: AsyncSessionCache, engine: Engine) -> None:
    """MIGRATE makes each key expire later by what its move took; keys that are so apart are no finding."""
    await furnish(cache)
    assert engine.server is not None
    keys = engine.server.command("KEYS", f"sc:{{{cache.settings.namespace}:*")
    assert isinstance(keys, list)
    for number, key in enumerate(key for key in keys if isinstance(key, bytes) and not key.endswith(b":tombstone")):
        expires = engine.server.command("PEXPIRETIME", key)
        if isinstance(expires, int) and expires > 0:
            engine.server.command("PEXPIREAT", key, expires + 700 + number % 3 * 700)
    assert (await audit.run(cache, pace=0)).clean


async def write(cache: AsyncSessionCache, first: int, finished: asyncio.Event) -> None:
    """What agents do, to a few sessions."""
    for n in itertools.count(first):
        name = f"s{n * 7 % 12}"
        await cache.transcripts.append(name, [{"n": n}, {"role": "tool"}])
        await cache.sessions.save(Session(id=name, user=f"u{n % 3}"), documents={"d": n}, updates={f"u{n % 5}": n})
        await cache.checkpoints.save(name, f"c{n % 3}", n)
        with contextlib.suppress(NotFound):
            await cache.sessions.update(name, user=f"u{n % 4}")
        if n % 3 == 0:
            await cache.transcripts.save(name, [{"n": n}] * 30)
        if n % 5 == 0:
            await cache.transcripts.pop(name)
        if n % 7 == 0:
            await cache.sessions.delete(name)
        if finished.is_set():
            return


async def work(cache: AsyncSessionCache, finished: asyncio.Event) -> None:
    """What workers do."""
    while not finished.is_set():
        for shard in range(2):
            for job in (compact, prune, expire, reconcile):
                await job.run(cache, shard, limit=100)


@pytest.mark.engines("valkey", "cluster")
async def test_writers_raise_no_false_alarm(engine: Engine, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside agents that write and delete, and workers that seal, trim and repair, nothing is found."""
    monkeypatch.setattr("sessioncache.audit.shards.BATCH", 5)
    policy = RetentionPolicy(ttl_ms=60_000, keep_messages=40, seal_idle_ms=1, seal_keep=2, feed_items=100)
    finished = asyncio.Event()
    reports: list[AuditReport] = []
    async with make_async_cache(engine, namespace, shards=2) as cache:
        await cache.retention.save(policy)
        await asyncio.gather(*(cache.transcripts.append(f"s{n}", [{"n": n}] * 200) for n in range(12)))
        async with asyncio.TaskGroup() as group:
            for writer in range(3):
                group.create_task(write(cache, writer, finished))
            group.create_task(work(cache, finished))
            reports += [await audit.run(cache, pace=0) for _ in range(8)]
            finished.set()
        assert [report.found for report in reports] == [{}] * len(reports)
        assert all(report.sessions for report in reports)
        last = await audit.run(cache, pace=0)
        assert (last.found, last.clean) == ({}, True)


async def test_the_conversations_of_the_demonstration(cache: AsyncSessionCache) -> None:
    """Conversations of several shapes, with tool calls, are clean on every kind of server."""
    conversations = bundled_conversations()
    for number, conversation in enumerate(conversations):
        for turn in turns_of(conversation):
            await cache.transcripts.append(f"c{number}", turn)
    report = await audit.run(cache, pace=0)
    assert (report.found, report.clean, report.sessions) == ({}, True, len(conversations))


async def test_an_audit_goes_on_where_the_limit_stopped_it(cache: AsyncSessionCache) -> None:
    """A limit ends an audit within a shard; from that shard on, the rest is looked at."""
    await asyncio.gather(*(cache.transcripts.append(f"s{n}", {"n": n}) for n in range(40)))
    first = await audit.run(cache, limit=20, pace=0)
    assert (first.finished, first.clean, first.found) == (False, False, {})
    assert first.next_shard is not None
    assert first.audited == list(range(first.next_shard))
    second = await audit.run(cache, shards=range(first.next_shard, 4), pace=0)
    assert (second.finished, second.next_shard) == (True, None)
    assert sorted(first.audited + second.audited) == [0, 1, 2, 3]


async def test_one_shard_alone(cache: AsyncSessionCache) -> None:
    """An audit of one shard sees its sessions and keys and no others."""
    await asyncio.gather(*(cache.transcripts.append(f"s{n}", {"n": n}) for n in range(40)))
    reports = [await audit.run(cache, shards=[shard], pace=0) for shard in range(4)]
    whole = await audit.run(cache, pace=0)
    assert [report.audited for report in reports] == [[0], [1], [2], [3]]
    assert sum(report.sessions for report in reports) == whole.sessions == 40
    assert all(0 < report.keys < whole.keys for report in reports)
    with pytest.raises(InvalidArgument, match="shard"):
        await audit.run(cache, shards=[4])


async def test_what_is_overdue_is_no_finding(cache: AsyncSessionCache) -> None:
    """Sessions past their deadline that nobody has swept are counted, not reported."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await cache.transcripts.append("s", {"n": 1})
    cache.keys.now_override_ms = (await cache.stats.shards())[0].now_ms + 10
    report = await audit.run(cache, pace=0)
    assert (report.found, report.overdue, report.clean) == ({}, 1, True)


async def test_payloads_of_another_codec_are_counted(engine: Engine, namespace: str) -> None:
    """Without the key nothing is taken for damaged; with it every payload is read, and a wrong key is told."""
    codecs = [AESGCMCodec({"k": bytes([n]) * 32}) for n in (1, 2)]

    async def audited(**options: Any) -> AuditReport:
        async with make_async_cache(engine, namespace, **options) as cache:
            return await audit.run(cache, pace=0)

    async with make_async_cache(engine, namespace, codec=codecs[0]) as cache:
        await cache.transcripts.append("s", {"n": 1})
        await cache.context.save("s", {"n": 1})
    without, right, wrong = await audited(), await audited(codec=codecs[0]), await audited(codec=codecs[1])
    assert (without.found, without.unread, right.found, right.unread) == ({}, 2, {}, 0)
    assert set(wrong.found) == {"message", "entry"}


@pytest.mark.engines("acl")
async def test_a_user_who_may_not_scan(cache: AsyncSessionCache) -> None:
    """An agent's rights are enough for all but the walk over the keys, and the report says so."""
    await furnish(cache)
    report = await audit.run(cache, pace=0)
    assert (report.found, report.finished) == ({}, False)
    assert "not walked over" in report.notes[0]
    assert (await audit.run(cache, pace=0, scan=False)).clean


async def test_a_server_that_evicts_is_the_evidence(namespace: str) -> None:
    """Where a server removes single keys, sessions are torn, and the report says that it did, and by which policy."""
    options = {"maxmemory": "4mb", "maxmemory-policy": "allkeys-random"}
    with EmbeddedServer(appendonly=False, options=options) as server:
        with pytest.warns(EvictionPolicyWarning):
            cache = await AsyncSessionCache.from_url(server.url, namespace=namespace, shards=1).open()
        message = {"x": "y" * 4_000}
        for name in range(800):
            with contextlib.suppress(DataError):
                await cache.transcripts.append(f"s{name}", message)
        report = await audit.run(cache, pace=0)
        await cache.aclose()
    assert {"orphan", "messages"} & set(report.found)
    assert any("has evicted" in note for note in report.notes)
    assert any("allkeys-random" in note for note in report.notes)
