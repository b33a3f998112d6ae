"""The short way through a save, against the long way: both answer and leave the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from sessioncache.sessions import lua
from sessioncache.sessions.models import KnownSave, Session
from sessioncache.sessions.prepared import prepare
from sessioncache.sessions.record import Pairs
from sessioncache.types import Base
from sessioncache.wire import script as wire_script
from sessioncache.wire.call import Write
from sessioncache.wire.keys import Keyspace, SessionKeys
from tests.engines import Engine
from tests.engines.raw import client_for
from tests.wire.two_ways import DAY_MS, NOW_MS, Way, both_texts


def some(choose: random.Random, values: dict[str, str], *, clears: bool = False) -> Pairs:
    """Names and values, some of these; now and then all."""
    names = [name for name in values if choose.random() < 0.8]
    return [part for name in names for part in (name, "" if clears and choose.random() < 0.1 else values[name])]


def saving(choose: random.Random) -> dict[str, Any]:
    """What a save gives, most often what a running agent does: the same fields, one message, one document."""
    usual = choose.random() < 0.8
    version = 0 if usual else choose.choice([0, 1, 2])
    title = [
        "title_version",
        version,
        "pinned",
        0,
        "metadata_version",
        version,
        "title",
        choose.choice(["a", "b\x1fc"]),
    ]
    count = choose.choice([0, 1, 1, 1, 3])
    kept: dict[str, Any] = {
        "keep_runtime": choose.random() < 0.1,
        "through": None,
        "updated_ms": None,
        "labels": [],
        "updates": [],
    }
    unusual = {
        "keep_runtime": choose.random() < 0.5,
        "through": choose.choice([None, None, 1, 3]),
        "updated_ms": choose.choice([None, NOW_MS - 5]),
        "labels": some(choose, {"label:x": "1", "label:y": "2"}, clears=True),
        "updates": some(choose, {"u1": '"one"'}, clears=True),
    }
    return {
        "authoritative": title + ([] if usual else some(choose, {"auth:gold": '{"a":1}'})),
        "runtime": ["status", choose.choice(["busy", "idle"]), "meta:k", "1"]
        if usual
        else some(choose, {"status": "idle", "parent": "p", "meta:k": "1"}),
        "host": [] if usual else some(choose, {"host:bypass": "true"}),
        "documents": ["runtime", f'{{"n":{choose.randrange(9)}}}']
        if usual
        else some(choose, {"runtime": "{}", "other": "[1]", "third": "3"}, clears=True),
        "marks": "".join(choose.choice("mmc") for _ in range(count)),
        "payloads": [b'{"n":%d}' % choose.randrange(10_000) for _ in range(count)],
        "into": Session(id="chat", metadata_version=version, user=None if usual else choose.choice([None, "ann"])),
        **(kept if usual else unusual),
    }


class SaveWay(Way):
    """One of two namespaces to which the same is saved."""

    def __init__(self, client: Redis, keys: Keyspace, text: str) -> None:
        super().__init__(client, keys, text)
        self.known: KnownSave | None = None
        """What the last save was answered."""
        self.given: dict[str, KnownSave | None] = {}
        """What was known when an operation was first sent."""
        self.again = 0
        """How many saves were answered in the shortest way."""

    def save(self, write: Write, given: dict[str, Any]) -> None:
        """Save, and note the whole reply or the error."""
        known = self.given.setdefault(write.operation, self.known)
        into = given["into"].model_copy()
        sent = {name: given[name] for name in ("through", "marks", "payloads")}
        fields = {name: value for name, value in given.items() if name not in {"into", *sent}}
        call = lua.save(
            session=self.session, write=write, known=known, into=into, given=prepare(into, **fields), **sent
        )
        answer: Any = self.answer(call)
        if isinstance(answer, bytes):
            self.again += 1
            answer = answer.split(b" ")
        if isinstance(answer, list):
            answer = [str(part).encode() if isinstance(part, int) else part for part in answer]
            if answer[1] == b"again":
                assert known is not None
                gen, revision, *counters = answer[2:]
                answer[1:] = [b"stored", gen, revision, known.created, *counters, *known.group]
            try:
                self.known = call.decode(answer).known
            except ValueError:
                self.known = None
        self.log.append(answer)

    def state(self) -> dict[str, Any]:
        """With what only a save touches."""
        documents, updates = self.session.room("documents")[0], self.session.room("updates")
        return super().state() | {
            "documents": self.client.hgetall(documents),
            "updates": [self.client.hgetall(updates[0]), self.client.zrange(updates[1], 0, -1, withscores=True)],
            "expiries of rooms": [self.client.pexpiretime(key) for key in (documents, *updates)],
        }


def unusual(way: SaveWay, session: SessionKeys, number: int) -> None:
    """Bring the session, or the policy, into a state that the short way must not overlook.

    No write changes what a save is answered and leaves its operation the last one: what is changed so is not known.
    """
    client, policy, record = way.client, session.shard.policy, session.record
    documents = session.room("documents")[0]

    def unknown(_: object) -> None:
        way.known = None

    deeds: list[Callable[[], object]] = [
        lambda: client.hset(record, "pinned", "1"),
        lambda: unknown(client.hdel(record, "pinned")),
        lambda: client.hset(record, "retain:ttl_ms", 3 * DAY_MS),
        lambda: client.hdel(record, "retain:ttl_ms"),
        lambda: client.hset(policy, mapping={"ttl_ms": 2 * DAY_MS}),
        lambda: client.hset(policy, mapping={"quota_messages": 12}),
        lambda: client.hset(policy, mapping={"quota_entries": 1}),
        lambda: client.delete(policy),
        lambda: unknown(client.hset(record, "created_ms", "never")),
        lambda: client.hset(record, "first_seq", ""),
        lambda: client.hset(record, "schema", "2"),
        lambda: unknown(client.hset(record, "metadata_version", "3")),
        lambda: unknown(client.hset(record, mapping={"meta:other": "5", "host:h": "6", "label:z": "7"})),
        lambda: unknown(client.hdel(record, "user")),
        lambda: unknown(client.hset(record, "user", "bob")),
        lambda: client.hset(record, "n:documents", "7"),
        lambda: client.hdel(documents, "runtime"),
        lambda: client.xtrim(session.transcript, maxlen=1, approximate=False),
        lambda: client.hset(record, "updated_ms", NOW_MS + 40 * DAY_MS),
        lambda: [client.xtrim(session.transcript, maxlen=0), client.hset(record, mapping={"sealed": "1 1 1"})],
        lambda: client.rpush(session.tombstone, f"{number:016x}", "1:01:x"),
        *[lambda: client.delete(record, session.transcript, session.operations, documents, *session.room("updates"))]
        * 3,
    ]
    deeds[number % len(deeds)]()


@pytest.mark.engines("valkey", "redis", "fakeredis")
@pytest.mark.foreign_keys
@pytest.mark.parametrize("seed", range(12))
def test_both_ways_save_the_same(engine: Engine, namespace: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a save gives, what comes before it and what it is based on, both ways answer and store the same."""
    texts = both_texts(monkeypatch, "sessions.save", "save_again", "save_ordinary")
    with client_for(engine, namespace) as client:
        ways = [
            SaveWay(client, Keyspace(f"{namespace}-{kind}", 1), text) for kind, text in zip("sl", texts, strict=True)
        ]
        choose, now = random.Random(seed), NOW_MS
        for step in range(60):
            now += choose.choice([0, 1, 1, 2_000, DAY_MS // 2, 8 * DAY_MS if choose.random() < 0.1 else 5])
            stored = ways[0].client.hmget(ways[0].session.record, "gen", "revision")
            gen, revision = stored[0].decode() if stored[0] else "x", stored[1] or b""
            seen = int(revision) if revision.isdigit() else 0
            others = [Base(gen="other"), Base(revision=seen), Base(revision=3), Base(fence=2)]
            base = choose.choice([*[Base(), Base(gen=gen)] * 3, *others])
            write = Write(f"{step if choose.random() > 0.15 else max(step - 2, 0):016x}", base, now)
            given = saving(choose)
            deed = choose.randrange(10_000) if step > 15 and choose.random() < 0.2 else None
            for way in ways:
                if deed is not None:
                    unusual(way, way.session, deed)
                way.save(write, given)
            assert ways[0].log == ways[1].log
            assert ways[0].state() == ways[1].state()
        assert ways[1].again == 0


@pytest.mark.engines("valkey", "fakeredis")
@pytest.mark.foreign_keys
def test_an_ordinary_save_takes_the_short_way(engine: Engine, namespace: str) -> None:
    """The third save of a session that only got a message is made in the short way: the long one is not needed."""
    text = wire_script.Script("sessions.save").text
    short_only = text.replace("\ndone = recall_operation()", "\ndone = { 'long' }")
    assert short_only != text
    keys = Keyspace(namespace, 1)
    with client_for(engine, namespace) as client:
        way = SaveWay(client, keys, text)
        given = saving(random.Random(1)) | {
            "authoritative": ["title_version", 0, "pinned", 0, "metadata_version", 0],
            "runtime": ["status", "busy"],
            "host": [],
            "documents": ["runtime", "{}"],
            "into": Session(id="chat"),
            "marks": "m",
            "payloads": [b"{}"],
            "keep_runtime": False,
            "through": None,
            "updated_ms": None,
            "labels": [],
            "updates": [],
        }
        way.save(Write("0" * 16, Base(), NOW_MS), given)
        way.text = short_only
        for number in range(1, 4):
            way.known = None
            way.save(Write(f"{number:016x}", Base(), NOW_MS + number), given | {"runtime": ["status", f"{number}"]})
        assert [entry[0] for entry in way.log[1:]] == [b"0"] * 3
        assert way.client.hget(way.session.record, "status") == b"3"
        assert way.again == 0
        for number in range(4, 7):
            way.save(Write(f"{number:016x}", Base(), NOW_MS + number), given | {"runtime": ["status", f"{number}"]})
        assert way.again == 3
        assert way.client.hget(way.session.record, "status") == b"6"
        way.save(
            Write(f"{7:016x}", Base(), NOW_MS + 7), given | {"runtime": ["status", "7"], "marks": "", "payloads": []}
        )
        assert way.again == 4
        assert way.client.hget(way.session.record, "status") == b"7"
