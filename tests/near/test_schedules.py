"""Thousands of schedules of writers, readers and lost connections: nobody reads what he could know to be old.

Each session is a number that only grows. A server of its own, on a clock that jumps, answers late and in pieces, and
tells of changes between its answers, as tracking does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Any

import hiredis
import pytest
from redis.exceptions import RedisError

from sessioncache.near import NearCache
from sessioncache.transport.channel import Channel
from sessioncache.transport.dialling import pack
from sessioncache.wire.keys import Keyspace, SessionKeys
from tests.transport.virtual import VirtualLoop, Wire

KEYS = Keyspace("t", 2)
SESSIONS = [KEYS.session(f"chat {number}") for number in range(4)]
STALE_MS = 100
LIMIT_MS = 1_000


class Store:
    """What all connections see: numbers, how they became so, and who wants to hear of changes."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.numbers = dict.fromkeys((str(keys.record) for keys in SESSIONS), 0)
        self.history: list[tuple[float, str, int]] = []
        self.tracked: dict[str, set[TrackingServer]] = {}

    def change(self, key: str) -> set[TrackingServer]:
        """One more; who wanted to hear of it is told, once."""
        self.numbers[key] += 1
        self.history.append((self.loop.time(), key, self.numbers[key]))
        return self.tracked.pop(key, set())

    def at(self, key: str, moment: float) -> int:
        """What the number was at a moment."""
        return max((number for when, name, number in self.history if name == key and when <= moment), default=0)


class TrackingServer(Wire):
    """One connection to the store."""

    def __init__(self, channel: Channel, store: Store, chance: Random) -> None:
        self._store = store
        self._chance = chance
        self._reader = hiredis.Reader()
        self._incoming: deque[bytes] = deque()
        self._outgoing: deque[bytes] = deque()
        self._out = b""
        self.told: deque[int] = deque()
        """The numbers of the changes whose pushes are on their way."""
        self._is_asked_to_tell = False
        self._ends_after = chance.choice([None, None, chance.randrange(6_000)])
        self._said = 0
        super().__init__(channel.loop, channel)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Commands are on their way for a while, and run in their order."""
        self._incoming.append(bytes(data))
        self._loop.call_later(self._chance.choice([0.0, 0.001, 0.03]), self._take)

    def tell(self, key: str) -> None:
        """The push of a change."""
        data = key.encode()
        self.told.append(self._store.numbers[key])
        self._out += b">2\r\n$10\r\ninvalidate\r\n*1\r\n$%d\r\n%s\r\n" % (len(data), data)
        self._loop.call_later(self._chance.choice([0.0, 0.001, 0.02, 0.3]), self._go_on)

    def _take(self) -> None:
        if self.is_gone:
            return
        self._reader.feed(self._incoming.popleft())
        while command := self._reader.gets():
            reply = self._run(*[part.decode() for part in command])
            self._out += reply
        self._loop.call_later(self._chance.choice([0.0, 0.001, 0.02]), self._go_on)

    def _run(self, name: str, *args: str) -> bytes:
        if name == "CLIENT":
            self._is_asked_to_tell = True
            return b"+OK\r\n"
        if name == "TIME":
            return b"*2\r\n$1\r\n1\r\n$1\r\n0\r\n"
        key = args[0]
        if self._is_asked_to_tell:
            self._is_asked_to_tell = False
            self._store.tracked.setdefault(key, set()).add(self)
        match name:
            case "HGET":
                return b"$1\r\n0\r\n"
            case "WRITE":
                for server in self._store.change(key):
                    # Who writes is told behind the reply.
                    self._loop.call_soon(server.tell, key) if server is self else server.tell(key)
        return b":%d\r\n" % self._store.numbers[key]

    def _go_on(self) -> None:
        """Put a piece of what is to be said on its way."""
        size = self._chance.choice([1, 7, 40, 100_000, 100_000, 100_000])
        piece, self._out = self._out[:size], self._out[size:]
        if piece:
            self._outgoing.append(piece)
            self._loop.call_later(self._chance.choice([0.0, 0.001, 0.02, 0.3]), self._arrive)
            self._loop.call_later(self._chance.choice([0.0, 0.001]), self._go_on)

    def _arrive(self) -> None:
        """The next piece is there; what is behind it is not yet."""
        piece = self._outgoing.popleft()
        if self._ends_after is not None and self._said + len(piece) > self._ends_after:
            self.say(piece[: self._ends_after - self._said])
            self.lose(ConnectionResetError("reset"))
            return
        self._said += len(piece)
        self.say(piece)


class Story:
    """One schedule."""

    def __init__(self, number: int, loop: VirtualLoop) -> None:
        self.chance = Random(number)
        self.loop = loop
        self.store = Store(loop)
        self.near = NearCache(bytes_max=100_000, stale_ms=STALE_MS, clock=loop.time)
        self.channel: Channel | None = None
        self.server: TrackingServer | None = None
        self.seen = dict.fromkeys(self.store.numbers, 0)
        """What this process knows: has read, has written, or was told of."""
        self.lost = 0
        self.told = 0
        self.greeting = self.near.greeting

    def on_push(self, message: list[Any]) -> None:
        """A push arrived: from now on what it tells is known."""
        assert self.server is not None
        self.told += 1
        self.near.on_push(message)
        key = message[1][0].decode()
        self.seen[key] = max(self.seen[key], self.server.told.popleft())

    def on_lost(self) -> None:
        """The connection is gone."""
        self.lost += 1
        self.near.on_lost()

    async def play(self) -> None:
        """Let everybody come."""
        others = [asyncio.ensure_future(self._write_elsewhere()) for _ in range(2)]
        await asyncio.gather(*[self._work() for _ in range(self.chance.randrange(1, 6))], *others)
        if self.channel is not None:
            self.channel.retire()
            await self.channel.ended

    def _connected(self) -> Channel:
        if self.channel is None or self.channel.lost is not None:
            self.channel = Channel(limit_ms=LIMIT_MS, listener=self)
            self.server = TrackingServer(self.channel, self.store, self.chance)
        return self.channel

    async def _write_elsewhere(self) -> None:
        """Another process writes, and this one hears nothing of it but from the server."""
        for _ in range(self.chance.randrange(20)):
            await asyncio.sleep(self.chance.choice([0.001, 0.02, 0.1]))
            key = str(self.chance.choice(SESSIONS).record)
            for server in self.store.change(key):
                server.tell(key)

    async def _work(self) -> None:
        """A task of this process reads and writes."""
        for _ in range(self.chance.randrange(1, 30)):
            await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.001, 0.01, 0.2]))
            keys = self.chance.choice(SESSIONS)
            try:
                if self.chance.random() < 0.15:
                    await self._write(keys)
                else:
                    await self._read(keys)
            except RedisError:
                continue

    async def _write(self, keys: SessionKeys) -> None:
        self.near.on_write(keys.group)
        try:
            (number,) = await self._connected().exchange([pack("WRITE", keys.record)])
        finally:
            self.near.on_write(keys.group)
        self.seen[keys.record] = max(self.seen[keys.record], number)

    async def _read(self, keys: SessionKeys) -> None:
        began, known = self.loop.time(), self.seen[keys.record]
        kept = self.near.get(keys, "record")
        if kept is not None:
            number = kept.value
            assert number >= self.store.at(keys.record, began - STALE_MS / 1000), "older than it may be"
        else:
            with self.near.fill(keys) as fill:
                channel = self._connected()
                front = [pack(*command) for command in fill.send(channel)]
                *told, number = await channel.exchange([*front, pack("READ", keys.record)])
                fill.answered(told)
                fill.keep("record", number, size=1)
        assert number >= known, "older than what was known before"
        self.seen[keys.record] = max(self.seen[keys.record], number)


@pytest.fixture(scope="module")
def loop() -> Iterator[VirtualLoop]:
    """One for all schedules."""
    made = VirtualLoop()
    yield made
    made.close()


@pytest.mark.parametrize("block", range(4))
def test_nobody_reads_what_is_known_to_be_old(loop: VirtualLoop, block: int) -> None:
    """In every schedule each read is as new as all that was read, written or told before, and as the bound says."""
    hits = misses = told = lost = 0
    for number in range(block * 250, (block + 1) * 250):
        story = Story(number, loop)
        try:
            loop.play(story.play)
        except BaseException as error:
            error.add_note(f"schedule {number}")
            raise
        hits, misses = hits + story.near.hits, misses + story.near.misses
        told, lost = told + story.told, lost + story.lost
    assert min(hits, misses, told, lost) > 100, f"the schedules lack something: {hits} {misses} {told} {lost}"
