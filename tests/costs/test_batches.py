"""Background work goes through a shard in batches: 500 sessions a round trip at most, in a few round trips a batch."""

from __future__ import annotations

from math import ceil

import pytest

from sessioncache import RetentionPolicy
from sessioncache.maintenance import Report, batch, expire, prune, reconcile
from sessioncache.maintenance.pace import BATCH, Pace
from tests.costs.measure import Meter, metered
from tests.costs.test_costs import sessions
from tests.engines import Engine

pytestmark = pytest.mark.engines("valkey", "cluster")

SIZE = 1_700
VIEW = 3
"""What a look at a shard's totals sends beside its batch."""

JOBS = {"expire": expire.run, "prune": prune.run, "reconcile": reconcile.run}
START_MS = 2_300_000_000_000


@pytest.fixture(autouse=True)
def _full_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of batches follows how busy the server is; here they are as large as they may be."""
    monkeypatch.setattr(batch, "pace_of", lambda _cache, _job: Pace(BATCH))


async def run(meter: Meter, job: str, *, limit: int = 100_000) -> Report:
    """Run a job on the only shard, and forget what was counted before."""
    meter.recorder.clear()
    return await JOBS[job](meter.cache, 0, limit=limit)


def largest(meter: Meter) -> int:
    """Calls in the largest round trip."""
    return max(map(len, meter.recorder.round_trips))


@pytest.mark.parametrize("job", JOBS)
async def test_a_shard_is_worked_through_in_batches(engine: Engine, namespace: str, job: str) -> None:
    """Every session is looked at, 500 at most in a round trip, in a few round trips a batch."""
    async with metered(engine, namespace, shards=1) as meter:
        meter.cache.keys.now_override_ms = START_MS
        await meter.cache.retention.save(RetentionPolicy(ttl_ms=60_000, keep_messages=1))
        await sessions(meter.cache, SIZE)
        meter.cache.keys.now_override_ms = START_MS + 60_001 if job == "expire" else START_MS
        report = await run(meter, job)

        assert report.done
        assert report.examined == SIZE + 1
        assert largest(meter) <= BATCH + VIEW
        # Reconcile also keeps what it has counted, and counts what was changed meanwhile.
        each = 7 if job == "reconcile" else 5
        assert len(meter.recorder.round_trips) <= each * ceil(SIZE / BATCH) + 13


@pytest.mark.parametrize("job", JOBS)
async def test_a_job_stops_at_its_limit(engine: Engine, namespace: str, job: str) -> None:
    """A job that may look at ten sessions looks at ten, whatever the shard holds."""
    async with metered(engine, namespace, shards=1) as meter:
        meter.cache.keys.now_override_ms = START_MS
        await meter.cache.retention.save(RetentionPolicy(ttl_ms=60_000, keep_messages=1))
        await sessions(meter.cache, 2 * BATCH)
        meter.cache.keys.now_override_ms = START_MS + 60_001 if job == "expire" else START_MS
        report = await run(meter, job, limit=10)

        assert not report.done
        assert report.examined == 10
        assert largest(meter) <= 10 + VIEW
