"""Thousands of schedules of callers and servers: whoever gets replies gets his own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as DriverTimeoutError

from sessioncache.transport.channel import Channel
from sessioncache.transport.dialling import pack
from sessioncache.transport.driver_errors import NotSent
from tests.transport.virtual import ScriptedServer, VirtualLoop, Wire, reply_to, token_in

FORMS = ["bulk", "bulk", "status", "error", "nested", "error inside", "huge"]
WINDOW = 12
LIMIT_MS = 1_000
BIGGEST = 5
"""Commands of one caller."""


class Story:
    """One schedule: callers that come, give up and are cancelled, and a server that does as it likes."""

    def __init__(self, number: int) -> None:
        self.chance = Random(number)
        self.outcomes = dict.fromkeys(["answered", "too late", "lost", "not sent", "cancelled"], 0)

    async def play(self) -> None:
        """Let all callers come, and judge what they got, and what the server saw."""
        channel = Channel(limit_ms=LIMIT_MS, window=WINDOW)
        server = ScriptedServer(channel.loop, channel, self.chance, WINDOW)
        unsent: set[bytes] = set()
        callers = [
            asyncio.ensure_future(self._call(channel, number, unsent)) for number in range(self.chance.randrange(1, 40))
        ]
        for caller in callers:
            if self.chance.random() < 0.2:
                channel.loop.call_later(self.chance.random() * 1.5, caller.cancel)
        if self.chance.random() < 0.1:
            channel.loop.call_later(self.chance.random(), self.chance.choice([channel.close, channel.retire]))
        for result in await asyncio.gather(*callers, return_exceptions=True):
            if isinstance(result, asyncio.CancelledError):
                self.outcomes["cancelled"] += 1
            elif isinstance(result, BaseException):
                raise result
        channel.retire()
        await channel.ended
        assert len(server.seen) == len(set(server.seen)), "something was sent twice"
        assert unsent.isdisjoint(server.seen), "something was sent of which its caller heard that it was not"
        assert server.most_under_way < WINDOW + BIGGEST
        at = {token: position for position, token in enumerate(server.seen)}
        for each, position in at.items():
            who, _, index = each.partition(b":")
            if index != b"0":
                assert server.seen[position - 1] == b"%s:%d" % (who, int(index) - 1), "something came in between"

    async def _call(self, channel: Channel, number: int, unsent: set[bytes]) -> None:
        """Some commands, after some time, perhaps one behind the other."""
        await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.001, self.chance.random()]))
        for round_number in range(self.chance.choice([1, 1, 4])):
            tokens = [b"%d.%d:%d" % (number, round_number, n) for n in range(self.chance.randrange(1, BIGGEST + 1))]
            try:
                replies = await channel.exchange([pack("ECHO", token, self.chance.choice(FORMS)) for token in tokens])
            except NotSent:
                unsent.update(tokens)
                self.outcomes["not sent"] += 1
            except DriverTimeoutError:
                self.outcomes["too late"] += 1
            except DriverConnectionError:
                self.outcomes["lost"] += 1
            else:
                assert [token_in(reply) for reply in replies] == tokens, "a reply of somebody else"
                self.outcomes["answered"] += 1


@pytest.fixture(scope="module")
def loop() -> Iterator[VirtualLoop]:
    """One for all schedules: making it is what costs time."""
    made = VirtualLoop()
    yield made
    made.close()


@pytest.mark.parametrize("block", range(8))
def test_whoever_gets_replies_gets_his_own(loop: VirtualLoop, block: int) -> None:
    """In every schedule each caller gets his own replies, all and in order, or an error; and nothing is left behind."""
    seen: dict[str, int] = {}
    for number in range(block * 400, (block + 1) * 400):
        story = Story(number)
        try:
            loop.play(story.play)
        except BaseException as error:
            error.add_note(f"schedule {number}")
            raise
        for outcome, count in story.outcomes.items():
            seen[outcome] = seen.get(outcome, 0) + count
    assert all(seen.values()), f"the schedules lack something: {seen}"


@settings(max_examples=300, deadline=None)
@given(
    forms=st.lists(st.lists(st.sampled_from(FORMS), min_size=1, max_size=4), min_size=1, max_size=8),
    pushes=st.lists(st.integers(0, 31), max_size=4),
    gave_up=st.sets(st.integers(0, 7)),
    cuts=st.lists(st.integers(0, 2_000), max_size=12),
    ends_at=st.integers(0, 2_000) | st.none(),
)
def test_any_cut_of_the_stream_leaves_everybody_his_own(  # noqa: PLR0917 - as many as there are strategies
    loop: VirtualLoop,
    forms: list[list[str]],
    pushes: list[int],
    gave_up: set[int],
    cuts: list[int],
    ends_at: int | None,
) -> None:
    """Wherever the stream is cut into pieces, and at whichever byte it ends, replies stay with those who asked."""
    asked = [[(f"{n}:{m}".encode(), form.encode()) for m, form in enumerate(each)] for n, each in enumerate(forms)]
    parts = [reply_to(token, form) for each in asked for token, form in each]
    for place in pushes:
        parts.insert(place % (len(parts) + 1), b">1\r\n$4\r\npush\r\n")
    stream = b"".join(parts)
    whole = ends_at is None or ends_at >= len(stream)
    stream = stream[:ends_at]

    async def story() -> None:
        channel = Channel(limit_ms=LIMIT_MS)
        wire = Wire(channel.loop, channel)
        calls = [asyncio.ensure_future(channel.exchange([pack("ECHO", *each) for each in some])) for some in asked]
        await asyncio.sleep(0.001)
        for index in gave_up.intersection(range(len(calls))):
            calls[index].cancel()
        edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
        for start, end in pairwise(edges):
            wire.say(stream[start:end])
            await asyncio.sleep(0.001)
        wire.lose(None)
        for index, result in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
            if index in gave_up:
                assert isinstance(result, asyncio.CancelledError)
            elif isinstance(result, list):
                assert [token_in(reply) for reply in result] == [token for token, _ in asked[index]]
            else:
                assert isinstance(result, DriverConnectionError)
                assert not whole, "an answer that came whole was not handed over"
        await channel.ended

    loop.play(story)


@settings(max_examples=500, deadline=None)
@given(
    noise=st.lists(
        st.binary(max_size=40)
        | st.sampled_from(
            [b"*2\r\n", b"$-1\r\n", b"+OK\r\n", b">1\r\n:1\r\n", b"%1\r\n*0\r\n:1\r\n", b"$5\r\nab", b"-\xff\r\n"]
        ),
        max_size=12,
    ),
    callers=st.integers(0, 5),
)
def test_no_bytes_break_more_than_the_connection(loop: VirtualLoop, noise: list[bytes], callers: int) -> None:
    """Whatever bytes come, every caller gets an answer or the driver's error, and what cannot be read ends it all."""

    async def story() -> None:
        channel = Channel(limit_ms=LIMIT_MS)
        wire = Wire(channel.loop, channel)
        calls = [asyncio.ensure_future(channel.exchange([b"x", b"y"])) for _ in range(callers)]
        await asyncio.sleep(0)
        for piece in noise:
            wire.say(piece)
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, list | RedisError)
            assert not isinstance(result, ResponseError)
        channel.close()
        await channel.ended

    loop.play(story)
