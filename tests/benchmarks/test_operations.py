"""The stages of workers, quick ones; nothing here is about how long anything takes."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.bars import judge
from benchmarks.filling import fill
from benchmarks.results import Results
from sessioncache import AsyncSessionCache, audit
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance import reconcile

STAGES = {"reconcile", "sweep-1", "sweep-2", "sweep-4", "seal"}


async def test_what_the_bench_fills_is_what_the_product_writes() -> None:
    """An audit finds nothing, reconciling changes nothing, and every second session is overdue."""
    with EmbeddedServer(appendonly=False) as server:
        async with AsyncSessionCache.from_url(server.url, namespace="filled", shards=2) as cache:
            await fill(cache, server.url, 1_101)
            assert (await audit.run(cache, pace=0)).clean
            for shard in range(2):
                report = await reconcile.run(cache, shard, limit=10_000)
                assert (report.changed, report.done) == (0, True)
            assert sum(shard.sessions for shard in await cache.stats.shards()) == 1_101
            assert await cache.sessions.count() == 551


@pytest.mark.timeout(400)
def test_every_stage_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A quick run goes through all stages on real workers, ends with a clean audit, and judges each bar."""
    written = tmp_path / "numbers.json"
    assert main(["workers", "--quick", "--json", str(written)]) == 0
    results = Results.from_json(json.loads(written.read_text()))
    numbers = {sample.workload: sample.numbers for sample in results.samples}
    assert set(numbers) == {f"{stage}{end}" for stage in STAGES | {"idle"} for end in ("", "-base")}
    for stage in STAGES:
        assert numbers[stage]["sessions"] > 0
        assert numbers[stage]["sessions_per_s"] > 0
        assert 0 < numbers[stage]["p50_us"] <= numbers[stage]["p99_us"]
        assert 0 < numbers[f"{stage}-base"]["p50_us"] <= numbers[f"{stage}-base"]["p99_us"]
    assert numbers["reconcile"]["sessions"] >= 20_000
    assert sum(numbers[f"sweep-{count}"]["sessions"] for count in (1, 2, 4)) <= 10_000
    assert numbers["seal"]["freed_bytes"] > 0
    judged = [verdict for verdict in judge(results) if verdict.bar.at_most is not None]
    assert judged
    assert all(verdict.meets is not None for verdict in judged)
    assert "sweep, 4 workers" in capsys.readouterr().out
