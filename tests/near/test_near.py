"""When what was read may be kept, and when what is kept may be given out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

from sessioncache import Settings
from sessioncache.near import NearCache
from sessioncache.near.cache import ROW_MAX
from sessioncache.near.fill import Fill
from sessioncache.wire.keys import Keyspace

KEYS = Keyspace("t", 4)
CHAT = KEYS.session("chat")
PUSH = [b"invalidate", [str(CHAT.record).encode()]]
FLUSHED = [b"invalidate", None]
KEEPS = [b"OK", b"5000", [b"4", b"500000"], b"OK", None]
"""The deadline is half a second after the server's time; no policy was ever saved."""


class Line:
    """A connection."""

    def __init__(self) -> None:
        self.is_current = True
        self.confirmed_at = 0.0


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A near-cache with a connection."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.line = Line()
        self.near = NearCache(bytes_max=100_000, stale_ms=1_000, clock=self.clock)

    def fill(self, replies: list[Any] | None = None, *, between: Callable[[int], object] = lambda _: None) -> None:
        """Read the session once; `between` is called at each step."""
        with self.near.fill(CHAT) as fill:
            between(0)
            asked = len(fill.send(self.line))
            between(1)
            fill.answered((replies or KEEPS)[:asked])
            between(2)
            fill.keep("record", [b"value"], size=100)
        between(3)

    def holds(self) -> bool:
        """Whether the session is given out of memory."""
        return self.near.get(CHAT, "record") is not None


@pytest.fixture
def bench() -> Bench:
    """One with nothing in it."""
    return Bench()


def test_what_was_read_is_given_out(bench: Bench) -> None:
    """A read with nothing in its way is kept, counted, and asks for changes of the record and, once, of the policy."""
    assert not bench.holds()
    with bench.near.fill(CHAT) as fill:
        assert list(fill.send(bench.line)) == [
            ("CLIENT", "CACHING", "YES"),
            ("HGET", CHAT.record, "deadline_ms"),
            ("TIME",),
            ("CLIENT", "CACHING", "YES"),
            ("HGET", CHAT.shard.policy, "slide_on_read"),
        ]
        fill.answered(KEEPS)
        fill.keep("record", [b"value"], size=100)
    assert bench.holds()
    assert (bench.near.hits, bench.near.misses, bench.near.entries) == (1, 1, 1)
    assert 100 < bench.near.bytes < 1_000
    with bench.near.fill(CHAT) as fill:
        assert len(fill.send(bench.line)) == 3
    with bench.near.fill(CHAT) as fill:
        assert len(fill.send(Line())) == 5


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize(
    "happens",
    [
        lambda bench: bench.near.on_push(PUSH),
        lambda bench: bench.near.on_push(FLUSHED),
        lambda bench: bench.near.on_lost(),
        lambda bench: bench.near.on_write(CHAT.group),
        lambda bench: bench.near.on_write([CHAT.lease]),
        lambda bench: bench.near.on_write([CHAT.shard.by_updated]),
        lambda bench: bench.near.on_push([b"invalidate", [str(CHAT.shard.policy).encode()]]),
        lambda bench: bench.near.clear(),
        lambda bench: setattr(bench.line, "is_current", False),
    ],
    ids=["changed", "flushed", "lost", "written", "leased", "shard written", "policy", "cleared", "retired"],
)
def test_any_doubt_in_any_moment_drops_it(bench: Bench, step: int, happens: Callable[[Bench], object]) -> None:
    """Whatever may have changed the session while it was read, or after, it is not given out of memory."""
    bench.fill(between=lambda at: happens(bench) if at == step else None)
    assert not bench.holds()


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize(
    "happens",
    [
        lambda bench: bench.near.on_push([b"invalidate", [str(KEYS.session("other").record).encode()]]),
        lambda bench: bench.near.on_push([b"invalidate", [str(KEYS.session("chat2").record).encode()]]),
        lambda bench: bench.near.on_push([b"message", b"channel", b"text"]),
        lambda bench: bench.near.on_write(KEYS.session("other").group),
        lambda bench: bench.near.on_write([KEYS.config]),
        lambda bench: bench.near.on_write([KEYS.shard((CHAT.shard.index + 1) % 4).by_updated]),
    ],
    ids=["other", "longer name", "no invalidation", "other written", "configuration", "other shard"],
)
def test_what_concerns_others_drops_nothing(bench: Bench, step: int, happens: Callable[[Bench], object]) -> None:
    """What happens to other sessions and shards leaves this one where it is."""
    bench.fill(between=lambda at: happens(bench) if at == step else None)
    assert bench.holds()


@pytest.mark.parametrize("position", range(5))
def test_an_error_in_any_place_is_a_doubt(bench: Bench, position: int) -> None:
    """Where the server refused to watch, or the key is elsewhere, nothing is kept."""
    replies = [*KEEPS[:position], ResponseError("MOVED 1 127.0.0.1:7000"), *KEEPS[position + 1 :]]
    bench.fill(replies)
    assert not bench.holds()


def test_what_was_sent_twice_is_not_kept(bench: Bench) -> None:
    """A part of the answer may then be older than the question."""
    with bench.near.fill(CHAT) as fill:
        fill.send(bench.line)
        fill.send(bench.line)
        fill.answered(KEEPS)
        fill.keep("record", [], size=1)
    assert not bench.holds()


def test_what_was_never_sent_is_not_kept(bench: Bench) -> None:
    """A connection that asks for no changes, or that gave no answer, keeps nothing."""
    unsent, unanswered = bench.near.fill(CHAT), bench.near.fill(CHAT)
    for fill in (unsent, unanswered):
        with fill:
            if fill is unanswered:
                fill.send(bench.line)
            fill.keep("record", [], size=1)
    assert not bench.holds()


def test_reads_side_by_side_hear_of_the_same_change(bench: Bench) -> None:
    """Two reads of one session are both in doubt; ended ones are forgotten."""

    def both(first: Fill, second: Fill) -> None:
        for fill in (first, second):
            fill.send(bench.line)
            fill.answered(KEEPS)
        bench.near.on_push(PUSH)
        for fill in (first, second):
            fill.keep("record", [], size=1)

    with bench.near.fill(CHAT) as first, bench.near.fill(CHAT) as second:
        both(first, second)
    assert not bench.holds()
    assert bench.near._fills == {}


def test_what_was_not_confirmed_for_a_while_is_asked_again(bench: Bench) -> None:
    """Out of memory comes only what the server was known to stand by a second ago; an answer renews that for all."""
    bench.fill()
    bench.clock.now = 0.4
    bench.line.confirmed_at = -0.7
    assert not bench.holds()
    bench.line.confirmed_at = -0.6
    assert bench.holds()


def test_a_deadline_ends_it(bench: Bench) -> None:
    """From its deadline on, by the server's clock and the time that has passed since, a session is not given out."""
    bench.clock.now = 100.0
    bench.fill()
    bench.line.confirmed_at = 100.0
    bench.clock.now = 100.499
    assert bench.holds()
    bench.clock.now = 100.5
    assert not bench.holds()
    assert bench.near.entries == 0


@pytest.mark.parametrize("deadline", [b"0", b"-1"])
def test_without_a_deadline_it_stays(bench: Bench, deadline: bytes) -> None:
    """A session that does not expire has no end in memory."""
    bench.fill([b"OK", deadline, [b"4", b"0"], b"OK", b"0"])
    bench.clock.now = bench.line.confirmed_at = 10.0**9
    assert bench.holds()


def test_absence_is_not_kept(bench: Bench) -> None:
    """Of a session that is not there nobody tells anything where its slot moves, so each read asks again."""
    bench.fill([b"OK", None, [b"4", b"0"], b"OK", b"0"])
    assert not bench.holds()
    bench.fill()
    assert bench.holds()


def test_where_reads_move_deadlines_nothing_is_kept(bench: Bench) -> None:
    """A read out of memory could not move it; a policy that does so no more is noticed by the change of its key."""
    slides = [*KEEPS[:4], b"1"]
    bench.fill(slides)
    bench.fill(slides)
    assert not bench.holds()
    bench.near.on_push([b"invalidate", [str(CHAT.shard.policy).encode()]])
    bench.fill()
    assert bench.holds()


def test_how_much_of_it_is_asked_for(bench: Bench) -> None:
    """A tail of ten answers for ten and fewer; the whole answers for any number."""
    for extent, answers in ((10, [True, True, False]), (float("inf"), [True, True, True])):
        with bench.near.fill(CHAT) as fill:
            fill.answered(KEEPS[: len(fill.send(bench.line))])
            fill.keep("tail", "tail", size=1, extent=extent)
        assert [bench.near.get(CHAT, "tail", extent=wanted) is not None for wanted in (0, 10, 11)] == answers


def test_hits_do_not_go_on_for_ever(bench: Bench) -> None:
    """After many reads in a row that waited for nothing, one goes to the server, so that others have their turn."""
    bench.fill()
    row = 0
    while bench.holds():
        row += 1
    assert row == ROW_MAX
    bench.fill()
    assert bench.holds()


@pytest.mark.parametrize("deadline", [b"soon", b"1.5"])
def test_a_damaged_deadline_is_a_doubt(bench: Bench, deadline: bytes) -> None:
    """What is no number is for whoever reads the record; here it only keeps nothing."""
    bench.fill([b"OK", deadline, *KEEPS[2:]])
    assert not bench.holds()


def test_what_grows_makes_room(bench: Bench) -> None:
    """A value that takes more than before is counted as it is, and goes where it is too large."""
    bench.fill()
    before = bench.near.bytes
    bench.near.grow(CHAT, "record", 1_000)
    assert bench.near.bytes == before + 1_000
    bench.near.grow(CHAT, "record", 30_000)
    assert (bench.near.bytes, bench.near.entries) == (0, 0)
    bench.near.grow(CHAT, "record", 1)


def test_it_is_off_unless_asked_for() -> None:
    """Without the setting there is none."""
    assert NearCache.of(Settings()) is None
    near = NearCache.of(Settings(near_cache_bytes=10, near_cache_stale_ms=5))
    assert near is not None
    assert near.bytes_max == 10
