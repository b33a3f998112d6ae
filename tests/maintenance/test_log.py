"""What the log says of batches."""

from __future__ import annotations

import itertools
import logging

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.maintenance import batch, expire
from sessioncache.maintenance.pace import Pace

FAR_MS = 30 * 24 * 3_600_000
SESSIONS = 12

pytestmark = pytest.mark.engines("valkey", "fakeredis")


async def sweep(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch, *, step_s: float) -> None:
    """Sweep twelve sessions in batches of two, while this machine's clock moves by so much at each look."""
    now_ms = 1_800_000_000_000
    cache.keys.now_override_ms = now_ms
    for number in range(SESSIONS):
        await cache.transcripts.append(f"s{number}", {"n": number})
    cache.keys.now_override_ms = now_ms + FAR_MS
    clock = itertools.count(step=step_s)
    monkeypatch.setattr(batch, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(batch, "pace_of", lambda _cache, _job: Pace(batch=2))
    monkeypatch.setattr(batch, "next_pace", lambda pace, **_seen: pace)
    assert (await expire.run(cache, 0, limit=100)).changed == SESSIONS


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int]]:
    """What each line says: examined, changed."""
    lines = [vars(record)["fields"] for record in caplog.records if record.getMessage() == "batch"]
    return [(line["examined"], line["changed"]) for line in lines]


async def test_info_has_few_lines_that_tell_of_all(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first batch has a line, and the end; what happened between them within a second is in the last one."""
    caplog.set_level(logging.INFO, "sessioncache.maintenance")
    await sweep(cache, monkeypatch, step_s=0.001)
    assert told(caplog) == [(2, 2), (10, 10)]


async def test_info_has_a_line_a_second(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that takes long tells of itself meanwhile."""
    caplog.set_level(logging.INFO, "sessioncache.maintenance")
    await sweep(cache, monkeypatch, step_s=1.0)
    assert told(caplog) == [(2, 2)] * (SESSIONS // 2)


async def test_debug_has_a_line_a_batch(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who wants to know all hears of every batch as it ends."""
    caplog.set_level(logging.DEBUG, "sessioncache.maintenance")
    await sweep(cache, monkeypatch, step_s=0.001)
    assert told(caplog) == [(2, 2)] * (SESSIONS // 2)
