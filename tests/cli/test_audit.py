"""`sessioncache audit`."""

from __future__ import annotations

import pytest

from sessioncache import SessionCache
from sessioncache.audit import KINDS
from tests.cli.conftest import Command
from tests.engines import Engine
from tests.engines.raw import client_for

pytestmark = pytest.mark.engines("valkey", "cluster")


def test_a_sound_namespace(command: Command, cache: SessionCache) -> None:
    """Nothing wrong is exit code 0, for people and as one object."""
    cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    shown = command("audit")
    assert shown.code == 0, shown.err
    assert "1 sessions, 2 messages" in shown.out
    assert "nothing is wrong" in shown.out
    (summary,) = command("audit", "--json").objects
    assert (summary["clean"], summary["findings"], summary["sessions"], summary["audited"]) == (
        True,
        0,
        1,
        [0, 1, 2, 3],
    )


@pytest.mark.foreign_keys
def test_findings(command: Command, cache: SessionCache, engine: Engine) -> None:
    """A finding is exit code 1, with its count, meaning, examples and remedy."""
    cache.transcripts.append("s", {"n": 1})
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.delete(keys.transcript)
        client.zrem(keys.shard.by_updated, "s")
    shown = command("audit")
    assert shown.code == 1
    assert "2 findings of 2 kinds: messages, by-updated" in shown.err
    assert all(text in shown.out for text in ("session 's'", KINDS["messages"].meaning, KINDS["by-updated"].remedy))
    found = command("audit", "--json")
    torn, listed, summary = found.objects
    assert (found.code, torn["kind"], torn["count"], listed["kind"], summary["clean"]) == (
        *(1, "messages", 1),
        *("by-updated", False),
    )
    assert torn["examples"][0]["session"] == "s"


def test_a_part(command: Command, cache: SessionCache) -> None:
    """What was not looked at is exit code 7, and the sentence says how to go on."""
    for n in range(20):
        cache.transcripts.append(f"s{n}", {"n": n})
    part = command("audit", "--limit", "10", "--json")
    assert part.code == 7
    assert f"go on with --from {part.objects[-1]['next_shard']}" in part.err
    assert command("audit", "--from", str(part.objects[-1]["next_shard"]), "--pace", "0").code == 0
    assert command("audit", "--shard", "1", "--no-contents", "--no-scan", "--json").objects[0]["audited"] == [1]
    assert command("audit", "--shard", "9").code == 2


def test_a_namespace_that_there_is_not(command: Command, engine: Engine) -> None:
    """A misspelt namespace is told, and not made."""
    missing = command("audit", "--namespace", "tmisspelt")
    assert (missing.code, "no namespace 'tmisspelt'" in missing.err) == (4, True)
    with client_for(engine, "sc:{tmisspelt}:config") as client:
        assert not client.exists("sc:{tmisspelt}:config")


def test_a_server_that_is_away(bare: Command) -> None:
    """A server that cannot be reached is exit code 3."""
    assert bare("audit", "--url", "redis://127.0.0.1:1").code == 3
