"""The name of `multiplex_async.py` for threads: they share nothing but redis-py's pool.

A connection is shared by what runs in one tick of an event loop; threads have none. So the setting is accepted, as one
environment may serve processes of either colour, and changes nothing.
"""

from __future__ import annotations

from sessioncache.transport.pooled_sync import pooled as multiplexed

__all__ = ["multiplexed"]
