"""AsyncSessionCache: the nouns over one transport."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sessioncache.checkpoints._async import AsyncCheckpoints
from sessioncache.client.build import make_settings
from sessioncache.client.handles_async import AsyncSessionHandle
from sessioncache.context._async import AsyncContext
from sessioncache.documents._async import AsyncDocuments
from sessioncache.entities._async import AsyncEntities
from sessioncache.feed._async import AsyncFeed
from sessioncache.freshness._async import AsyncFreshness
from sessioncache.leases._async import AsyncLeases
from sessioncache.namespaces._async import AsyncNamespaces
from sessioncache.namespaces.server import ServerFacts
from sessioncache.qa._async import AsyncQA
from sessioncache.retention._async import AsyncRetention
from sessioncache.sessions._async import AsyncSessions
from sessioncache.settings import Settings
from sessioncache.stats._async import AsyncStats
from sessioncache.telemetry import ConnectionState, TelemetryHook
from sessioncache.traces._async import AsyncTraces
from sessioncache.transcripts._async import AsyncTranscripts
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.connect_async import connect, stack, wrap_client
from sessioncache.transport.watch_async import AsyncWatchTransport
from sessioncache.types import SessionId, check_session_id
from sessioncache.upkeep._async import AsyncUpkeep
from sessioncache.usage._async import AsyncUsage
from sessioncache.wire.codec import Codec
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.messages import MessageEncoder
from sessioncache.wire.values import ValueEncoder
from sessioncache.workspaces._async import AsyncWorkspaces

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["AsyncSessionCache"]


class AsyncSessionCache:
    """A session store: one namespace on one Redis or Valkey, shared by any number of processes.

    Make one a process with `from_url`, and use it from any number of tasks. It connects at its first call, or on
    entering `async with`; close it with `aclose`, or by leaving.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        settings: Settings,
        *,
        codec: Codec | None = None,
        hooks: Sequence[TelemetryHook] = (),
    ) -> None:
        """Build a cache over a transport of your own; most people want `from_url`.

        Args:
            transport: the lowest one; retries and instruments are put around it here.
            settings: options; the URL in them is not used.
            codec: how payloads are stored; plain JSON unless given.
            hooks: hear of every call.
        """
        self.settings = settings
        self.keys = Keyspace(settings.namespace, settings.shards)
        self.server: ServerFacts | None = None
        """What the server told about itself when the cache was opened."""
        self._lowest = transport
        self.connection = ConnectionState()
        """How the connection stands, by the calls that were made."""
        self._transport = AsyncWatchTransport(stack(transport, settings, self._prepare, hooks), self.connection)
        encoder = MessageEncoder(entry_bytes_max=settings.entry_bytes_max, codec=codec)
        values = ValueEncoder(entry_bytes_max=settings.entry_bytes_max, codec=codec)
        self.sessions = AsyncSessions(self._transport, self.keys, encoder, values)
        self.transcripts = AsyncTranscripts(self._transport, self.keys, encoder)
        self.documents = AsyncDocuments(self._transport, self.keys, values)
        self.context = AsyncContext(self._transport, self.keys, values)
        self.checkpoints = AsyncCheckpoints(self._transport, self.keys, values)
        self.workspaces = AsyncWorkspaces(self._transport, self.keys, values)
        self.qa = AsyncQA(self._transport, self.keys, values)
        self.traces = AsyncTraces(self._transport, self.keys, values)
        self.usage = AsyncUsage(self._transport, self.keys, line_bytes_max=settings.entry_bytes_max)
        self.entities = AsyncEntities(self._transport, self.keys, values)
        self.freshness = AsyncFreshness(self._transport, self.keys, values)
        self.feed = AsyncFeed(self._transport, self.keys)
        self.retention = AsyncRetention(self._transport, self.keys)
        self.stats = AsyncStats(self._transport, self.keys)
        self.leases = AsyncLeases(self._transport, self.keys)
        self.upkeep = AsyncUpkeep(self._transport, self.keys)

    @classmethod
    def from_url(
        cls,
        url: str | None = None,
        *,
        namespace: str | None = None,
        codec: Codec | None = None,
        hooks: Sequence[TelemetryHook] = (),
        **options: Any,
    ) -> Self:
        """A cache on the server that a URL names. Dials nothing yet.

        Args:
            url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://host,host/service` or `redis+cluster://host,host`;
                None takes SESSIONCACHE_URL.
            namespace: the tenant; None takes SESSIONCACHE_NAMESPACE, or `default`.
            codec: how payloads are stored; plain JSON unless given.
            hooks: hear of every call; `sessioncache.metrics.PrometheusHook` is one.
            options: fields of `Settings`.

        Raises:
            ConfigurationError: a URL, name or option that cannot work.
        """
        settings = make_settings(url, namespace, options)
        return cls(connect(settings), settings, codec=codec, hooks=hooks)

    @classmethod
    def from_client(
        cls,
        client: Redis,
        *,
        namespace: str | None = None,
        codec: Codec | None = None,
        hooks: Sequence[TelemetryHook] = (),
        **options: Any,
    ) -> Self:
        """A cache over a redis-py client (or fakeredis) of your own, for one server. You close the client yourself.

        Make the client without `decode_responses`, and without retries of its own: a retry that does not know the
        operation id may run a write twice, which is then answered as a repeat.

        Raises:
            ConfigurationError: a client, name or option that cannot work.
        """
        settings = make_settings(None, namespace, options)
        return cls(wrap_client(client, settings), settings, codec=codec, hooks=hooks)

    async def open(self) -> Self:
        """Connect, claim or check the namespace, look at the server. Happens by itself at the first call.

        Raises:
            ConfigurationError: another shard count is stored, or the server is too old.
            BackendError: the server cannot be reached.
        """
        await self.stats.shards()
        return self

    async def _prepare(self, transport: AsyncTransport) -> None:
        self.server = await AsyncNamespaces(self.keys).open(transport)

    def session(self, session_id: SessionId) -> AsyncSessionHandle:
        """A handle with the id filled in. Sends nothing; the session need not exist."""
        return AsyncSessionHandle(self, check_session_id(session_id))

    async def aclose(self) -> None:
        """Close every connection. Calls after this fail."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        """Open the cache; if that fails, nothing stays open."""
        try:
            return await self.open()
        except BaseException:
            await self.aclose()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the cache."""
        await self.aclose()
