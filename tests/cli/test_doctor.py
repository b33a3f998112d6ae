"""`sessioncache doctor`, and the judgements behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sessioncache import SessionCache
from sessioncache.cli import rights
from sessioncache.cli.findings import (
    Level,
    judge_clock,
    judge_eviction,
    judge_memory,
    judge_persistence,
    judge_replicas,
    judge_version,
)
from sessioncache.embedded import EmbeddedServer
from sessioncache.embedded.ports import free_port
from sessioncache.namespaces.server import ServerFacts
from tests.cli.conftest import Command
from tests.engines import Engine
from tests.engines.acl import COMMANDS
from tests.engines.raw import client_for

CHECKS = [
    "server",
    "version",
    "eviction",
    "persistence",
    "memory",
    "replicas",
    "rights",
    "shards",
    "schema",
    "clock",
    "workers",
]
"""In the order of the lines."""


@pytest.fixture
def health() -> Iterator[str]:
    """A worker's health port that says yes."""

    class Yes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Yes)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.engines("valkey")
def test_a_sound_server(command: Command, cache: SessionCache, health: str) -> None:
    """Every check is one object with a level; a server without problems is exit code 0."""
    cache.transcripts.append("s", {"a": 1})
    found = command("doctor", "--health-url", health, "--json")
    assert found.code == 0, found.err
    assert [item["check"] for item in found.objects] == CHECKS
    assert [item["check"] for item in found.objects if item["level"] == "problem"] == []
    assert all(item["remedy"] for item in found.objects if item["level"] == "warning")
    shown = command("doctor", "--health-url", health)
    assert [line.split()[1] for line in shown.out.splitlines() if line[0] in "✓!✗"] == CHECKS


@pytest.mark.engines("valkey")
def test_a_worker_for_others(
    command: Command, cache: SessionCache, health: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is ready, in a namespace where none has worked, is asked whether it serves that one."""
    cache.transcripts.append("s", {"a": 1})
    monkeypatch.setattr("sessioncache.cli.examination.HEALTH_URL", health)
    (found,) = command("doctor", "--only", "workers", "--json").objects
    assert (found["level"], "none has worked in this namespace" in found["text"]) == ("ok", True)
    assert "SESSIONCACHE_NAMESPACES" in found["remedy"]


@pytest.mark.engines("acl")
def test_a_user_with_few_rights(command: Command, cache: SessionCache) -> None:
    """A user who has no more rights than needed has no problem, though not all can be seen."""
    cache.transcripts.append("s", {"a": 1})
    found = command("doctor", "--json")
    assert [item for item in found.objects if item["level"] == "problem"] == []


def test_missing_rights_are_named(bare: Command) -> None:
    """A command or a key pattern that an agent lacks is named, with a rule that reaches no other namespace."""
    fence = "~sc:{acme:* ~sc:{acme}*"
    users = (
        f"few on >s {fence} +@all -rename -zcount",
        "half on >s ~sc:{acme}* +@all",
        "beside on >s ~sc:{acme2:* ~sc:{acme2}* +@all",
    )
    with EmbeddedServer(appendonly=False, users=users) as server:

        def look(user: str) -> dict[str, str]:
            url = f"redis://{user}:s@127.0.0.1:{server.port}"
            (found,) = bare("doctor", "acme", "--json", "--url", url, "--only", "rights").objects
            return dict(found)

        few, half, beside = look("few"), look("half"), look("beside")
    assert (few["level"], few["text"]) == ("problem", "user 'few' may not run zcount, rename")
    assert few["remedy"] == f"ACL SETUSER few {fence} +zcount +rename"
    assert half["text"].startswith("user 'half' may not use keys such as sc:{acme:0}:")
    assert half["remedy"] == f"ACL SETUSER half {fence}"
    assert (beside["check"], beside["remedy"].endswith(f"the keys {fence}")) == ("server", True)
    assert "sc:{acme}:config" in beside["text"]


def test_every_right_of_an_agent_is_looked_at() -> None:
    """What the documented rule grants for an agent's own work is looked at, each command of it."""
    wanted = {
        name for group in ("scripts", "keys", "hashes", "lists", "sorted sets", "streams") for name in COMMANDS[group]
    }
    assert wanted - {*rights.COMMANDS, *rights.KEY_COMMANDS} == {"rename", "xread", "evalsha"}


@pytest.mark.engines("cluster")
def test_a_cluster(command: Command, cache: SessionCache) -> None:
    """On a cluster the same is looked at."""
    cache.transcripts.append("s", {"a": 1})
    found = command("doctor", "--json")
    assert [item["check"] for item in found.objects] == CHECKS
    assert [item for item in found.objects if item["level"] == "problem"] == []


@pytest.mark.engines("valkey")
def test_a_wrong_shard_count_does_not_end_it(command: Command, cache: SessionCache) -> None:
    """Where a cache would refuse to open, doctor names the right count and goes on."""
    cache.transcripts.append("s", {"a": 1})
    found = command("doctor", "--shards", "8", "--json")
    assert found.code == 1
    assert [item["check"] for item in found.objects] == CHECKS
    (shards,) = [item for item in found.objects if item["check"] == "shards"]
    assert (shards["level"], "--shards 4" in shards["remedy"]) == ("problem", True)


@pytest.mark.engines("valkey", "cluster")
def test_a_session_on_trial(command: Command, cache: SessionCache) -> None:
    """Where it is asked to, it writes, reads and deletes a session, and leaves none behind."""
    found = command("doctor", "--json", "--only", "session")
    assert found.code == 0, found.err
    assert [(item["check"], item["level"]) for item in found.objects] == [("session", "ok")]
    assert "session" in {item["check"] for item in command("doctor", "--json", "--try-session").objects}
    assert cache.sessions.count() == 0


@pytest.mark.engines("acl")
def test_a_session_of_a_user_without_rights(command: Command, cache: SessionCache) -> None:
    """A session that cannot be written is a problem, said once for its namespace, and the other one is looked at."""
    allowed = cache.settings.namespace
    found = command("doctor", allowed, "nobody-s", "--json", "--only", "session")
    assert found.code == 1
    levels = {(item["namespace"], item["check"], item["level"]) for item in found.objects}
    assert (allowed, "session", "ok") in levels
    assert {level for namespace, _, level in levels if namespace == "nobody-s"} == {"problem"}


@pytest.mark.engines("valkey")
def test_only_what_was_asked_for(command: Command, cache: SessionCache) -> None:
    """`--only` leaves the rest out, for each of several namespaces."""
    cache.transcripts.append("s", {"a": 1})
    names = [cache.settings.namespace, "another"]
    found = command("doctor", *names, "--json", "--only", "schema", "--only", "eviction")
    assert found.code == 0, found.err
    seen = [(item["namespace"], item["check"]) for item in found.objects]
    assert seen == [(name, check) for name in names for check in ("eviction", "schema")]
    assert command("doctor", "a b").code == 4


@pytest.mark.engines("valkey", "cluster")
def test_rights_on_the_queue(command: Command, engine: Engine) -> None:
    """A user who may do everything may do what the workers' queue does; it is looked at only where asked for."""
    assert engine.primaries()
    (found,) = command("doctor", "--json", "--only", "queue").objects
    assert (found["check"], found["level"]) == ("queue", "ok")
    assert "queue" not in {item["check"] for item in command("doctor", "--json").objects}


def test_missing_rights_on_the_queue(bare: Command) -> None:
    """What a worker may not do on its queue is a problem with the rule that allows it; who may not ask is told so."""
    users = ("some on >s ~sc:* ~arq:* +@all -psetex", "none on >s ~sc:* +@all -acl")
    with EmbeddedServer(appendonly=False, users=users) as server:

        def look(user: str) -> dict[str, str]:
            url = f"redis://{user}:s@127.0.0.1:{server.port}"
            (found,) = bare("doctor", "--json", "--url", url, "--only", "queue").objects
            return dict(found)

        some, none = look("some"), look("none")
        assert some["level"] == "problem"
        assert "psetex arq:job:doctor" in some["text"]
        assert "zadd sessioncache:queue:doctor" in some["text"]
        assert "~sessioncache:queue:*" in some["remedy"]
        assert "+psetex" in some["remedy"]
        assert (none["level"], "+acl|dryrun" in none["remedy"]) == ("warning", True)
        away = f"redis://127.0.0.1:{free_port()}"
        ended = bare("doctor", "--json", "--url", server.url, "--only", "queue", "--queue-url", away)
        assert (ended.code, ended.objects[0]["check"]) == (1, "queue")


@pytest.mark.engines("valkey")
def test_a_newer_schema(command: Command, cache: SessionCache, engine: Engine) -> None:
    """Data of a later release are a problem that names both versions, so that nobody goes back to this one."""
    cache.transcripts.append("s", {"a": 1})
    with client_for(engine, cache.keys.config) as raw:
        raw.hset(cache.keys.config, "schema", "99")
    found = command("doctor", "--json", "--only", "schema")
    assert found.code == 1
    assert [(item["level"], "schema 99" in item["text"]) for item in found.objects] == [("problem", True)]


def test_an_unreachable_server_is_told_in_any_case(bare: Command) -> None:
    """Whatever was asked for, a server that is not there is the finding, and never silence."""
    found = bare("doctor", "--url", f"redis://127.0.0.1:{free_port()}", "--json", "--only", "schema")
    assert found.code == 1
    assert [(item["check"], item["level"]) for item in found.objects] == [("server", "problem")]


def test_no_server(bare: Command) -> None:
    """A server that is not there is a finding with its remedy, and exit code 1."""
    found = bare("doctor", "--url", f"redis://127.0.0.1:{free_port()}", "--json")
    assert found.code == 1
    assert found.objects[0]["level"] == "problem"
    assert "sessioncache up" in found.objects[0]["remedy"]


@pytest.mark.engines("valkey")
def test_a_worker_that_is_away(command: Command, engine: Engine) -> None:
    """A health port on which nothing answers is a problem; an address of another kind is refused."""
    assert engine.name == "valkey"
    found = command("doctor", "--health-url", f"http://127.0.0.1:{free_port()}", "--json")
    assert found.objects[-1]["level"] == "problem"
    assert command("doctor", "--health-url", "file:///etc/passwd").code == 4


GOOD = ServerFacts("Redis", "7.4.1", "noeviction", 10, 100)
"""What a good server tells."""


def test_judgements_of_versions() -> None:
    """Too old is a problem, unknown a warning."""
    assert judge_version(GOOD).level is Level.ok
    assert judge_version(replace(GOOD, version="6.2.14")).level is Level.problem
    assert judge_version(replace(GOOD, product="Valkey", version="7.1.0")).level is Level.problem
    assert judge_version(replace(GOOD, version=None)).level is Level.warning


def test_judgements_of_eviction() -> None:
    """Any policy but noeviction is a problem."""
    assert judge_eviction(GOOD).level is Level.ok
    assert judge_eviction(replace(GOOD, eviction_policy="volatile-lru")).level is Level.problem
    assert judge_eviction(replace(GOOD, eviction_policy=None)).level is Level.warning


@pytest.mark.parametrize("used,level", [(50, Level.ok), (85, Level.warning), (97, Level.problem)])
def test_judgements_of_memory(used: int, level: Level) -> None:
    """A server that fills up is warned of before it is full."""
    assert judge_memory(replace(GOOD, memory_used=used)).level is level


def test_judgements_of_persistence() -> None:
    """No append-only file is a warning, one that cannot be written a problem."""
    assert judge_persistence({"aof_enabled": "1", "aof_last_write_status": "ok"}).level is Level.ok
    assert judge_persistence({"aof_enabled": "1", "aof_last_write_status": "err"}).level is Level.problem
    assert judge_persistence({"aof_enabled": "0"}).level is Level.warning
    assert judge_persistence({"aof_enabled": "0", "rdb_last_bgsave_status": "err"}).level is Level.problem


def test_judgements_of_replicas() -> None:
    """Having none is allowed, being one is a problem."""
    assert judge_replicas({"role": "master", "connected_slaves": "2"}).text.startswith("2 connected")
    assert judge_replicas({"role": "master", "connected_slaves": "0"}).level is Level.ok
    assert judge_replicas({"role": "slave"}).level is Level.problem


@pytest.mark.parametrize("difference_s,level", [(0.1, Level.ok), (-5.0, Level.warning), (120.0, Level.problem)])
def test_judgements_of_clocks(difference_s: float, level: Level) -> None:
    """Clocks that differ by seconds are a warning, by minutes a problem."""
    assert judge_clock(difference_s).level is level


@pytest.mark.engines("valkey")
@pytest.mark.usefixtures("cache")
def test_a_misspelt_variable_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is nearly a setting gets a warning: what it should change does not change."""
    monkeypatch.setenv("SESSIONCACHE_ENCRYPTION_KEY", "k:abc")
    monkeypatch.setenv("SESSIONCACHE_NAMESPACES", "a,b")
    told = command("doctor", "--only", "version").err
    assert "SESSIONCACHE_ENCRYPTION_KEY is no setting" in told
    assert "did you mean SESSIONCACHE_ENCRYPTION_KEYS?" in told
    assert told.count("is no setting") == 1
