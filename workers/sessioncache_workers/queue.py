"""The queue: arq on the Redis of the sessions, or on one of its own.

The rule of this module: every job has an id that says what it is, so that putting it in twice is the same as once.

arq does not know clusters. All its keys fit into one slot, though, because the one key that it does not let us name,
`arq:abort`, has the same slot as the hash tag `{arq:abort}`: with that tag in the queue's name and in every job's id,
all of arq lies on the node that owns the slot, and connections follow the owner.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from redis.asyncio import BlockingConnectionPool, Connection, ConnectionPool, Redis, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ReadOnlyError, RedisError

from sessioncache.errors import BackendError
from sessioncache.settings import Settings
from sessioncache.transport.clients_async import cluster_client, sentinel_clients, server_client
from sessioncache.transport.endpoint import Endpoint, parse_url
from sessioncache.transport.slots import SlotMap
from sessioncache_workers.settings import WorkerSettings

__all__ = ["Queue"]

CLUSTER_TAG: Final = "{arq:abort}"
ABORT_SLOT: Final = 6503
"""Slot of `arq:abort` and of everything that carries the tag."""

Owner: TypeAlias = Callable[[], Awaitable[tuple[str, int]]]


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
            ConfigurationError: the URL cannot work.
        """
        reached = cache if settings.queue_url is None else cache.model_copy(update={"url": settings.queue_url})
        endpoint = parse_url(reached)
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

    def job_id(self, *parts: object) -> str:
        """The id of a job: what it is, on what, and of which period."""
        return self._tag + ":".join(map(str, parts))

    async def enqueue(self, function: str, *args: str | int, job_id: str) -> bool:
        """Put a job in, unless it is there; whether it was put in now.

        arq answers None for a job that exists, but also where the connection broke between WATCH and EXEC and nothing
        was written. So look, and put it in once more if it is not there.
        """
        for _ in range(2):
            if await self.redis.enqueue_job(function, *args, _job_id=job_id) is not None:
                return True
            if await self.redis.exists(job_key_prefix + job_id):
                return False
        return False

    async def aclose(self) -> None:
        """Close every connection."""
        for client in (self.redis, *self._besides):
            await client.aclose(close_connection_pool=True)


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
        except (MovedError, ReadOnlyError) as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"the slot of the queue has moved: {error}") from error


class _SlotConnection(_FollowsSlot):
    pass


class _TLSSlotConnection(_FollowsSlot, SSLConnection):
    pass
