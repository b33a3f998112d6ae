"""Dry runs: they say what would be done, and do nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.freshness import SourceReference, WholeFile
from sessioncache.maintenance import JOBS, Report, adopt, relieve
from sessioncache.types import datetime_from_ms
from tests.engines import Engine
from tests.engines.keys import clients
from tests.engines.monitor import monitored
from tests.maintenance.conftest import Surgeon

DAY_MS = 86_400_000
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}
WRITES = {
    *("SET", "HSET", "HDEL", "HINCRBY", "UNLINK", "DEL", "RENAME", "COPY", "PERSIST", "PEXPIRE", "PEXPIREAT", "RPUSH"),
    *("LPOP", "LSET", "LREM", "LTRIM", "ZADD", "ZREM", "XADD", "XTRIM", "XDEL"),
}

pytestmark = pytest.mark.engines("fakeredis", "valkey")


def everything(engine: Engine) -> dict[bytes, tuple[object, int]]:
    """All keys, with what they hold and when they expire."""
    [(_port, client)] = clients(engine)
    with client:
        keys = client.keys("*")
        assert isinstance(keys, list)
        return {key: (client.dump(key), client.pexpiretime(key)) for key in sorted(keys)}


async def make_work(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Something for every job."""
    now = cache.keys.now_override_ms = int(time.time() * 1000) - DAY_MS
    source = SourceReference("entry", "a.py", b"1", datetime_from_ms(now), WholeFile())
    for name in ("idle", "due", "linked", "long"):
        await cache.transcripts.append(name, [{"role": "user", "n": n} for n in range(20)])
        await cache.transcripts.append(name, [CALL, RESULT])
    await cache.freshness.register("linked", source)
    await cache.retention.update("due", ttl_ms=60_000)
    await cache.transcripts.save("long", [{"role": "user", "n": n} for n in range(1_400)])
    await cache.transcripts.save("tools", [{"role": "tool" if n % 700 else "user", "n": n} for n in range(1_400)])
    await JOBS["compact"].run(cache, 0, limit=100)
    cache.keys.now_override_ms = now + 2 * 3_600_000
    await cache.retention.save(RetentionPolicy(keep_messages=10, keep_age_ms=3_600_000))
    await cache.transcripts.append("idle", {"role": "user", "content": "later"})
    shard = cache.keys.shard(0)
    with surgeon.at(shard.totals) as client:
        client.hincrby(shard.totals, "messages", 7)
        client.zrem(shard.by_updated, "idle")
        client.zrem(shard.by_user, "default\0linked")
        client.zremrangebyrank(shard.links, 0, 0)
        client.zadd(shard.links, {"c\0nothing\0nobody": 0})


async def digest_is_kept(engine: Engine, run: Callable[[], Awaitable[Report]]) -> Report:
    """What a dry run says; it has changed no key, and tried no command that could."""
    before = everything(engine)
    if engine.name == "fakeredis":
        report = await run()
    else:
        with monitored(int(engine.url.rpartition(":")[2].partition("/")[0])) as seen:
            report = await run()
        assert {words[1].upper() for words in seen if len(words) > 1} & WRITES == set()
    assert everything(engine) == before
    assert report.dry_run
    return report


@pytest.mark.parametrize("job", [*sorted(JOBS.keys() - {"archive", "summarise"}), "adopt"])
async def test_a_dry_run_changes_nothing(cache: AsyncSessionCache, engine: Engine, surgeon: Surgeon, job: str) -> None:
    """The database is the same afterwards, key by key; what a real run then does is what the dry run has said."""
    await make_work(cache, surgeon)
    run = adopt.run if job == "adopt" else JOBS[job].run
    dry = await digest_is_kept(engine, lambda: run(cache, 0, limit=1_000, dry_run=True))
    real = await run(cache, 0, limit=1_000)
    assert (dry.examined, dry.changed, dry.details, dry.done) == (
        real.examined,
        real.changed,
        real.details,
        real.done,
    )
    assert dry.changed > 0


@pytest.mark.engines("valkey")
async def test_relief_can_be_tried(cache: AsyncSessionCache, engine: Engine) -> None:
    """A dry run of relief names about as many sessions as would go, and none goes."""
    for number in range(60):
        await cache.transcripts.append(f"s{number}", {"role": "user", "content": "x" * 20_000})
    memory = await cache.upkeep.memory(0)
    low = 1 - 400_000 / memory.used
    report = await digest_is_kept(
        engine, lambda: relieve.run(cache, high=low + 0.001, low=low, bytes_max=memory.used, dry_run=True)
    )
    assert report.done
    assert 10 <= report.details["evicted"] <= 30
    assert (await cache.stats.get()).sessions == 60
