"""What the jobs of one process share: settings, caches, metrics and a name.

The rule of this module: one of each a process, made in `__main__` and handed to arq as its context.
"""

from __future__ import annotations

import os
import secrets
import socket
from typing import Final

from sessioncache import AsyncSessionCache
from sessioncache.metrics import NamespaceMetrics, PrometheusHook, WorkerMetrics, new_registry
from sessioncache.settings import Settings
from sessioncache_workers.queue import Queue
from sessioncache_workers.settings import WorkerSettings

__all__ = ["OFFICE", "Office"]

OFFICE: Final = "office"
"""Where arq's context holds it."""


class Office:
    """What the jobs of one process share."""

    def __init__(self, settings: WorkerSettings, cache: Settings) -> None:
        """Make everything; nothing is dialled.

        Raises:
            ConfigurationError: a URL or option that cannot work.
        """
        self.settings = settings
        self.registry = new_registry()
        self.metrics = WorkerMetrics(self.registry)
        self.gauges = NamespaceMetrics(self.registry)
        self.queue = Queue(settings, cache)
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        """This process, in logs."""
        self._hook = PrometheusHook(self.registry)
        options = cache.model_dump(exclude={"namespace"}, exclude_unset=True)
        self.caches = {
            namespace: AsyncSessionCache.from_url(namespace=namespace, hooks=[self._hook], **options)
            for namespace in settings.namespaces
        }
        """By namespace."""

    def holder(self) -> str:
        """A name for one run of a job, which no other run has: its lease is nobody else's."""
        return f"{self.name}:{secrets.token_hex(4)}"

    async def aclose(self) -> None:
        """Close every connection."""
        for cache in self.caches.values():
            await cache.aclose()
        await self.queue.aclose()
