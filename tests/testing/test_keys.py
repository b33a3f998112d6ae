"""The look at the keys that a test leaves behind."""

from __future__ import annotations

import dataclasses

import pytest
from fakeredis import FakeRedis

from sessioncache.testing import FoundKey, check_keys, fake_cache_sync, fake_server, scan_keys

RECORD = "sc:{acme:3}:s:chat"
LIVE = {"gen": "g", "deadline_ms": "5000"}


def shard_of_chat() -> int:
    """Where the session `chat` belongs, of 64 shards."""
    return fake_cache_sync().keys.shard_of("chat")


def record(**changes: object) -> FoundKey:
    """A record as it has to be, or with something wrong."""
    good = FoundKey(f"sc:{{acme:{shard_of_chat()}}}:s:chat", "hash", 4000, 6000, LIVE)
    return dataclasses.replace(good, **changes)  # type: ignore[arg-type]  # the point is any field


def test_what_a_cache_leaves_behind_is_right() -> None:
    """Sessions with and without deadline, a deleted one, a long one, rooms and leases leave nothing to complain of."""
    server = fake_server()
    cache = fake_cache_sync("acme", server=server, shards=4)
    for number in range(8):
        cache.transcripts.append(f"chat {number}", {"n": number})
    cache.sessions.update("chat 1", pinned=True)
    cache.sessions.delete("chat 2")
    cache.transcripts.save("chat 3", [{"n": n} for n in range(600)])
    cache.documents.save("chat 4", {"state": 1})
    cache.checkpoints.save("chat 1", "one", {})
    cache.leases.acquire("chat 5", ttl_ms=86_400_000)
    cache.leases.acquire("nobody", ttl_ms=1)
    cache.upkeep.acquire(0, "expire", holder="w", ttl_ms=1000)
    keys = scan_keys(FakeRedis(server=server))
    assert len(keys) > 20
    assert check_keys(keys) == []


def test_a_good_record_passes() -> None:
    """A record that expires after its deadline is as promised."""
    assert check_keys([record()]) == []


@pytest.mark.parametrize(
    "key, problem",
    [
        (FoundKey("other", "string", -1, -1), "no such key in the catalogue"),
        (FoundKey("sc:{acme:1}:s:chat:sideband", "hash", -1, -1), "no such key in the catalogue"),
        (FoundKey(f"sc:{{acme:{shard_of_chat()}}}:s:chat:lease", "hash", -1, -1), "never expires, but a session_lease"),
        (FoundKey(f"sc:{{acme:{shard_of_chat()}}}:s:chat:qa", "hash", -1, -1), "without a usable record"),
        (record(type="string"), "a string, but record is a hash"),
        (record(expires_at_ms=4999), "expires 1 ms before its session's deadline"),
        (record(expires_at_ms=-1, pttl_ms=-1), "never expires, but its session has a deadline"),
        (record(fields={"deadline_ms": "0"}), "but its session has no deadline"),
        (record(fields={}, expires_at_ms=-1), "without a usable record, and it never expires"),
        (record(name=f"sc:{{acme:{shard_of_chat() ^ 1}}}:s:chat"), "but the session's shard is"),
        (FoundKey("sc:{acme:64}:totals", "hash", -1, -1), "but the namespace has 64 shards"),
        (FoundKey("sc:{acme:1}:totals", "hash", 5, 5), "totals is never to expire"),
        (FoundKey(f"sc:{{acme:{shard_of_chat()}}}:s:chat:tombstone", "list", -1, -1), "never expires, but a tombstone"),
        (FoundKey(f"sc:{{acme:{shard_of_chat()}}}:s:chat:tombstone", "list", 3_600_001, 1), "lives at most 3600000 ms"),
    ],
)
def test_each_breach_is_named(key: FoundKey, problem: str) -> None:
    """A key that breaks a promise of the catalogue is named with the promise."""
    (found,) = check_keys([key])
    assert found.startswith(f"{key.name}: ")
    assert problem in found


def test_the_shard_count_is_read_from_the_namespace() -> None:
    """What is stored about a namespace decides, not the default."""
    config = FoundKey("sc:{acme}:config", "hash", -1, -1, {"shards": "2"})
    assert check_keys([config, FoundKey("sc:{acme:2}:totals", "hash", -1, -1)]) == [
        "sc:{acme:2}:totals: in shard 2, but the namespace has 2 shards"
    ]
