"""The short way through an append, against the long way: both leave the same behind."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sessioncache.transcripts import lua
from sessioncache.types import Base
from sessioncache.wire.call import Write
from sessioncache.wire.keys import Keyspace, SessionKeys
from tests.engines import Engine
from tests.engines.raw import client_for
from tests.wire.two_ways import DAY_MS, NOW_MS, Way, both_texts


class AppendWay(Way):
    """One of two namespaces to which the same is appended."""

    def append(self, write: Write, payloads: list[bytes]) -> None:
        """Append, and note the reply or the error."""
        marks = "m" * len(payloads)
        call = lua.append(session=self.session, write=write, user="ann", marks=marks, payloads=payloads)
        self.log.append(self.answer(call))


def seal_head(way: Way, session: SessionKeys) -> None:
    """Leave the newest message in the stream, and say that those before it are sealed; a chunk is never looked into."""
    client = way.client
    entries = client.xrange(session.transcript)
    if len(entries) > 1 and not client.hexists(session.record, "sealed"):
        client.xtrim(session.transcript, maxlen=1, approximate=False)
        client.rpush(session.sealed, "place", "chunk")
        last_seq = entries[-2][0].decode().partition("-")[0]
        client.hset(session.record, "sealed", f"1 {len(entries) - 1} {last_seq}")


def unusual(way: Way, session: SessionKeys, number: int) -> None:
    """Bring the session, or the policy, into a state that the short way must not overlook."""
    client, policy = way.client, session.shard.policy
    deeds: list[Callable[[], object]] = [
        lambda: client.hset(session.record, "pinned", "1"),
        lambda: client.hdel(session.record, "pinned"),
        lambda: client.hset(session.record, "retain:ttl_ms", 3 * DAY_MS),
        lambda: client.hdel(session.record, "retain:ttl_ms"),
        lambda: client.hset(policy, mapping={"ttl_ms": 2 * DAY_MS}),
        lambda: client.hset(policy, mapping={"ttl_ms": 0}),
        lambda: client.hset(policy, mapping={"quota_messages": 12}),
        lambda: client.hset(policy, mapping={"quota_bytes": 80}),
        lambda: client.delete(policy),
        lambda: client.hset(session.record, "seq", "many"),
        lambda: client.hset(session.record, "schema", "2"),
        lambda: client.hset(session.record, "schema", "1"),
        lambda: client.xtrim(session.transcript, maxlen=1, approximate=False),
        lambda: client.hset(session.record, "updated_ms", NOW_MS + 40 * DAY_MS),
        lambda: client.rpush(session.tombstone, f"{number:016x}", "1:01:x"),
        lambda: client.delete(session.record, session.transcript, session.operations, session.sealed),
        lambda: seal_head(way, session),
        lambda: seal_head(way, session),
        lambda: client.delete(session.sealed),
    ]
    deeds[number % len(deeds)]()


@pytest.mark.engines("valkey", "redis", "fakeredis")
@pytest.mark.foreign_keys
@pytest.mark.parametrize("seed", range(12))
def test_both_ways_leave_the_same(engine: Engine, namespace: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes before an append, and whatever it is based on, both ways answer and store the same."""
    texts = both_texts(monkeypatch, "transcripts.append", "open_ordinary")
    with client_for(engine, namespace) as client:
        ways = [
            AppendWay(client, Keyspace(f"{namespace}-{kind}", 1), text) for kind, text in zip("sl", texts, strict=True)
        ]
        choose, now = random.Random(seed), NOW_MS
        for step in range(60):
            now += choose.choice([0, 1, 1, 2_000, DAY_MS // 2, 8 * DAY_MS if choose.random() < 0.1 else 5])
            stored = ways[0].client.hmget(ways[0].session.record, "gen", "revision")
            base = choose.choice(
                [
                    Base(),
                    Base(),
                    Base(),
                    Base(gen=stored[0].decode() if stored[0] else "x"),
                    Base(gen="other"),
                    Base(revision=int(stored[1] or 0)),
                    Base(revision=3),
                    Base(fence=2),
                ]
            )
            write = Write(f"{step if choose.random() > 0.15 else max(step - 2, 0):016x}", base, now)
            payloads = [b'{"n":%d}' % choose.randrange(10_000) for _ in range(choose.choice([1, 1, 1, 3]))]
            deed = choose.randrange(10_000) if choose.random() < 0.25 else None
            for way in ways:
                if deed is not None:
                    unusual(way, way.session, deed)
                way.append(write, payloads)
            assert ways[0].log == ways[1].log
            assert ways[0].state() == ways[1].state()
