"""Settings become a stack of transports, here and nowhere else.

```
instrument        tells the telemetry hooks            only where there are hooks
retry             same call, same operation id
opening           claims or checks the namespace, once
redis | cluster   sends, over pooled or multiplexed nodes; the only layer that sees redis-py
```
"""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from sessioncache.errors import ConfigurationError
from sessioncache.near import NearCache
from sessioncache.settings import Settings
from sessioncache.telemetry import TelemetryHook, Traffic
from sessioncache.transport.base import AsyncPrepare, AsyncTransport
from sessioncache.transport.certificates import check_certificates
from sessioncache.transport.cluster_async import AsyncClusterTransport
from sessioncache.transport.endpoint import parse_url
from sessioncache.transport.instrument_async import AsyncInstrumentTransport
from sessioncache.transport.multiplex_async import multiplexed
from sessioncache.transport.node_async import AsyncNode
from sessioncache.transport.opening_async import AsyncOpeningTransport
from sessioncache.transport.pooled_async import pooled, wait_for
from sessioncache.transport.redis_async import AsyncRedisTransport
from sessioncache.transport.repeats import Repeats
from sessioncache.transport.retry_async import AsyncRetryTransport

__all__ = ["connect", "stack", "wrap_client"]


def connect(settings: Settings, near: NearCache | None = None, traffic: Traffic | None = None) -> AsyncTransport:
    """The lowest transport for the settings' URL. Dials nothing yet.

    Args:
        settings: where to, and how.
        near: is told what may have changed.
        traffic: is told of shared connections, and of what goes over them.

    Raises:
        ConfigurationError: the URL or certificates cannot work, or two settings exclude each other.
    """
    endpoint = parse_url(settings)
    if endpoint.tls:
        check_certificates(settings)
    is_shared = settings.transport == "multiplex" or (settings.transport == "auto" and settings.durability == "primary")
    if near is not None and not is_shared:
        raise ConfigurationError(
            'near_cache_bytes needs transport="multiplex": servers tell of changes on the shared connection only; '
            "set it to 0"
        )
    nodes = multiplexed(settings, endpoint, near=near, traffic=traffic) if is_shared else pooled(settings, endpoint)
    if endpoint.kind == "cluster":
        return AsyncClusterTransport(nodes, endpoint.hosts)
    return AsyncRedisTransport(nodes(None))


def wrap_client(client: Redis, settings: Settings) -> AsyncTransport:
    """The lowest transport over a client that the caller made, and has to close.

    Raises:
        ConfigurationError: the client decodes replies, which would break payloads that are not text.
    """
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise ConfigurationError("the client was made with decode_responses=True; make it without, payloads are bytes")
    node = AsyncNode(client, client, limit_ms=settings.command_timeout_ms, wait_for=wait_for(settings), owned=False)
    return AsyncRedisTransport(node)


def stack(
    lowest: AsyncTransport,
    settings: Settings,
    prepare: AsyncPrepare,
    hooks: Sequence[TelemetryHook],
    repeats: Repeats,
) -> AsyncTransport:
    """The wrappers around a lowest transport, outermost first in the drawing above."""
    opening = AsyncOpeningTransport(lowest, prepare)
    retrying = AsyncRetryTransport(
        opening,
        call_timeout_ms=settings.call_timeout_ms,
        wait_max_ms=settings.retry_wait_max_ms,
        hooks=hooks,
        repeats=repeats,
    )
    return AsyncInstrumentTransport(retrying, hooks) if hooks else retrying
