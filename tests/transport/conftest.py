"""The two ways to carry the calls of an async cache, for tests of what has to hold on both."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["auto", "redis-py"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which transport caches have that do not say it: first the default, then the pool."""
    chosen: str = request.param
    monkeypatch.setenv("SESSIONCACHE_TRANSPORT", chosen)
    return chosen
