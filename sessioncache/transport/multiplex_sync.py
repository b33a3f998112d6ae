"""The name of `multiplex_async.py` for threads: they share nothing but redis-py's pool.

A connection is shared by what runs in one tick of an event loop; threads have none. So the setting is accepted, as one
environment may serve processes of either colour, and changes nothing. A near-cache would change what is read, so it is
refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sessioncache.errors import ConfigurationError
from sessioncache.near import NearCache
from sessioncache.settings import Settings
from sessioncache.telemetry import Traffic
from sessioncache.transport.endpoint import Endpoint
from sessioncache.transport.node_sync import Node
from sessioncache.transport.pooled_sync import pooled
from sessioncache.transport.slots import Address

__all__ = ["multiplexed"]


def multiplexed(
    settings: Settings, endpoint: Endpoint, *, near: NearCache | None = None, traffic: Traffic | None = None
) -> Callable[[Address | None], Node]:
    """What makes a node, over redis-py's pool. There is no traffic on shared connections.

    Raises:
        ConfigurationError: there shall be a near-cache.
    """
    del traffic
    if near is not None:
        raise ConfigurationError(
            "near_cache_bytes is for AsyncSessionCache, whose shared connection tells of changes; set it to 0"
        )
    return pooled(settings, endpoint)
