"""What the parts of one process share: settings, caches, metrics, a name, and what stands in their way.

The rule of this module: one of each a process, made in `__main__` and handed to arq as its context. Namespaces belong
to agents: they are found as they are, and waited for where nobody has created them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from typing import Final

from sessioncache import AsyncSessionCache
from sessioncache.errors import ConfigurationError
from sessioncache.maintenance.jobs import JOBS
from sessioncache.metrics import (
    CacheMetrics,
    NamespaceMetrics,
    PrometheusHook,
    ServerMetrics,
    WorkerMetrics,
    new_registry,
)
from sessioncache.settings import Settings
from sessioncache_workers.archive import Archive
from sessioncache_workers.queue import JobId, Queue
from sessioncache_workers.settings import WorkerSettings

__all__ = ["OFFICE", "Office"]

OFFICE: Final = "office"
"""Where arq's context holds it."""

log = logging.getLogger("sessioncache_workers.office")


class Office:
    """What the parts of one process share."""

    def __init__(self, settings: WorkerSettings, cache: Settings) -> None:
        """Make everything; nothing is dialled.

        Raises:
            ConfigurationError: a URL or option that cannot work.
        """
        self.settings = settings
        self.registry = new_registry()
        self.metrics = WorkerMetrics(self.registry)
        self.metrics.capacity(settings.max_jobs)
        self.gauges = NamespaceMetrics(self.registry)
        self.servers = ServerMetrics(self.registry, watermarks=settings.watermarks)
        self.queue = Queue(settings, cache)
        self.archive = Archive(cache.archive_url)
        self.periods = {
            name: every_s
            for name, every_s in settings.periods.items()
            if every_s and (not JOBS[name].needs or getattr(cache, JOBS[name].needs))
        }
        """How often each shard's turn comes, in seconds, by job: those that are on."""
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        """This process, in logs."""
        self.caches: dict[str, AsyncSessionCache] = {}
        """By namespace: those that were found."""
        self.refused: dict[str, str] = {}
        """By namespace: why this release cannot serve it."""
        self.queue_full = False
        """Whether the queue's server refused the last write because its memory is full."""
        self._hook = PrometheusHook(self.registry)
        self._shown = CacheMetrics(registry=self.registry)
        self._options = cache.model_dump(exclude={"namespace"}, exclude_unset=True)
        self._waiting: set[str] = set()
        self._finding = asyncio.Lock()

    def holder(self) -> str:
        """A name for one run of a job, which no other run has: its lease is nobody else's."""
        return f"{self.name}:{secrets.token_hex(4)}"

    def knows(self, job: JobId) -> bool:
        """Whether this process can do a job: others may be of another release, or serve other namespaces, too."""
        cache = self.caches.get(job.namespace)
        return job.name in JOBS and cache is not None and job.shard < cache.keys.shards

    async def find_namespaces(self) -> None:
        """Look for namespaces that were not found yet, each with the shard count that it was created with.

        Raises:
            ConfigurationError: this release can serve none of them.
            BackendError: their server is away.
        """
        async with self._finding:
            for namespace in self.settings.namespaces:
                if namespace not in self.caches:
                    await self._find(namespace)
        if len(self.refused) == len(self.settings.namespaces):
            raise ConfigurationError("; ".join(self.refused.values()))

    async def _find(self, namespace: str) -> None:
        try:
            found = await AsyncSessionCache.find(namespace=namespace, hooks=[self._hook], **self._options)
        except ConfigurationError as error:
            if self.refused.get(namespace) != str(error):
                log.error(  # noqa: TRY400 - the sentence says it all
                    "namespace refused", extra={"fields": {"namespace": namespace, "reason": str(error)}}
                )
            self.refused[namespace] = str(error)
            return
        self.refused.pop(namespace, None)
        if found is None:
            if namespace not in self._waiting:
                log.info("namespace is not there yet", extra={"fields": {"namespace": namespace}})
            self._waiting.add(namespace)
            return
        self._waiting.discard(namespace)
        self.caches[namespace] = found
        self._shown.add(found)
        log.info("namespace found", extra={"fields": {"namespace": namespace, "shards": found.keys.shards}})

    async def lose(self, namespace: str, reason: str) -> None:
        """Let go of a namespace that is not as it was found; it is looked for again."""
        cache = self.caches.pop(namespace, None)
        if cache is not None:
            log.warning("namespace lost", extra={"fields": {"namespace": namespace, "reason": reason}})
            self.gauges.forget(namespace)
            self.metrics.forget(namespace)
            await cache.aclose()

    def noted_full(self, *, full: bool) -> None:
        """Remember whether the queue's server takes writes, and tell when that changes."""
        if full and not self.queue_full:
            log.error("queue's server is full: jobs cannot be started, overdue sessions are swept without it")
        elif self.queue_full and not full:
            log.warning("queue's server has room again")
        self.queue_full = full

    async def aclose(self) -> None:
        """Close every connection."""
        for cache in self.caches.values():
            await cache.aclose()
        await self.queue.aclose()
