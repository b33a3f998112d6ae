"""One connection for many tasks: order, limits, and what is told to whom. On a clock that jumps, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as DriverTimeoutError

from sessioncache.transport.channel import WRITE_BYTES, Channel
from sessioncache.transport.driver_errors import NotSent
from tests.transport.virtual import VirtualLoop, Wire

Story = Callable[[], Coroutine[Any, Any, None]]
LIMIT_MS = 1_000


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """A loop that never sleeps."""
    made = VirtualLoop()
    yield made
    made.close()


class Pushes:
    """Remembers what it was told."""

    greeting: Sequence[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.heard: list[list[Any]] = []
        self.lost = 0

    def on_push(self, message: list[Any]) -> None:
        if message[0] == b"bad":
            raise ValueError("cannot read it")
        self.heard.append(message)

    def on_lost(self) -> None:
        self.lost += 1


def connect(window: int = 100, listener: Pushes | None = None) -> tuple[Channel, Wire]:
    """A channel on a wire."""
    channel = Channel(limit_ms=LIMIT_MS, window=window, listener=listener)
    return channel, Wire(channel.loop, channel)


def ask(channel: Channel, *commands: bytes) -> asyncio.Task[list[Any]]:
    """A task that exchanges commands."""
    return asyncio.ensure_future(channel.exchange(commands))


async def turns(count: int = 3) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_who_is_alone_in_a_tick_does_not_wait_for_its_end(loop: VirtualLoop) -> None:
    """Where nothing else is to run in the tick, a command is written at once; otherwise it waits for the others."""

    async def story() -> None:
        channel, wire = connect()
        alone = channel.ask([b"a"])
        assert wire.writes == [b"a"]
        loop.call_soon(channel.ask, [b"c"])
        among_others = channel.ask([b"b"])
        assert wire.writes == [b"a"]
        await turns()
        assert wire.writes == [b"a", b"bc"]
        wire.say(b":1\r\n:2\r\n:3\r\n")
        assert [await alone, await among_others] == [[1], [2]]
        channel.close()

    loop.play(story)


def test_what_is_asked_in_one_tick_leaves_in_one_write(loop: VirtualLoop) -> None:
    """Ten tasks, one write, in their order; the next tick has a write of its own."""

    async def story() -> None:
        channel, wire = connect()
        calls = [ask(channel, b"%d;" % n) for n in range(10)]
        await turns()
        assert wire.writes == [b"0;1;2;3;4;5;6;7;8;9;"]
        calls.append(ask(channel, b"10;"))
        await turns()
        assert wire.writes[1:] == [b"10;"]
        wire.say(b"".join(b":%d\r\n" % n for n in range(11)))
        assert await asyncio.gather(*calls) == [[n] for n in range(11)]
        channel.close()

    loop.play(story)


def test_a_cancelled_caller_keeps_his_place(loop: VirtualLoop) -> None:
    """The reply for who was cancelled is thrown away, and nobody else's moves up."""

    async def story() -> None:
        channel, wire = connect()
        first, second, third = ask(channel, b"a", b"b"), ask(channel, b"c"), ask(channel, b"d")
        await turns()
        wire.say(b":1\r\n")
        first.cancel()
        second.cancel()
        await turns()
        wire.say(b":2\r\n:3\r\n:4\r\n")
        assert await third == [4]
        assert first.cancelled()
        assert second.cancelled()
        channel.close()

    loop.play(story)


def test_a_caller_beyond_the_window_waits(loop: VirtualLoop) -> None:
    """No more commands are under way than the window; replies make room, first come first served."""

    async def story() -> None:
        channel, wire = connect(window=2)
        calls = [ask(channel, b"%d;" % n) for n in range(6)]
        await turns()
        assert b"".join(wire.writes) == b"0;1;"
        wire.say(b":0\r\n")
        await turns()
        assert b"".join(wire.writes) == b"0;1;2;"
        wire.say(b":1\r\n:2\r\n")
        await turns()
        assert b"".join(wire.writes) == b"0;1;2;3;4;"
        wire.say(b":3\r\n:4\r\n")
        await turns()
        wire.say(b":5\r\n")
        assert await asyncio.gather(*calls) == [[n] for n in range(6)]
        channel.close()

    loop.play(story)


def test_who_gives_up_before_his_turn_is_never_sent(loop: VirtualLoop) -> None:
    """Cancelled, or too late, while still waiting for room: the server never sees it, and the caller hears so."""

    async def story() -> None:
        channel, wire = connect(window=1)
        first, cancelled, late = ask(channel, b"first"), ask(channel, b"cancelled"), ask(channel, b"late")
        await turns()
        cancelled.cancel()
        await asyncio.sleep(LIMIT_MS / 1000 * 0.9)
        wire.say(b">1\r\n:1\r\n")
        with pytest.raises(NotSent, match="no room on the connection within 1000 ms"):
            await late
        with pytest.raises(DriverTimeoutError):
            await first
        wire.say(b":1\r\n")
        last = ask(channel, b"last")
        await turns()
        assert b"".join(wire.writes) == b"firstlast"
        wire.say(b":2\r\n")
        assert await last == [2]
        channel.close()

    loop.play(story)


def test_a_wire_that_is_full_holds_writers_back(loop: VirtualLoop) -> None:
    """After pause_writing nothing more is written until resume_writing, in order."""

    async def story() -> None:
        channel, wire = connect()
        calls = [ask(channel, b"a")]
        await turns()
        channel.pause_writing()
        calls += [ask(channel, b"b"), ask(channel, b"c")]
        await turns()
        wire.say(b":1\r\n")
        await turns()
        assert wire.writes == [b"a"]
        channel.resume_writing()
        await turns()
        assert wire.writes == [b"a", b"bc"]
        wire.say(b":2\r\n:3\r\n")
        assert await asyncio.gather(*calls) == [[1], [2], [3]]
        channel.close()

    loop.play(story)


def test_much_is_written_at_once_so_that_the_wire_can_say_stop(loop: VirtualLoop) -> None:
    """Within one tick no more piles up than one write's worth and one caller's commands."""

    async def story() -> None:
        channel, wire = connect()
        piece = b"x" * (WRITE_BYTES // 4)
        calls = [ask(channel, piece) for _ in range(12)]
        await turns()
        assert [len(write) for write in wire.writes] == [WRITE_BYTES] * 3
        wire.say(b":1\r\n" * 12)
        await asyncio.gather(*calls)
        channel.close()

    loop.play(story)


def test_silence_ends_the_connection(loop: VirtualLoop) -> None:
    """A server that says nothing for as long as an answer may take is left; who was not sent for hears that."""

    async def story() -> None:
        channel, wire = connect(window=1)
        sent, queued = ask(channel, b"sent"), ask(channel, b"queued")
        with pytest.raises(DriverTimeoutError, match="no answer within 1000 ms"):
            await sent
        with pytest.raises(NotSent):
            await queued
        await channel.ended
        assert wire.is_gone
        with pytest.raises(NotSent):
            await channel.exchange([b"after"])

    loop.play(story)


def test_a_slow_answer_ends_only_the_waiting(loop: VirtualLoop) -> None:
    """While the server goes on answering others, one whose time is up is told so, and the connection stays."""

    async def story() -> None:
        channel, wire = connect()
        slow = ask(channel, b"slow")
        await turns()
        for _ in range(4):
            await asyncio.sleep(LIMIT_MS / 1000 * 0.4)
            wire.say(b">1\r\n:1\r\n")
        with pytest.raises(DriverTimeoutError):
            await slow
        other = ask(channel, b"other")
        await turns()
        wire.say(b"+slow\r\n+other\r\n")
        assert await other == [b"other"]
        channel.close()

    loop.play(story)


def test_a_process_that_was_held_up_does_not_blame_the_server(loop: VirtualLoop) -> None:
    """Where the loop itself stood still, the time is not the server's: it gets a moment to be heard."""

    async def story() -> None:
        channel, wire = connect()
        call = ask(channel, b"a")
        await turns()
        loop.clock.now += 10
        await turns()
        wire.say(b":1\r\n")
        assert await call == [1]
        channel.close()

    loop.play(story)


def test_an_idle_connection_has_no_timer(loop: VirtualLoop) -> None:
    """When nobody waits any more the timer ends, and the connection stays for as long as one likes."""

    async def story() -> None:
        channel, wire = connect()
        call = ask(channel, b"a")
        await turns()
        wire.say(b":1\r\n")
        await call
        await asyncio.sleep(86_400)
        assert loop.timers() == []
        call = ask(channel, b"b")
        await turns()
        wire.say(b":2\r\n")
        assert await call == [2]
        channel.close()

    loop.play(story)


def test_pushes_stand_between_replies(loop: VirtualLoop) -> None:
    """A push, wherever it comes, goes to the listener and to nobody who waits."""

    async def story() -> None:
        pushes = Pushes()
        channel, wire = connect(listener=pushes)
        calls = [ask(channel, b"a"), ask(channel, b"b")]
        await turns()
        push = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
        wire.say(push + b":1\r\n" + push + b":2\r\n" + push)
        assert await asyncio.gather(*calls) == [[1], [2]]
        assert pushes.heard == [[b"invalidate", [b"k"]]] * 3
        channel.close()
        channel.close()
        assert pushes.lost == 1

    loop.play(story)


def test_a_listener_that_fails_ends_the_connection(loop: VirtualLoop) -> None:
    """What a listener could not take in would be missing for ever, so it hears that the connection is lost."""

    async def story() -> None:
        pushes = Pushes()
        channel, wire = connect(listener=pushes)
        call = ask(channel, b"a")
        await turns()
        wire.say(b">1\r\n$3\r\nbad\r\n:1\r\n")
        with pytest.raises(DriverConnectionError, match="cannot read it"):
            await call
        assert pushes.lost == 1

    loop.play(story)


@pytest.mark.parametrize("noise", [b":1\r\n:2\r\n", b":1\r\nnonsense\r\n", b":1\r\n$zz\r\n"])
def test_what_nobody_asked_for_ends_the_connection(loop: VirtualLoop, noise: bytes) -> None:
    """A reply too many, or bytes that are none: who has his reply keeps it, and no further one is believed."""

    async def story() -> None:
        channel, wire = connect()
        call = ask(channel, b"a")
        await turns()
        wire.say(noise)
        assert await call == [1]
        assert isinstance(channel.lost, InvalidResponse)
        await channel.ended
        assert wire.is_gone

    loop.play(story)


def test_a_reply_before_the_question_ends_the_connection(loop: VirtualLoop) -> None:
    """What comes before a command was written cannot be its reply, even if somebody waits already."""

    async def story() -> None:
        channel, wire = connect()
        call = ask(channel, b"a")
        await turns(1)
        wire.say(b":1\r\n")
        with pytest.raises(NotSent, match="nobody asked for"):
            await call
        assert wire.writes == []

    loop.play(story)


def test_who_is_cancelled_within_the_tick_is_not_sent(loop: VirtualLoop) -> None:
    """A caller that is gone before the tick's write is left out of it."""

    async def story() -> None:
        channel, wire = connect(window=2)
        gone, stays = ask(channel, b"gone"), ask(channel, b"stays")
        await turns(1)
        gone.cancel()
        await turns()
        assert wire.writes == [b"stays"]
        wire.say(b":1\r\n")
        assert await stays == [1]
        channel.close()

    loop.play(story)


def test_who_is_left_out_makes_room(loop: VirtualLoop) -> None:
    """Behind a caller that is gone before the tick's write, the next one in the queue is sent."""

    async def story() -> None:
        channel, wire = connect(window=1)
        gone, stays = ask(channel, b"gone"), ask(channel, b"stays")
        await turns(1)
        gone.cancel()
        await turns()
        assert wire.writes == [b"stays"]
        wire.say(b":1\r\n")
        assert await stays == [1]
        channel.close()

    loop.play(story)


def test_errors_are_replies(loop: VirtualLoop) -> None:
    """An error stands in its place, alone or inside an array, and shifts nothing."""

    async def story() -> None:
        channel, wire = connect()
        calls = [ask(channel, b"a", b"b"), ask(channel, b"c"), ask(channel, b"d")]
        await turns()
        wire.say(b"-ERR one\r\n-NOSCRIPT two\r\n*2\r\n-WRONGTYPE inside\r\n:3\r\n:4\r\n")
        (one, two), ((inside, three),), four = await asyncio.gather(*calls)
        assert (type(one), str(one), type(two)) == (ResponseError, "one", NoScriptError)
        assert (str(inside), three, four) == ("WRONGTYPE inside", 3, [4])
        channel.close()

    loop.play(story)


def test_closing_tells_everybody(loop: VirtualLoop) -> None:
    """Close ends at once what is under way; what was still in hand is not written."""

    async def story() -> None:
        channel, wire = connect()
        sent = ask(channel, b"sent")
        await turns()
        in_hand = ask(channel, b"in hand")
        await turns(1)
        channel.close()
        with pytest.raises(DriverConnectionError, match="closed on this side") as raised:
            await sent
        assert not isinstance(raised.value, NotSent)
        with pytest.raises(NotSent, match="closed on this side"):
            await in_hand
        wire.say(b":1\r\n")
        await channel.ended
        assert wire.writes == [b"sent"]

    loop.play(story)


def test_a_retired_connection_ends_with_the_last_answer(loop: VirtualLoop) -> None:
    """What was asked is answered first; with the last answer the connection goes."""

    async def story() -> None:
        channel, wire = connect()
        calls = [ask(channel, b"a"), ask(channel, b"b")]
        await turns()
        channel.retire()
        wire.say(b":1\r\n")
        assert str(channel.lost) == "None"
        wire.say(b":2\r\n")
        assert "closed on this side" in str(channel.lost)
        assert await asyncio.gather(*calls) == [[1], [2]]
        await channel.ended

    loop.play(story)


def test_a_retired_connection_does_not_wait_for_who_has_gone(loop: VirtualLoop) -> None:
    """Where the last who waited was cancelled, the connection goes before the server would be given up."""

    async def story() -> None:
        channel, wire = connect()
        cancelled = ask(channel, b"a")
        await turns()
        channel.retire()
        cancelled.cancel()
        await channel.ended
        assert wire.is_gone
        assert "closed on this side" in str(channel.lost)

    loop.play(story)


def test_a_signal_in_the_middle_ends_the_connection(loop: VirtualLoop) -> None:
    """An exception that a signal raises while replies are handed over may lose one: nothing after it is believed."""

    class Struck(Pushes):
        def on_push(self, message: list[Any]) -> None:
            raise KeyboardInterrupt(message)

    async def story() -> None:
        channel, wire = connect(listener=Struck())
        call = ask(channel, b"a")
        await turns()
        with pytest.raises(KeyboardInterrupt):
            wire.say(b">1\r\n:1\r\n:1\r\n")
        with pytest.raises(DriverConnectionError):
            await call

    loop.play(story)


def test_a_write_that_fails_ends_the_connection(loop: VirtualLoop) -> None:
    """Nobody knows how much of it went out."""

    class Broken(Wire):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            raise RuntimeError("closed underneath", len(data))

    async def story() -> None:
        channel = Channel(limit_ms=LIMIT_MS)
        Broken(channel.loop, channel)
        with pytest.raises(DriverConnectionError, match="closed underneath"):
            await channel.exchange([b"a"])

    loop.play(story)


def test_nothing_asked_is_nothing_sent(loop: VirtualLoop) -> None:
    """No commands, no place, no wait."""

    async def story() -> None:
        channel, wire = connect()
        assert (await channel.exchange([]), wire.writes) == ([], [])
        channel.close()

    loop.play(story)
