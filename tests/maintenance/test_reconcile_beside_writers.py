"""Repairing a shard in runs that are cut off anywhere, while others write anywhere: drawn anew for each seed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from redis import Redis

from sessioncache import AsyncSessionCache
from sessioncache.maintenance import batch, links, reconcile, tally
from sessioncache.maintenance.pace import Pace
from sessioncache.upkeep.models import COUNTED
from tests.engines import Engine
from tests.maintenance.conftest import Surgeon, make_cache

NAMES = [f"s{number:02}" for number in range(20)]
STEPS = [
    "by_user",
    "changes",
    "counters",
    "linked",
    "listed",
    "reindex",
    "relink",
    "settle",
    "tallied",
    "tally",
    "view",
]
RUNS_MOST = 2_000


class CutOff(Exception):
    """Time is up, or the process died."""


def members(client: Redis, key: str) -> list[bytes]:
    """What a list has."""
    return cast("list[bytes]", client.zrange(key, 0, -1))


class Play:
    """One shard, what is written to it, and where its runs are cut off."""

    def __init__(self, cache: AsyncSessionCache, writer: AsyncSessionCache, surgeon: Surgeon, seed: int) -> None:
        self.cache = cache
        self.writer = writer
        self.surgeon = surgeon
        self.chance = random.Random(seed)
        self.writing = self.chance.choice([0.0, 0.1, 0.3])
        self.cutting = self.chance.choice([0.0, 0.01, 0.05])
        self.cutting_behind_parts = self.chance.choice([0.2, 0.8, 1.0])

    async def write(self) -> None:
        """Anything, to any session."""
        name, user = self.chance.choice(NAMES), f"u{self.chance.randrange(30):02}"
        room = self.chance.choice("abc")
        there = await self.writer.sessions.exists(name)
        kind = self.chance.randrange(8)
        if not there or kind <= 1:
            await self.writer.transcripts.append(name, [{"n": 1}] * self.chance.randint(1, 3), user=user)
        elif kind == 2:
            await self.writer.transcripts.pop(name)
        elif kind == 3:
            await self.writer.session(name).delete()
        elif kind == 4:
            await self.writer.transcripts.save(name, [{"n": 2}] * self.chance.randint(0, 4))
        elif kind == 5:
            await self.writer.sessions.update(name, user=user)
        elif kind == 6:
            await self.writer.workspaces.add(room, name)
        else:
            await self.writer.workspaces.remove(room, name)

    def spoil(self) -> None:
        """Put totals wrong, and take sessions out of one list each."""
        keys = self.cache.keys.shard(0)
        lists = (keys.by_user, keys.by_updated, keys.deadlines)
        lost = {name.encode(): self.chance.choice(lists) for name in NAMES}
        with self.surgeon.at(keys.totals) as client:
            for field in ("sessions", "messages", "bytes", "workspaces"):
                client.hincrby(keys.totals, field, self.chance.randint(-50, 50))
            for key in lists:
                for member in members(client, key):
                    if lost[member.rpartition(b"\0")[2]] == key and self.chance.random() < 0.5:
                        client.zrem(key, member)

    def disturb(self, patch: pytest.MonkeyPatch) -> None:
        """Write around each step of a run, and cut the run off there."""

        def disturbed(name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def taken(*given: Any, **named: Any) -> object:
                while self.chance.random() < self.writing:
                    await self.write()
                if self.chance.random() < self.cutting:
                    raise CutOff
                answer = await step(*given, **named)
                while self.chance.random() < self.writing:
                    await self.write()
                is_part = name == "tally" and given[1]
                if self.chance.random() < (self.cutting_behind_parts if is_part else self.cutting):
                    raise CutOff
                return answer

            return taken

        for name in STEPS:
            patch.setattr(self.cache.upkeep, name, disturbed(name, getattr(self.cache.upkeep, name)))

    async def run_until_done(self) -> None:
        """Runs, each as far as it comes, and writes between them."""
        limit = self.chance.choice([5, 9, 1_000])
        for _ in range(RUNS_MOST):
            try:
                if (await reconcile.run(self.cache, 0, limit=limit)).done:
                    return
            except CutOff:
                pass
            for _ in range(self.chance.choice([0, 0, 1, 5])):
                await self.write()
        raise AssertionError("no run has come to the end of the shard")

    async def told(self) -> tuple[int, ...]:
        """What the totals say."""
        totals = (await self.writer.upkeep.view(0, after=0, limit=1)).totals
        return totals.sessions, *totals.counted

    async def held(self) -> tuple[int, ...]:
        """The same, as the records say."""
        records = [found for found in await self.writer.upkeep.counters(NAMES) if isinstance(found, tuple)]
        return len(records), *(sum(found[at] for found in records) for at in range(len(COUNTED)))

    async def misplaced(self) -> dict[str, str]:
        """Sessions that some list does not have as their records say."""
        found: dict[str, str] = {}
        keys = self.cache.keys.shard(0)
        with self.surgeon.at(keys.totals) as client:
            for name in NAMES:
                user = cast("bytes | None", client.hget(self.cache.keys.session(name).record, "user"))
                by_user = [entry for entry in members(client, keys.by_user) if entry.endswith(b"\0" + name.encode())]
                wanted = [] if user is None else [user + b"\0" + name.encode()]
                is_listed = [client.zscore(key, name) is not None for key in (keys.by_updated, keys.deadlines)]
                if by_user != wanted or is_listed != [bool(wanted)] * 2:
                    found[name] = f"{user!r}, by user {by_user}, by time and deadline {is_listed}"
        return found


@pytest.fixture
async def writer(engine: Engine, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """Somebody else, on the same shard."""
    async with make_cache(engine, namespace, shards=1) as opened:
        yield opened


@pytest.mark.engines("valkey")
@pytest.mark.parametrize("seed", range(24))
async def test_any_schedule_ends_with_exact_totals_and_lists(
    cache: AsyncSessionCache, writer: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Wherever runs are cut off, whatever is written meanwhile: in the end totals and lists agree with the records."""
    play = Play(cache, writer, surgeon, seed)
    for module, name, value in [
        (tally, "PARTS", 2),
        (links, "BATCH", 3),
        (reconcile, "BATCH", 3),
        (reconcile, "PAGES", 1),
    ]:
        monkeypatch.setattr(module, name, value)
    size = play.chance.choice([1, 2, 3, 7])
    monkeypatch.setattr(tally, "PART", play.chance.choice([1, 8]))
    monkeypatch.setattr(batch, "pace_of", lambda _cache, _job: Pace(batch=size))
    for _ in range(play.chance.randint(20, 80)):
        await play.write()
    play.spoil()
    with monkeypatch.context() as patch:
        play.disturb(patch)
        await play.run_until_done()
    assert await play.told() == await play.held()
    assert await play.misplaced() == {}


async def test_what_is_written_to_is_compared_all_the_same(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that only other lists know is put back, also where somebody writes to it before the run comes there."""
    monkeypatch.setattr(batch, "pace_of", lambda _cache, _job: Pace(batch=5))
    for number in range(12):
        await cache.transcripts.append(f"s{number:02}", {"n": number}, user="ada")
    key = cache.keys.shard(0).by_user
    with surgeon.at(key) as client:
        client.zrem(key, "ada\0s11")
    assert not (await reconcile.run(cache, 0, limit=5)).done
    await cache.transcripts.append("s11", {"n": 1})
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.done, report.details) == (True, {"by-user": 1})
    assert [item.id async for item in cache.sessions.each(user="ada")].count("s11") == 1


@pytest.mark.parametrize("is_cut", [False, True], ids=["in a run", "between runs"])
async def test_writes_that_a_failover_lost_are_not_counted(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch, *, is_cut: bool
) -> None:
    """Where a replica that lacks the last writes takes over, what was counted of them puts no totals wrong."""
    monkeypatch.setattr(batch, "pace_of", lambda _cache, _job: Pace(batch=5))
    for number in range(12):
        await cache.transcripts.append(f"s{number:02}", {"n": number}, user="ada")
    shard, session = cache.keys.shard(0), cache.keys.session("s00")
    behind: dict[str, tuple[int, bytes]] = {}
    with surgeon.at(shard.totals) as client:
        for key in (shard.totals, shard.feed, shard.by_updated, session.record, session.transcript, session.operations):
            left_ms = max(0, cast("int", client.pttl(key)))
            behind[key] = left_ms, cast("bytes", client.dump(key))
    for _ in range(3):
        await cache.transcripts.append("s00", {"n": 1})

    def fail_over() -> None:
        with surgeon.at(shard.totals) as client:
            for key, (left_ms, value) in behind.items():
                client.restore(key, left_ms, value, replace=True)
        behind.clear()

    if is_cut:
        assert not (await reconcile.run(cache, 0, limit=5)).done
        fail_over()
    reports = [
        await reconcile.run(cache, 0, limit=100, progress=lambda report: fail_over() if report.examined == 5 else None)
        for _ in range(2)
    ]
    assert [report.details.get("totals", 0) for report in reports] == [0, 0]
    assert reports[-1].done
    [told] = await cache.stats.shards()
    assert (told.sessions, told.messages) == (12, 12)
