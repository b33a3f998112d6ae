"""The queue: arq on the Redis of the sessions, or on one of its own.

The rule of this module: every job has an id that says what it is, `<job>:<namespace>:<shard>`, so that it is in the
queue once, however often it is put in. Nothing here reads this machine's clock: the queue is in the order of scores
that are made from the server's time, and lie so far back that no worker's clock takes them for the future.

```
score   huge namespace    ●  ●  ●  ●  ●  ●  ●  ●        each job stands a second behind the one before it of the same
        small namespace          ●                     namespace, so what comes later is soon in front
                         ◀─ taken from here
```

arq does not know clusters. All its keys fit into one slot, though, because the one key that it does not let us name,
`arq:abort`, has the same slot as the hash tag `{arq:abort}`: with that tag in the queue's name and in every job's id,
all of arq lies on the node that owns the slot, and connections follow the owner.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self, TypeAlias

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.jobs import serialize_job
from redis.asyncio import BlockingConnectionPool, Connection, ConnectionPool, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from sessioncache.errors import BackendError
from sessioncache.settings import Settings
from sessioncache.transport.certificates import check_certificates
from sessioncache.transport.clients_async import cluster_client, sentinel_clients, server_client
from sessioncache.transport.colour_async import QuickSSLConnection
from sessioncache.transport.endpoint import Endpoint, parse_url
from sessioncache.transport.slots import SlotMap
from sessioncache_workers.settings import WorkerSettings

__all__ = ["JobId", "Queue"]

CLUSTER_TAG: Final = "{arq:abort}"
ABORT_SLOT: Final = 6503
"""Slot of `arq:abort` and of everything that carries the tag."""

BACK_MS: Final = 7 * 86_400_000
"""How far back scores lie: workers whose clocks are behind by less than this see every job."""

APART_MS: Final = 1_000
"""By how much a job stands behind the one before it of the same namespace."""

JOB_TTL_MS: Final = 86_400_000
"""How long a job waits that nobody takes; if there is still something to do then, it is put in again."""

TOGETHER: Final = 100
"""Most jobs in one transaction."""

Owner: TypeAlias = Callable[[], Awaitable[tuple[str, int]]]


class JobId(NamedTuple):
    """What a job is."""

    name: str
    namespace: str
    shard: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The id again; None: it is not one of ours."""
        name, _, rest = text.removeprefix(CLUSTER_TAG).partition(":")
        namespace, _, shard = rest.partition(":")
        return cls(name, namespace, int(shard)) if namespace and shard.isdecimal() else None


def to_json(job: dict[str, Any]) -> bytes:
    """A job as JSON, which nobody can make run code as they could a pickle. An exception becomes its text."""
    return json.dumps(job, default=str).encode()


def from_json(data: bytes) -> dict[str, Any]:
    """The job again."""
    job: dict[str, Any] = json.loads(data)
    return job


class Queue:
    """A connection to arq's queue, and the ids of its jobs."""

    def __init__(self, settings: WorkerSettings, cache: Settings) -> None:
        """Describe the connection; nothing is dialled.

        Raises:
            ConfigurationError: the URL or certificates cannot work.
        """
        reached = cache if settings.queue_url is None else cache.model_copy(update={"url": settings.queue_url})
        endpoint = parse_url(reached)
        if endpoint.tls:
            check_certificates(reached)
        self._tag = CLUSTER_TAG if endpoint.kind == "cluster" else ""
        self.name = self._tag + (settings.queue_name or "sessioncache:queue:" + ",".join(settings.namespaces))
        """Key of the queue."""
        pool, self._besides = _pool(reached, endpoint)
        # The cache's transport limits a call's time itself; arq limits nothing, so each answer has its limit here.
        pool.connection_kwargs["socket_timeout"] = reached.command_timeout_ms / 1000
        self.redis: ArqRedis = ArqRedis(
            pool,
            job_serializer=to_json,
            job_deserializer=from_json,
            default_queue_name=self.name,
        )
        """arq's client."""

    def job_id(self, job: JobId) -> str:
        """The id of a job as arq knows it."""
        return f"{self._tag}{job.name}:{job.namespace}:{job.shard}"

    async def claim_tick(self, holder: str, *, ttl_ms: int) -> bool:
        """Whether it is this process's turn to look what there is to do: one of all processes, until `ttl_ms` is over.

        Raises:
            OutOfMemoryError: the server is full.
        """
        key = f"{self.name}:tick"
        if await self.redis.set(key, holder, nx=True, px=ttl_ms):
            return True
        # Shortens nothing, unless the server's clock was set back: then the turn would last for as long.
        await self.redis.pexpire(key, ttl_ms, lt=True)
        return False

    async def look(self) -> None:
        """Look whether jobs could be put in and read, and change nothing: of what must be there already, nothing is.

        Raises:
            RedisError: they could not; not because the server is full.
        """
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(f"{self.name}:nothing", "", xx=True)
            pipe.zcard(self.name)
            with suppress(OutOfMemoryError):
                await pipe.execute()

    async def jobs(self) -> list[JobId | None]:
        """Everything in the queue, waiting or running; None stands for what other releases may know. One round trip."""
        ids: Sequence[bytes] = await self.redis.zrange(self.name, 0, -1)
        return [JobId.parse(job_id.decode()) for job_id in ids]

    async def put_in(self, jobs: Sequence[JobId], *, queued: Mapping[str, int] | None = None) -> list[JobId]:
        """Put jobs in, most urgent first, unless they are there; those that were put in now.

        All of a job is written at one moment or nothing, so what is lost with a connection is simply put in again.

        Args:
            jobs: what to do.
            queued: how many jobs each namespace has in the queue already.
        """
        seconds, micros = await self.redis.time()
        first = seconds * 1000 + micros // 1000 - BACK_MS
        ranks = Counter(queued or {})
        added: list[JobId] = []
        for at in range(0, len(jobs), TOGETHER):
            part = jobs[at : at + TOGETHER]
            async with self.redis.pipeline(transaction=True) as pipe:
                for job in part:
                    job_id = self.job_id(job)
                    pipe.set(job_key_prefix + job_id, _described(job), nx=True, px=JOB_TTL_MS)
                    pipe.zadd(self.name, {job_id: first + ranks[job.namespace] * APART_MS}, nx=True)
                    ranks[job.namespace] += 1
                replies = await pipe.execute()
            added += [job for job, is_new in zip(part, replies[::2], strict=True) if is_new]
        return added

    async def forget_old(self) -> int:
        """Remove what nobody has taken for longer than a job is kept: jobs of a release that is gone, perhaps."""
        seconds, _micros = await self.redis.time()
        last = seconds * 1000 - BACK_MS - 2 * JOB_TTL_MS
        removed: int = await self.redis.zremrangebyscore(self.name, "-inf", last)
        return removed

    async def free(self, job_ids: Sequence[bytes]) -> list[bytes]:
        """Those of these jobs that nobody is working on. One round trip, where arq would take four for each job."""
        if not job_ids:
            return []
        async with self.redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.exists(in_progress_key_prefix + job_id.decode())
            held = await pipe.execute()
        return [job_id for job_id, is_held in zip(job_ids, held, strict=True) if not is_held]

    async def hold_on(self, job_ids: Sequence[str], *, ttl_ms: int) -> None:
        """Keep jobs that this process is working on from others for so long from now on. One round trip."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.pexpire(in_progress_key_prefix + job_id, ttl_ms)
            await pipe.execute()

    async def let_go(self, job_id: str) -> None:
        """Let others have a job that could not be begun. Works on a full server."""
        await self.redis.delete(in_progress_key_prefix + job_id)

    async def aclose(self) -> None:
        """Close every connection."""
        for client in (self.redis, *self._besides):
            await client.aclose(close_connection_pool=True)


def _described(job: JobId) -> bytes:
    """A job as arq reads it."""
    described: bytes = serialize_job(job.name, (job.namespace, job.shard), {}, None, 0, serializer=to_json)
    return described


def _pool(settings: Settings, endpoint: Endpoint) -> tuple[ConnectionPool, list[Redis]]:
    """A pool whose connections are made as the cache's own are, and clients to close besides it."""
    if endpoint.kind == "cluster":
        return _cluster_pool(settings, endpoint), []
    if endpoint.kind == "sentinel":
        client, _listener, sentinels = sentinel_clients(settings, endpoint)
        return client.connection_pool, sentinels
    return server_client(settings, endpoint).connection_pool, []


def _cluster_pool(settings: Settings, endpoint: Endpoint) -> BlockingConnectionPool:
    """A pool whose connections lead to the node that owns arq's slot."""

    async def owner() -> tuple[str, int]:
        problem: Exception | None = None
        for host, port in endpoint.hosts:
            client = cluster_client(settings, endpoint, host, port)
            try:
                async with asyncio.timeout((settings.connect_timeout_ms + settings.command_timeout_ms) / 1000):
                    slots: list[list[Any]] = await client.execute_command("CLUSTER", "SLOTS")
                return SlotMap(slots, asked=(host, port)).owner(ABORT_SLOT)
            except (RedisError, BackendError, OSError) as error:
                # A node that hangs is passed over like one that is down.
                problem = error
            finally:
                await client.aclose(close_connection_pool=True)
        raise RedisConnectionError(f"no node of the cluster tells who owns slot {ABORT_SLOT}: {problem}")

    options: dict[str, Any] = dict(
        cluster_client(settings, endpoint, *endpoint.hosts[0]).connection_pool.connection_kwargs
    )
    options |= {"owner": owner, "max_connections": settings.connections_max}
    return BlockingConnectionPool(connection_class=_TLSSlotConnection if endpoint.tls else _SlotConnection, **options)


class _FollowsSlot(Connection):
    """A connection that asks who owns the slot when it connects, and asks again when that is not true any more."""

    def __init__(self, *, owner: Owner, **options: Any) -> None:
        super().__init__(**options)
        self._owner = owner

    async def connect(self) -> None:
        """Connect to the owner of the slot."""
        if not self.is_connected:
            self.host, self.port = await self._owner()
        await super().connect()  # type: ignore[no-untyped-call] # the driver leaves it without annotations

    async def read_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - a reply is of any type
        """Read a reply; where it says that another node owns the slot, the connection is given up."""
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            # The driver has a class for MOVED only where its client knows clusters.
            if not isinstance(error, MovedError | ReadOnlyError) and not str(error).startswith("MOVED "):
                raise
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"the slot of the queue has moved: {error}") from error


class _SlotConnection(_FollowsSlot):
    pass


class _TLSSlotConnection(_FollowsSlot, QuickSSLConnection):
    pass
