"""Caches on fakeredis, as users' unit tests make them."""

from __future__ import annotations

import importlib.util

import pytest

from sessioncache import ConfigurationError
from sessioncache.testing import fake_cache, fake_cache_sync, fake_server


async def test_two_caches_share_a_server() -> None:
    """What one cache writes the other reads, async or sync, if they are given one server."""
    server = fake_server()
    async with fake_cache("acme", server=server, shards=2) as cache:
        await cache.transcripts.append("chat", {"role": "user"})
    with fake_cache_sync("acme", server=server, shards=2) as twin:
        assert twin.transcripts.count("chat") == 1


def test_each_cache_is_empty() -> None:
    """Without a server given, every cache has one of its own."""
    fake_cache_sync().transcripts.append("chat", {})
    assert fake_cache_sync().sessions.count() == 0


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fakeredis the error says what to install."""
    monkeypatch.setattr("sessioncache.testing.fake.find_spec", lambda _name: None)
    assert importlib.util.find_spec("fakeredis") is not None
    with pytest.raises(ConfigurationError, match=r"pip install 'sessioncache\[testing\]'"):
        fake_server()
