"""The health port: /livez, /readyz and /metrics over HTTP, for whoever watches a process.

The rule of this package: alive means that the event loop turns, whatever the server does; restarting a process because
Redis is away helps nobody. Ready means that it could do its work now.
"""

from sessioncache.health.server import HealthServer
from sessioncache.health.state import LoopTick, ReadyState

__all__ = ["HealthServer", "LoopTick", "ReadyState"]
