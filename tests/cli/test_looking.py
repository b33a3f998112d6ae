"""`stats`, `keys`, `scripts`, `retention` and `maintain`."""

from __future__ import annotations

import pytest

from sessioncache import SessionCache
from sessioncache.cli.scripts import script_names
from sessioncache.wire.keys import CATALOGUE
from sessioncache.wire.script import load_script
from tests.cli.conftest import Command

pytestmark = pytest.mark.engines("valkey")


def test_stats(command: Command, cache: SessionCache) -> None:
    """Totals, whole and by shard, agree."""
    for number in range(6):
        cache.transcripts.append(f"s{number}", {"n": number})
    (totals,) = command("stats", "--json").objects
    assert (totals["sessions"], totals["messages"], totals["shards"]) == (6, 6, 4)
    shards = command("stats", "--by-shard", "--json").objects
    assert (len(shards), sum(shard["sessions"] for shard in shards)) == (4, 6)
    assert command("stats").out.splitlines()[2].split() == ["sessions", "6"]
    assert len(command("stats", "--by-shard").out.splitlines()) == 5


def test_the_catalogue(bare: Command) -> None:
    """Without a session, the catalogue is shown, and no server is asked."""
    assert [item["pattern"] for item in bare("keys", "--json").objects] == [kind.pattern for kind in CATALOGUE]
    shown = bare("keys").out
    assert [kind.pattern for kind in CATALOGUE if kind.pattern not in shown] == []


def test_keys_of_a_session(command: Command, cache: SessionCache) -> None:
    """The keys that a session has, with type, expiry and memory."""
    cache.transcripts.append("s", {"a": 1})
    keys = {item["kind"]: item for item in command("keys", "--session", "s", "--json").objects}
    assert {"record", "transcript"} <= set(keys)
    assert (keys["record"]["type"], keys["transcript"]["type"]) == ("hash", "stream")
    assert keys["record"]["ttl_ms"] > 0
    assert keys["transcript"]["bytes"] > 0
    assert command("keys", "--session", "nobody").code == 1


def test_keys_of_rooms_and_leases(command: Command, cache: SessionCache) -> None:
    """The keys of rooms, and of the lease, are among a session's."""
    cache.checkpoints.save("s", "one", {"a": 1})
    cache.documents.save("s", {"state": 1})
    cache.leases.acquire("s", ttl_ms=60_000)
    kinds = [item["kind"] for item in command("keys", "--session", "s", "--json").objects]
    wanted = ["record", "operations", "documents", "checkpoints", "checkpoints_order", "session_lease"]
    assert kinds == wanted


def test_scripts(bare: Command) -> None:
    """Every script is listed, and shown with its header and the text that the server gets."""
    names = [item["name"] for item in bare("scripts", "list", "--json").objects]
    assert names == script_names()
    assert "transcripts.append" in names
    for name in names:
        shown = bare("scripts", "show", name)
        assert shown.code == 0
        assert shown.out.startswith(f"-- {name}: ")
        assert load_script(name).text in shown.out
    (one,) = bare("scripts", "show", "transcripts.append", "--json").objects
    assert one["sha"] == load_script("transcripts.append").sha


def test_retention(command: Command, cache: SessionCache) -> None:
    """A change of the policy is shown and stands; other fields stay as they were."""
    before = cache.retention.get()
    (after,) = command("retention", "set", "ttl_ms=86400000", "keep_pinned=false", "--json").objects
    assert (after["ttl_ms"], after["keep_pinned"]) == (86_400_000, False)
    assert cache.retention.get() == before.model_copy(update={"ttl_ms": 86_400_000, "keep_pinned": False})
    assert "86400000  (1 d)" in command("retention", "show").out


@pytest.mark.parametrize("job", ["expire", "prune", "reconcile", "compact"])
def test_maintenance_by_hand(command: Command, cache: SessionCache, job: str) -> None:
    """A job runs on every shard and reports; one that a worker holds is left to it."""
    for number in range(6):
        cache.transcripts.append(f"s{number}", {"n": number})
    done = command("maintain", "run", job, "--json")
    assert done.code == 0, done.err
    (report,) = done.objects
    assert (report["job"], report["done"], report["busy_shards"]) == (job, True, [])
    lease = cache.upkeep.acquire(2, job, holder="somebody", ttl_ms=60_000)
    assert lease is not None
    busy = command("maintain", "run", job, "--json")
    assert (busy.code, busy.objects[0]["busy_shards"]) == (1, [2])
    assert command("maintain", "run", job, "--limit", "0").code == 2


def test_a_dictionary_is_made_and_shown(command: Command, cache: SessionCache) -> None:
    """Without enough to learn from there is none, and nothing changes; a size is made in any case, and shown since."""
    assert command("dictionary", "show").code == 1
    few = command("dictionary", "train")
    assert few.code == 1
    assert "nothing was changed" in few.err
    for number in range(64):
        words = [f"the agent asks for order {number * n} of customer {n}" for n in range(12)]
        cache.transcripts.append(f"s{number}", [{"role": "user", "content": word} for word in words])
    (made,) = command("dictionary", "train", "--size", "1024", "--json").objects
    assert command("dictionary", "show", "--json").objects == [made]
    assert 256 <= made["bytes"] <= 1024
    assert made["name"] in command("dictionary", "show").out
    assert command("dictionary", "train", "--size", "1").code == 2
