"""`maintain run`: by hand, watched, tried out and stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from sessioncache import RetentionPolicy, SessionCache
from tests.cli.conftest import Command, start
from tests.engines import Engine
from tests.engines.caches import SHARDS

pytestmark = pytest.mark.engines("valkey")


def fill(cache: SessionCache, count: int, messages: int) -> None:
    """So many sessions that have too many messages."""
    for number in range(count):
        cache.transcripts.append(f"s{number}", [{"role": "user", "n": n} for n in range(messages)])
    cache.retention.save(RetentionPolicy(keep_messages=2))


def test_a_dry_run_and_then_the_run(command: Command, cache: SessionCache) -> None:
    """A dry run says what would be done and takes no lease; the run does it and says the same."""
    fill(cache, 8, 5)
    assert cache.upkeep.acquire(2, "prune", holder="somebody", ttl_ms=60_000)
    tried = command("maintain", "run", "prune", "--dry-run")
    assert tried.code == 0, tried.err
    assert "nothing was changed, this would be" in tried.out
    (dry,) = command("maintain", "run", "prune", "--dry-run", "--json").objects
    assert (dry["dry_run"], dry["changed"], dry["details"]["messages"]) == (True, 8, 24)
    assert cache.stats.get().messages == 40
    assert cache.upkeep.acquire(2, "prune", holder="somebody", ttl_ms=1)
    (done,) = [
        report for report in command("maintain", "run", "prune", "--json").objects if report["busy_shards"] == []
    ]
    assert {name: done[name] for name in ("changed", "details", "bytes", "batches")} == {
        name: dry[name] for name in ("changed", "details", "bytes", "batches")
    }
    assert cache.stats.get().messages == 16


def test_the_report_is_a_table(command: Command, cache: SessionCache) -> None:
    """People see what was examined, changed and found, in how many batches, how long it took, and what it gave back."""
    fill(cache, 3, 5)
    shown = command("maintain", "run", "prune")
    assert shown.code == 0
    names = [line.partition("  ")[0] for line in shown.out.splitlines()]
    for name in ("sessions looked at", "changed", "trimmed", "messages", "bytes reclaimed", "batches", "time"):
        assert name in names


def test_one_shard(command: Command, cache: SessionCache) -> None:
    """`--shard` leaves the others alone; a shard that is not there is a wrong argument."""
    fill(cache, 12, 5)
    shard = cache.keys.shard_of("s0")
    (report,) = command("maintain", "run", "prune", "--shard", str(shard), "--json").objects
    assert report["changed"] == sum(cache.keys.shard_of(f"s{number}") == shard for number in range(12))
    refused = command("maintain", "run", "prune", "--shard", "99")
    assert (refused.code, "the shards 0 to 3" in refused.err) == (2, True)
    assert command("maintain", "run", "relieve", "--shard", "1").code == 2


def test_a_line_for_each_batch(command: Command, cache: SessionCache) -> None:
    """`--log` writes one JSON object a batch to stderr, which names no session and holds no message."""
    fill(cache, 6, 5)
    lines = [json.loads(line) for line in command("maintain", "run", "prune", "--log", "--json").err.splitlines()]
    assert {line["event"] for line in lines} == {"batch"}
    assert sum(line["examined"] for line in lines) == 6
    assert set(lines[0]) == {"level", "event", "job", "namespace", "shard", "batch", "examined", "changed"}


def test_relief_by_hand(command: Command, cache: SessionCache) -> None:
    """A server without a limit has nothing to be relieved of."""
    fill(cache, 3, 5)
    (report,) = command("maintain", "run", "relieve", "--json").objects
    assert (report["job"], report["changed"], report["done"]) == ("relieve", 0, True)


def test_stopped_between_two_batches(cache: SessionCache, engine: Engine) -> None:
    """After Ctrl-C it ends behind the batch with a report, gives its lease back, and the next run goes on."""
    fill(cache, 3, 5)
    for number in range(30):
        cache.transcripts.save(f"long{number}", [{"role": "user", "n": n} for n in range(2_000)])
    given = ("--url", engine.url, "--namespace", cache.settings.namespace, "--shards", str(SHARDS), "--json", "--log")
    process = start("maintain", "run", "prune", *given)
    assert process.stderr is not None
    assert json.loads(process.stderr.readline())["event"] == "batch"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    report = json.loads(out)
    assert (process.returncode, report["stopped"], report["batches"] > 0) == (130, True, True)
    for shard in range(SHARDS):
        assert cache.upkeep.acquire(shard, "prune", holder="next", ttl_ms=1)
    assert cache.stats.get().messages > 100


def test_jobs_that_are_off_say_so(command: Command) -> None:
    """A job that lacks its setting is a wrong use, with the name of the setting."""
    refused = command("maintain", "run", "archive")
    assert (refused.code, "SESSIONCACHE_ARCHIVE_URL" in refused.err) == (2, True)
    assert "SESSIONCACHE_SUMMARISER" in command("maintain", "run", "summarise").err


def test_archived_by_hand_and_imported(
    command: Command, cache: SessionCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`maintain run archive` and `expire` write and remove; `import archive` brings everything back."""
    monkeypatch.setenv("SESSIONCACHE_ARCHIVE_URL", str(tmp_path))
    for number in range(3):
        cache.transcripts.append(f"s{number}", [{"role": "user", "n": number}])
        cache.session(f"s{number}").retain(ttl_ms=1)
    (expired,) = command("maintain", "run", "expire", "--json").objects
    assert expired["details"] == {"unarchived": 3}
    (archived,) = command("maintain", "run", "archive", "--json").objects
    assert archived["details"] == {"archived": 3}
    (expired,) = command("maintain", "run", "expire", "--json").objects
    assert (expired["changed"], cache.stats.get().sessions) == (3, 0)
    (found,) = command("import", "archive", str(tmp_path), "--dry-run", "--json").objects
    assert found["counts"]["sessions"]["imported"] == 3
    assert cache.stats.get().sessions == 0
    assert command("import", "archive", str(tmp_path)).code == 0
    assert command("import", "archive", str(tmp_path / "nowhere")).code == 5
