"""The ACL rule in the documentation is enough for an agent, and no more than its namespace."""

from __future__ import annotations

import re

import pytest

from sessioncache import AccessDenied, AsyncSessionCache, RetentionPolicy, Session, SessionCache
from sessioncache.cli.rights import QUEUE_COMMANDS
from sessioncache.embedded import EmbeddedServer
from tests.docs.pages import text_of


def documented_rule() -> str:
    """The rule on one line, without the word "user"."""
    page = text_of("docs/getting-started.md")
    found = re.search(r"<!-- acl rule -->\s*```text\s*user (.*?)```", page, re.DOTALL)
    assert found is not None
    return " ".join(found.group(1).split())


def test_the_rule_of_the_queue_is_what_doctor_looks_at() -> None:
    """The documented rights of a worker on its queue are those that `doctor` looks at, which a worker is held to."""
    found = re.search(r"<!-- queue rule -->\s*```text\s*(.*?)```", text_of("docs/operations.md"), re.DOTALL)
    assert found is not None
    granted = {word.removeprefix("+") for word in found.group(1).split() if word.startswith("+")}
    assert granted == {*QUEUE_COMMANDS, "multi", "exec", "unwatch"}


def test_an_agent_can_work_under_the_documented_rule() -> None:
    """Every noun works in the namespace of the rule; the namespace whose name begins alike is out of reach."""
    with EmbeddedServer(appendonly=False, users=(documented_rule(),)) as server:
        url = f"redis://agent:secret@127.0.0.1:{server.port}"
        with SessionCache.from_url(url, namespace="acme") as cache:
            _tour(cache)
        with pytest.raises(AccessDenied), SessionCache.from_url(url, namespace="acme2"):
            pass


def _tour(cache: SessionCache) -> None:
    cache.retention.save(RetentionPolicy(ttl_ms=60_000))
    cache.transcripts.append("a", [{"n": 1}, {"n": 2}])
    cache.sessions.save(Session(id="b"), messages=[{"n": 1}])
    cache.sessions.update("b", title="t", pinned=True, user="bob")
    with cache.feed.subscribe() as changes:
        cache.transcripts.save("a", [{"n": 3}] * 600)
        assert changes.read()
    assert cache.transcripts.pop("a") is not None
    assert cache.transcripts.list("a", last=1).count == 599
    assert cache.transcripts.delete("a")
    assert sorted(session.id for session in cache.sessions.each()) == ["a", "b"]
    assert cache.sessions.count(user="bob") == 1
    assert cache.stats.get().sessions == 2
    cache.retention.update("b", ttl_ms=1)
    assert cache.sessions.delete("b")


async def test_a_command_missing_from_the_rule_is_named() -> None:
    """Who lacks a command is told which, where the server gives the reason only to the command in front."""
    fence = "agent on >secret ~sc:{acme:* ~sc:{acme}* +@all -script|load"
    with EmbeddedServer(appendonly=False, users=(fence,)) as server:
        url = f"redis://agent:secret@127.0.0.1:{server.port}"
        for transport in ("multiplex", "redis-py"):
            with pytest.raises(AccessDenied, match=r"script\|load"):
                async with AsyncSessionCache.from_url(url, namespace="acme", transport=transport):
                    pass
        with pytest.raises(AccessDenied, match=r"script\|load"), SessionCache.from_url(url, namespace="acme"):
            pass
