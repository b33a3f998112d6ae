"""Turns: no more writes of a session under way than the server remembers, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from random import Random

import pytest

from sessioncache import BackendUnavailable
from sessioncache.transport.turns_async import Turns
from sessioncache.transport.turns_sync import Turns as SyncTurns
from sessioncache.wire.keys import Key
from tests.transport.virtual import VirtualLoop

KEY, OTHER = Key("one"), Key("two")


def test_no_more_than_allowed_are_under_way() -> None:
    """In any schedule, with callers cancelled at any moment, turns are bounded, and all of them come back."""
    loop = VirtualLoop()
    for number in range(200):
        chance = Random(number)
        turns = Turns(3)
        under_way = [0]

        async def work(turns: Turns = turns, chance: Random = chance, under_way: list[int] = under_way) -> None:
            await asyncio.sleep(chance.random())
            if not turns.begin(KEY):
                await turns.wait(KEY, limit_ms=100_000)
            under_way[0] += 1
            try:
                assert under_way[0] <= 3
                await asyncio.sleep(chance.random() / 4)
            finally:
                under_way[0] -= 1
                turns.end(KEY)

        async def story(chance: Random = chance) -> None:
            tasks = [asyncio.ensure_future(work()) for _ in range(20)]
            for task in tasks:
                if chance.random() < 0.3:
                    asyncio.get_running_loop().call_later(chance.random() * 2, task.cancel)
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert result is None or isinstance(result, asyncio.CancelledError)

        loop.play(story)
        assert (turns._taken, turns._waiting) == ({}, {})
    loop.close()


def test_who_waits_too_long_is_told() -> None:
    """Where no turn is given back in time, the caller hears that nothing was sent; other keys are free."""
    loop = VirtualLoop()

    async def story() -> None:
        turns = Turns(1)
        assert turns.begin(KEY)
        assert turns.begin(OTHER)
        with pytest.raises(BackendUnavailable, match="not sent: 1 writes of the session"):
            await turns.wait(KEY, limit_ms=50)
        turns.end(KEY)
        assert turns.begin(KEY)

    loop.play(story)
    loop.close()


def test_threads_take_turns_too() -> None:
    """The twin for threads bounds them alike, and tells who waits too long."""
    turns = SyncTurns(2)
    lock, under_way, most = threading.Lock(), [0], [0]

    def work() -> None:
        for _ in range(50):
            if not turns.begin(KEY):
                turns.wait(KEY, limit_ms=30_000)
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            with lock:
                under_way[0] -= 1
            turns.end(KEY)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 2
    assert turns._taken == {}
    assert turns.begin(KEY)
    assert turns.begin(KEY)
    with pytest.raises(BackendUnavailable, match="not sent"):
        turns.wait(KEY, limit_ms=1)
