"""How background work makes way: small batches, rests, and slower where the server is."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.maintenance import prune
from sessioncache.maintenance.batch import pace_of
from sessioncache.maintenance.pace import BATCH, BATCH_MIN, BATCH_S, REST_MAX, REST_MIN, Pace, next_pace

EACH_S = 0.00004


def after(pace: Pace, batches: int, *, each_s: float, together: int = 1) -> Pace:
    """The pace after so many batches of which every session took so long."""
    for _ in range(batches):
        pace = next_pace(pace, sessions=pace.batch, took_s=pace.batch * each_s, together=together)
    return pace


def test_a_slow_batch_makes_the_next_one_smaller_and_the_rest_longer() -> None:
    """Where sessions take three times as long as usual, batches are halved and rests doubled, down to bounds."""
    calm = after(Pace(), 20, each_s=EACH_S)
    slow = after(calm, 1, each_s=3 * EACH_S)
    assert slow.batch == calm.batch // 2
    assert slow.rest == 2 * calm.rest
    slowest = after(slow, 3, each_s=10 * EACH_S)
    assert (slowest.batch, slowest.rest) == (BATCH_MIN, REST_MAX)


def test_it_grows_back_when_batches_are_quick_again() -> None:
    """A server that is quick again gets the batches and rests that it had."""
    calm = after(Pace(), 20, each_s=EACH_S)
    again = after(after(calm, 10, each_s=5 * EACH_S), 40, each_s=EACH_S)
    assert again.batch == pytest.approx(calm.batch, rel=0.05)
    assert again.rest == REST_MIN


def test_what_is_slow_for_long_becomes_usual() -> None:
    """A server that never becomes quick again does not keep work slow for ever."""
    slow = after(after(Pace(), 20, each_s=EACH_S), 600, each_s=3 * EACH_S)
    assert slow.rest == REST_MIN


def test_a_batch_is_never_long() -> None:
    """Calm or not, a batch takes about 3 ms at most, as long as that is 10 sessions or more."""
    assert after(Pace(), 50, each_s=EACH_S).batch == pytest.approx(BATCH_S / EACH_S, abs=1)
    assert after(Pace(), 50, each_s=0.000001).batch == BATCH
    assert after(Pace(), 50, each_s=0.01).batch == BATCH_MIN


@pytest.mark.parametrize("together", [1, 4, 16])
def test_runs_of_one_process_share_one_rest(together: int) -> None:
    """However many runs a process has, they take half of one connection's time together, on a calm server."""
    pace = after(Pace(), 20, each_s=EACH_S, together=together)
    took_s = pace.batch * EACH_S
    assert together * took_s / (took_s + pace.pause_s) == pytest.approx(0.5)


def test_chance_changes_little() -> None:
    """Batches that vary by half around the usual are not taken for a slow server."""
    dice = random.Random(7)
    pace = after(Pace(), 20, each_s=EACH_S)
    for _ in range(300):
        pace = next_pace(pace, sessions=pace.batch, took_s=pace.batch * EACH_S * dice.uniform(0.7, 1.3))
        assert pace.rest == REST_MIN


def test_batches_without_sessions_tell_nothing() -> None:
    """A step that looked at no session leaves the pace as it is, and is rested from by what it took itself."""
    weary = Pace(pause_s=0.9, rest=2.0)
    rested = next_pace(weary, sessions=0, took_s=0.25)
    assert rested == replace(weary, pause_s=0.5)
    assert next_pace(weary, sessions=0, took_s=0.0) == weary


@pytest.mark.engines("valkey")
async def test_a_run_learns_and_the_next_one_begins_with_it(cache: AsyncSessionCache) -> None:
    """What one run has seen of the server is where the next run of the job begins; other jobs learn for themselves."""
    await asyncio.gather(*(cache.transcripts.append(f"s{number}", {"n": number}) for number in range(30)))
    assert pace_of(cache, "prune") == Pace()
    for keys in cache.keys:
        await prune.run(cache, keys.index, limit=100)
    assert pace_of(cache, "prune").usual_s > 0
    assert pace_of(cache, "expire") == Pace()
