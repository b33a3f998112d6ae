"""What a call costs, counted and not timed: round trips, commands, their words, and the elements that they answer.

The rule of this module: it counts on a server that nobody else uses meanwhile. MONITOR shows commands without answers,
so each reading command is asked once more afterwards, and its answer counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from sessioncache import AsyncSessionCache
from sessioncache.testing import AsyncRecordingTransport
from tests.engines import Engine
from tests.engines.caches import lowest_transport
from tests.engines.monitor import monitored, unescaped

__all__ = ["Cost", "Meter", "metered"]

READING = {
    "EXISTS",
    "GET",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HSCAN",
    "HVALS",
    "LINDEX",
    "LLEN",
    "LPOS",
    "LRANGE",
    "XLEN",
    "XRANGE",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZREVRANGEBYSCORE",
    "ZSCAN",
    "ZSCORE",
}
"""Commands that can be asked again without changing anything."""

WRITING = {
    "DEL",
    "HDEL",
    "HINCRBY",
    "HSET",
    "LPOP",
    "LPUSH",
    "LSET",
    "LTRIM",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "RENAME",
    "RPUSH",
    "UNLINK",
    "XADD",
    "XDEL",
    "XTRIM",
    "ZADD",
    "ZREM",
}
"""Commands that answer a number or a few elements, and cost what their words say."""

ASIDE = {"EVALSHA", "SCRIPT", "TIME", "HELLO", "CLIENT", "PING"}


@dataclass(frozen=True)
class Cost:
    """What one call came to."""

    round_trips: int
    calls: int
    """In all round trips together."""
    commands: int
    words: int
    """Of all commands, the scripts' arguments among them."""
    elements: int
    """In the answers of the commands that read."""


class Meter:
    """A cache, and the costs of what is done with it."""

    def __init__(self, cache: AsyncSessionCache, recorder: AsyncRecordingTransport, port: int) -> None:
        self.cache = cache
        self.recorder = recorder
        self._port = port

    async def cost(self, do: Callable[[AsyncSessionCache], Awaitable[object]]) -> Cost:
        """What a call costs."""
        self.recorder.clear()
        with monitored(self._port) as lines:
            await do(self.cache)
        commands = [words for _origin, *words in lines]
        strange = {words[0].upper() for words in commands} - READING - WRITING - ASIDE
        assert strange == set(), "commands whose cost nobody has judged"
        with Redis(port=self._port) as client:
            elements = sum(_elements(_again(client, words)) for words in commands if words[0].upper() in READING)
        return Cost(
            round_trips=len(self.recorder.round_trips),
            calls=len(self.recorder.calls),
            commands=len(commands),
            words=sum(map(len, commands)),
            elements=elements,
        )


@asynccontextmanager
async def metered(engine: Engine, namespace: str, **options: Any) -> AsyncIterator[Meter]:
    """A cache whose calls are counted."""
    lowest, settings = lowest_transport(engine, namespace, **options)
    recorder = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recorder, settings) as cache:
        yield Meter(cache, recorder, engine.primaries()[0].port)


def _again(client: Redis, words: list[str]) -> object:
    return client.execute_command(*map(unescaped, words))


def _elements(reply: object) -> int:
    """How many elements an answer has, nested ones counted."""
    if isinstance(reply, dict):
        return sum(1 + _elements(value) for value in reply.values())
    if isinstance(reply, list | tuple | set):
        return sum(map(_elements, reply))
    return 1
