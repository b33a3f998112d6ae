"""Nodes over redis-py's pools: each call borrows a connection for its round trip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from sessioncache.settings import Settings
from sessioncache.transport.clients_async import cluster_client, sentinel_clients, server_client
from sessioncache.transport.endpoint import Endpoint
from sessioncache.transport.node_async import AsyncNode
from sessioncache.transport.slots import Address

__all__ = ["pooled", "wait_for"]


def pooled(settings: Settings, endpoint: Endpoint) -> Callable[[Address | None], AsyncNode]:
    """What makes a node: of the cluster's server at an address, or, for None, of the server that the endpoint names."""
    # The driver makes a connection within the time for the call.
    limit_ms = max(settings.command_timeout_ms, settings.connect_timeout_ms)

    def node(address: Address | None) -> AsyncNode:
        at_once = None
        besides: Sequence[Redis] = ()
        if endpoint.kind == "sentinel":
            client, listener, besides = sentinel_clients(settings, endpoint)
            # Where the driver's pool is empty, it raises.
            at_once = settings.connections_max
        elif address is not None:
            client, listener = (cluster_client(settings, endpoint, *address) for _ in range(2))
        else:
            client, listener = (server_client(settings, endpoint) for _ in range(2))
        return AsyncNode(
            client, listener, limit_ms=limit_ms, besides=besides, wait_for=wait_for(settings), at_once=at_once
        )

    return node


def wait_for(settings: Settings) -> tuple[int, int] | None:
    """How many replicas have to confirm a write, and within how many milliseconds; None: it is not asked."""
    if settings.durability == "primary":
        return None
    return settings.replicas_min, settings.replication_timeout_ms
