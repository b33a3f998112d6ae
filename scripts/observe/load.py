"""A process of agents that has something of everything to show: real conversations, and all that can happen to them.

Its one rule: nothing here waits for another, so that each thing happens at a steady rate. It shows its metrics on a
port, as an application does that uses the library, and works until it is told to stop.

    python -m scripts.observe.load URL PORT NUMBER
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from redis.asyncio import Redis

from sessioncache import AsyncSessionCache, Base, FeedGap, RetentionPolicy, Session, SessionCacheError
from sessioncache.cli.demo.conversations import Conversation, bundled_conversations, turns_of
from sessioncache.health import HealthServer, ReadyState
from sessioncache.metrics import CacheMetrics, PrometheusHook, render

NAMESPACES = ("acme", "globex")
SHARDS = 4
POLICY = RetentionPolicy(
    ttl_ms=20_000, keep_messages=300, quota_messages=600, seal_keep=16, feed_items=200, keep_checkpoints=3
)
DELETED_SHARE = 0.2
DEAD = "redis://127.0.0.1:1"
"""Nobody listens there: calls to it fail as calls to a server that is away do."""

Work = Callable[[AsyncSessionCache, random.Random], Awaitable[None]]


class Agents:
    """What the agents of one process do with one namespace."""

    def __init__(self, cache: AsyncSessionCache, redis: Redis, number: int) -> None:
        self.cache = cache
        self._redis = redis
        self.chance = random.Random(number)  # noqa: S311 - the same load every time
        self._names = (f"{cache.keys.namespace}-{number}-{count}" for count in itertools.count())
        self._conversations: Iterator[Conversation] = itertools.cycle(bundled_conversations())
        self._long = f"long-{cache.keys.namespace}-{number}"
        self._cursor: str | None = None

    async def converse(self) -> None:
        """A conversation from its first message to its last, read back as an agent does before each answer."""
        conversation, name = next(self._conversations), next(self._names)
        for turn in turns_of(conversation):
            await self.cache.transcripts.append(name, list(turn), user=conversation.user)
            await self.cache.transcripts.list(name, last=20)
            await asyncio.sleep(0.05)
        if self.chance.random() < DELETED_SHARE:
            await self.cache.session(name).delete()

    async def talk_on(self) -> None:
        """A conversation without end: it is trimmed, sealed, and now and then too long."""
        for _ in range(4):
            await self.cache.transcripts.append(self._long, next(self._conversations).messages)
        await self.cache.transcripts.list(self._long, start=1, limit=50)

    async def edit(self) -> None:
        """A runtime saves what a person has edited meanwhile; then a new session, and one that is newer."""
        name = next(self._names)
        await self.cache.transcripts.append(name, {"role": "user", "content": "hello"})
        before = await self.cache.sessions.get(name)
        if before is not None:
            await self.cache.sessions.save(before)
            await self.cache.session(name).update(title="by a person")
            await self.cache.sessions.save(before)
            edited = {"title": "by the runtime", "metadata_version": before.metadata_version + 2}
            await self.cache.sessions.save(before.model_copy(update=edited))
        await self.cache.sessions.save(Session(id=f"{name}-new"))

    async def collide(self) -> None:
        """Two writers on one base, a write that is sent twice, two who want one lease."""
        name = next(self._names)
        await self.cache.transcripts.append(name, {"n": 1}, operation_id="once")
        await self.cache.transcripts.append(name, {"n": 1}, operation_id="once")
        with suppress(SessionCacheError):
            await self.cache.transcripts.append(name, {"n": 2}, base=Base(revision=7))
        lease = await self.cache.leases.acquire(name, holder="one", ttl_ms=5_000)
        with suppress(SessionCacheError):
            await self.cache.leases.acquire(name, holder="two", ttl_ms=5_000, wait_ms=0)
        await self.cache.leases.release(lease)

    async def remember(self) -> None:
        """What a session has beside its messages."""
        name = next(self._names)
        await self.cache.documents.save(name, {"state": {"step": 1}, "graph": [1, 2, 3]})
        await self.cache.checkpoints.save(name, "first", {"at": 1})
        await self.cache.traces.append(name, [{"tool": "search", "ms": 12}])
        await self.cache.context.save(name, {"style": {"text": "the user prefers short answers"}})
        await self.cache.usage.append(name, {"model": "large", "input_tokens": 900, "output_tokens": 120})

    async def look_around(self) -> None:
        """What dashboards of agents read again and again."""
        for _ in range(4):
            await self.cache.sessions.get(self._long)
        await self.cache.sessions.list(limit=20)

    async def follow(self) -> None:
        """A subscriber that keeps up for a while, and one that comes back too late."""
        try:
            async with self.cache.feed.subscribe(cursor=self._cursor) as changes:
                for _ in range(5):
                    await changes.read(wait_ms=1_000)
                self._cursor = self._cursor or changes.cursor
        except FeedGap:
            self._cursor = None

    async def have_an_accident(self) -> None:
        """Something else removes an entry from a list of a shard: reconcile finds it, and puts it back."""
        await self._redis.zpopmin(self.cache.keys.shard(self.chance.randrange(SHARDS)).by_updated)


async def fail(url: str, hook: PrometheusHook) -> None:
    """A call to a server that is away."""
    cache = AsyncSessionCache.from_url(url, namespace=NAMESPACES[0], shards=SHARDS, call_timeout_ms=200, hooks=[hook])
    with suppress(SessionCacheError):
        await cache.sessions.get("nobody")
    await cache.aclose()


async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again. What fails is counted by the hook; the load goes on."""
    while True:
        with suppress(SessionCacheError):
            await work()
        await asyncio.sleep(seconds)


@asynccontextmanager
async def shown(hook: PrometheusHook, port: int) -> AsyncIterator[None]:
    """The metrics on a port."""

    async def ready() -> ReadyState:
        return ReadyState({"agents": "ok"})

    async with HealthServer("127.0.0.1", port, live=lambda: True, ready=ready, metrics=partial(render, hook.registry)):
        yield


def traced() -> dict[str, str]:
    """Every call is part of a trace that somebody keeps."""
    return {"trace_id": f"{random.getrandbits(128):032x}"}


async def main(url: str, port: int, number: int) -> None:
    """Work until SIGTERM."""
    hook = PrometheusHook(exemplar=traced)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with AsyncExitStack() as stack:
        caches = [
            await stack.enter_async_context(
                AsyncSessionCache.from_url(
                    url, namespace=namespace, shards=SHARDS, hooks=[hook], near_cache_bytes=2_000_000
                )
            )
            for namespace in NAMESPACES
        ]
        CacheMetrics(*caches, registry=hook.registry)
        redis = await stack.enter_async_context(Redis.from_url(url))
        await stack.enter_async_context(shown(hook, port))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [tasks.create_task(every(2.0, partial(fail, DEAD, hook)))]
        for cache in caches:
            await cache.retention.save(POLICY)
            agents = Agents(cache, redis, number)
            for seconds, work in (
                (0.2, agents.converse),
                (1.0, agents.talk_on),
                (0.5, agents.edit),
                (0.5, agents.collide),
                (0.5, agents.remember),
                (0.2, agents.look_around),
                (0.5, agents.follow),
                (3.0, agents.have_an_accident),
            ):
                running.append(tasks.create_task(every(seconds, work)))
        await stopped.wait()
        for task in running:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
