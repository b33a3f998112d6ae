"""Settings become a stack of transports, here and nowhere else.

```
instrument        tells the telemetry hooks            only where there are hooks
retry             same call, same operation id
opening           claims or checks the namespace, once
redis | cluster   sends; the only layer that sees redis-py
```
"""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings
from sessioncache.telemetry import TelemetryHook
from sessioncache.transport.base import AsyncPrepare, AsyncTransport
from sessioncache.transport.clients_async import cluster_client, sentinel_clients, server_client
from sessioncache.transport.cluster_async import AsyncClusterTransport
from sessioncache.transport.endpoint import parse_url
from sessioncache.transport.instrument_async import AsyncInstrumentTransport
from sessioncache.transport.node_async import AsyncNode
from sessioncache.transport.opening_async import AsyncOpeningTransport
from sessioncache.transport.redis_async import AsyncRedisTransport
from sessioncache.transport.retry_async import AsyncRetryTransport
from sessioncache.transport.slots import Address

__all__ = ["connect", "stack", "wrap_client"]


def connect(settings: Settings) -> AsyncTransport:
    """The lowest transport for the settings' URL. Dials nothing yet.

    Raises:
        ConfigurationError: the URL cannot work.
    """
    endpoint = parse_url(settings)
    wait_for = _wait_for(settings)
    limit_ms = max(settings.command_timeout_ms, settings.connect_timeout_ms)
    if endpoint.kind == "cluster":

        def node(address: Address) -> AsyncNode:
            host, port = address
            client = cluster_client(settings, endpoint, host, port)
            listener = cluster_client(settings, endpoint, host, port)
            return AsyncNode(client, listener, limit_ms=limit_ms, wait_for=wait_for)

        return AsyncClusterTransport(node, endpoint.hosts)
    if endpoint.kind == "sentinel":
        client, listener, sentinels = sentinel_clients(settings, endpoint)
        return AsyncRedisTransport(
            AsyncNode(
                client,
                listener,
                limit_ms=limit_ms,
                besides=sentinels,
                wait_for=wait_for,
                at_once=settings.connections_max,
            )
        )
    client, listener = server_client(settings, endpoint), server_client(settings, endpoint)
    return AsyncRedisTransport(AsyncNode(client, listener, limit_ms=limit_ms, wait_for=wait_for))


def wrap_client(client: Redis, settings: Settings) -> AsyncTransport:
    """The lowest transport over a client that the caller made, and has to close.

    Raises:
        ConfigurationError: the client decodes replies, which would break payloads that are not text.
    """
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise ConfigurationError("the client was made with decode_responses=True; make it without, payloads are bytes")
    node = AsyncNode(client, client, limit_ms=settings.command_timeout_ms, wait_for=_wait_for(settings), owned=False)
    return AsyncRedisTransport(node)


def stack(
    lowest: AsyncTransport, settings: Settings, prepare: AsyncPrepare, hooks: Sequence[TelemetryHook]
) -> AsyncTransport:
    """The wrappers around a lowest transport, outermost first in the drawing above."""
    opening = AsyncOpeningTransport(lowest, prepare)
    retrying = AsyncRetryTransport(
        opening, call_timeout_ms=settings.call_timeout_ms, wait_max_ms=settings.retry_wait_max_ms, hooks=hooks
    )
    return AsyncInstrumentTransport(retrying, hooks) if hooks else retrying


def _wait_for(settings: Settings) -> tuple[int, int] | None:
    if settings.durability == "primary":
        return None
    return settings.replicas_min, settings.replication_timeout_ms
