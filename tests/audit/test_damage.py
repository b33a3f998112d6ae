"""Whatever is wrong is found and named, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis import Redis

from sessioncache import AsyncSessionCache, audit
from sessioncache.maintenance import reconcile
from tests.audit.damages import DAMAGES, Place
from tests.audit.furnished import furnish
from tests.engines import Engine
from tests.engines.raw import client_for

pytestmark = pytest.mark.foreign_keys


@pytest.fixture
async def furnished(cache: AsyncSessionCache) -> AsyncSessionCache:
    """A namespace that has something of everything."""
    await furnish(cache)
    return cache


@pytest.fixture
def place(furnished: AsyncSessionCache, engine: Engine) -> Iterator[Place]:
    """Where damage is done."""
    with ExitStack() as opened:
        known: dict[str, Redis] = {}

        def client(key: str) -> Redis:
            tag = key.partition("}")[0]
            if tag not in known:
                known[tag] = opened.enter_context(client_for(engine, key))
            return known[tag]

        yield Place(furnished.keys, client)


async def test_nothing_is_found_where_nothing_is_wrong(furnished: AsyncSessionCache) -> None:
    """A namespace that has something of everything is clean, and all of it was looked at."""
    report = await audit.run(furnished, pace=0)
    assert (report.found, report.notes, report.finished, report.clean) == ({}, [], True, True)
    assert (report.sessions, report.messages, report.unread) == (5, 2 + 3 + 2 + 400 + 402, 0)
    assert report.audited == [0, 1, 2, 3]


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_found_and_named(furnished: AsyncSessionCache, place: Place, name: str) -> None:
    """One thing is wrong: it is told under its own name, and nothing else is told."""
    damage = DAMAGES[name]
    damage.do(place)
    report = await audit.run(furnished, pace=0)
    assert set(report.found) == set(damage.kinds), report.found
    assert report.finished
    assert not report.clean


def test_every_kind_has_its_damage() -> None:
    """There is no kind of finding that no test has seen."""
    assert {kind for damage in DAMAGES.values() for kind in damage.kinds} == set(audit.KINDS)


MIXED = (
    "the record is gone",
    "the bytes are wrong",
    "a chunk is damaged",
    "a foreign key",
    "a record in another shard",
    "a shard that there is not",
    "under a second user",
    "a list names what is not there",
    "a link to a session that is gone",
    "a tombstone never expires",
    "the policy's copy is another",
    "a workspace is unreadable",
)
"""Damages that do not hide each other."""


async def test_many_damages_are_told_apart(furnished: AsyncSessionCache, place: Place) -> None:
    """Where much is wrong at once, each thing is told, on every kind of server."""
    for name in MIXED:
        DAMAGES[name].do(place)
    report = await audit.run(furnished, pace=0)
    assert set(report.found) == {kind for name in MIXED for kind in DAMAGES[name].kinds}
    assert {name: found.count for name, found in report.found.items() if found.count != 1} == {"misplaced": 2}


async def test_what_reconcile_repairs_is_found_no_more(furnished: AsyncSessionCache, place: Place) -> None:
    """Findings whose remedy is reconcile are gone after it."""
    for name in DAMAGES:
        if all("run reconcile" in audit.KINDS[kind].remedy for kind in DAMAGES[name].kinds):
            DAMAGES[name].do(place)
    found = set((await audit.run(furnished, pace=0)).found)
    assert found >= {"by-updated", "by-user", "deadlines", "ghost", "no-link", "stale-link", "totals", "policy"}
    for shard in range(furnished.keys.shards):
        await reconcile.run(furnished, shard, limit=1_000)
    assert (await audit.run(furnished, pace=0)).found == {}
