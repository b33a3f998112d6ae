"""Turns: no more writes of a session under way than the server remembers, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from random import Random

import pytest

from sessioncache import BackendUnavailable
from sessioncache.transport.turns_async import Turns
from sessioncache.transport.turns_sync import Turn
from sessioncache.transport.turns_sync import Turns as SyncTurns
from sessioncache.transport.window import Window
from sessioncache.wire.keys import Key
from tests.transport.virtual import VirtualLoop

KEY, OTHER = Key("one"), Key("two")


def test_no_more_than_allowed_are_under_way() -> None:
    """In any schedule, with callers cancelled at any moment, turns are bounded, and all of them come back."""
    loop = VirtualLoop()
    for number in range(200):
        chance = Random(number)
        turns = Turns(3)
        under_way: list[int] = []

        async def work(turns: Turns = turns, chance: Random = chance, under_way: list[int] = under_way) -> None:
            await asyncio.sleep(chance.random())
            turn = turns.begin(KEY)
            if turn is None:
                turn = await turns.wait(KEY, limit_ms=100_000)
            under_way.append(turn)
            try:
                assert max(under_way) - min(under_way) < 3
                await asyncio.sleep(chance.random() / 4)
            finally:
                under_way.remove(turn)
                turns.end(KEY, turn)

        async def story(chance: Random = chance) -> None:
            tasks = [asyncio.ensure_future(work()) for _ in range(20)]
            for task in tasks:
                if chance.random() < 0.3:
                    asyncio.get_running_loop().call_later(chance.random() * 2, task.cancel)
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert result is None or isinstance(result, asyncio.CancelledError)

        loop.play(story)
        assert (turns._window._under_way, turns._waiting) == ({}, {})
    loop.close()


def test_who_waits_too_long_is_told() -> None:
    """Where no turn is given back in time, the caller hears that nothing was sent; other keys are free."""
    loop = VirtualLoop()

    async def story() -> None:
        turns = Turns(1)
        assert (turns.begin(KEY), turns.begin(OTHER), turns.begin(KEY)) == (0, 0, None)
        with pytest.raises(BackendUnavailable, match="not sent: the writes of the session before it"):
            await turns.wait(KEY, limit_ms=50)
        turns.end(KEY, 0)
        assert turns.begin(KEY) == 0

    loop.play(story)
    loop.close()


@pytest.mark.parametrize("size", [1, 2, 8])
def test_nobody_runs_far_ahead_of_one_that_is_not_answered(size: int) -> None:
    """However many others are answered meanwhile, only so many begin after the one that is not."""
    window = Window(size)
    assert window.begin(KEY) == 0
    for number in range(1, size):
        assert window.begin(KEY) == number
        window.end(KEY, number)
    assert window.begin(KEY) is None
    window.end(KEY, 0)
    assert window.begin(KEY) == 0


def test_threads_take_turns_too() -> None:
    """The twin for threads bounds them alike, and tells who waits too long."""
    turns = SyncTurns(2)
    lock = threading.Lock()
    under_way: list[Turn] = []
    most = [0]

    def work() -> None:
        for _ in range(50):
            turn = turns.begin(KEY)
            if turn is None:
                turn = turns.wait(KEY, limit_ms=30_000)
            with lock:
                under_way.append(turn)
                most[0] = max(most[0], len(under_way))
            with lock:
                under_way.remove(turn)
            turns.end(KEY, turn)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 2
    assert (turns._under_way, turns._waiting) == ({}, set())
    held = (turns.begin(KEY), turns.begin(KEY))
    with pytest.raises(BackendUnavailable, match="not sent"):
        turns.wait(KEY, limit_ms=1)
    assert None not in held


@pytest.mark.parametrize("size", [1, 2, 8])
def test_no_thread_runs_far_ahead_of_one_that_is_not_answered(size: int) -> None:
    """However many others are answered meanwhile, only so many begin after the one that is not."""
    turns = SyncTurns(size)
    first = turns.begin(KEY)
    assert first is not None
    for _ in range(1, size):
        turn = turns.begin(KEY)
        assert turn is not None
        turns.end(KEY, turn)
    assert turns.begin(KEY) is None
    turns.end(KEY, first)
    assert turns.begin(KEY) is not None


def test_a_turn_that_nobody_holds_is_over() -> None:
    """A call that was broken off without giving its turn back keeps nobody waiting."""
    turns = SyncTurns(1)
    held = [turns.begin(KEY)]
    waiting = threading.Thread(target=held.clear)
    waiting.start()
    assert turns.wait(KEY, limit_ms=30_000) is not None
    waiting.join()
