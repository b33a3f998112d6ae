"""AsyncSessionCache: the nouns over one transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sessioncache.client.build import codec_of, make_settings
from sessioncache.client.handles_async import AsyncSessionHandle
from sessioncache.errors import ConfigurationError
from sessioncache.namespaces._async import AsyncNamespaces
from sessioncache.namespaces.server import ServerFacts
from sessioncache.near import NearCache
from sessioncache.sessions._async import AsyncSessions
from sessioncache.settings import Settings
from sessioncache.telemetry import ConnectionState, TelemetryHook
from sessioncache.transcripts._async import AsyncTranscripts
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.connect_async import connect, stack, wrap_client
from sessioncache.transport.repeats import Repeats
from sessioncache.transport.watch_async import AsyncWatchTransport
from sessioncache.types import SessionId, check_session_id
from sessioncache.wire.codec import Codec
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.messages import MessageEncoder
from sessioncache.wire.values import ValueEncoder

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from sessioncache.checkpoints._async import AsyncCheckpoints
    from sessioncache.context._async import AsyncContext
    from sessioncache.documents._async import AsyncDocuments
    from sessioncache.entities._async import AsyncEntities
    from sessioncache.feed._async import AsyncFeed
    from sessioncache.freshness._async import AsyncFreshness
    from sessioncache.inspection._async import AsyncInspection
    from sessioncache.leases._async import AsyncLeases
    from sessioncache.qa._async import AsyncQA
    from sessioncache.retention._async import AsyncRetention
    from sessioncache.schedule._async import AsyncSchedule
    from sessioncache.stats._async import AsyncStats
    from sessioncache.traces._async import AsyncTraces
    from sessioncache.upkeep._async import AsyncUpkeep
    from sessioncache.usage._async import AsyncUsage
    from sessioncache.workspaces._async import AsyncWorkspaces

__all__ = ["AsyncSessionCache"]


class AsyncSessionCache:
    """A session store: one namespace on one Redis or Valkey, shared by any number of processes.

    Make one a process with `from_url`, and use it from any number of tasks. It connects at its first call, or on
    entering `async with`; close it with `aclose`, or by leaving. It serves one event loop at a time: a further one may
    use it when the one before has stopped.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        settings: Settings,
        *,
        codec: Codec | None = None,
        hooks: Sequence[TelemetryHook] = (),
        near: NearCache | None = None,
        connection: ConnectionState | None = None,
    ) -> None:
        """Build a cache over a transport of your own; most people want `from_url`.

        Args:
            transport: the lowest one; retries and instruments are put around it here.
            settings: options; the URL in them is not used.
            codec: how payloads are stored; unless given, plain JSON, or as the setting `encryption_keys` says.
            hooks: hear of every call.
            near: what the transport tells of changes; given where the settings ask for a near-cache.
            connection: what the transport tells of its connections.

        Raises:
            ConfigurationError: the settings ask for a near-cache, and this transport has none.
        """
        if settings.near_cache_bytes and near is None:
            raise ConfigurationError("near_cache_bytes needs a cache that was made by AsyncSessionCache.from_url")
        self.settings = settings
        self.near = near
        """What this process remembers of the server, and how often that helped; None: `near_cache_bytes` is 0."""
        self.keys = Keyspace(settings.namespace, settings.shards)
        self.server: ServerFacts | None = None
        """What the server told about itself when the cache was opened."""
        self._lowest = transport
        self._claims = True
        self.connection = ConnectionState() if connection is None else connection
        """How the connection stands, by the calls that were made."""
        self._connect: Callable[[], AsyncTransport] | None = None
        """Makes the lowest transport anew, for another event loop; None where the caller gave it."""
        self._hooks = tuple(hooks)
        self._repeats = Repeats()
        self._transport = AsyncWatchTransport(self._stacked(), self._stacked_again, self.connection)
        codec = codec or codec_of(settings)
        encoder = MessageEncoder(entry_bytes_max=settings.entry_bytes_max, codec=codec)
        self._values = ValueEncoder(entry_bytes_max=settings.entry_bytes_max, codec=codec)
        self.sessions = AsyncSessions(self._transport, self.keys, encoder, self._values, near)
        self.transcripts = AsyncTranscripts(self._transport, self.keys, encoder, near)

    # Nouns are made, and their modules imported, when they are first asked for: most processes use a few of them.

    @cached_property
    def context(self) -> AsyncContext:
        """What sessions know: updates in order, and one structured state."""
        from sessioncache.context._async import AsyncContext

        return AsyncContext(self._transport, self.keys, self._values)

    @cached_property
    def checkpoints(self) -> AsyncCheckpoints:
        """Snapshots of sessions."""
        from sessioncache.checkpoints._async import AsyncCheckpoints

        return AsyncCheckpoints(self._transport, self.keys, self._values)

    @cached_property
    def workspaces(self) -> AsyncWorkspaces:
        """Groups of sessions with roles."""
        from sessioncache.workspaces._async import AsyncWorkspaces

        return AsyncWorkspaces(self._transport, self.keys, self._values)

    @cached_property
    def qa(self) -> AsyncQA:
        """Questions and answers with feedback, and a graph context."""
        from sessioncache.qa._async import AsyncQA

        return AsyncQA(self._transport, self.keys, self._values)

    @cached_property
    def traces(self) -> AsyncTraces:
        """The steps of agents."""
        from sessioncache.traces._async import AsyncTraces

        return AsyncTraces(self._transport, self.keys, self._values)

    @cached_property
    def usage(self) -> AsyncUsage:
        """What model calls cost."""
        from sessioncache.usage._async import AsyncUsage

        return AsyncUsage(self._transport, self.keys, line_bytes_max=self.settings.entry_bytes_max)

    @cached_property
    def entities(self) -> AsyncEntities:
        """What sessions speak of, and how it is related."""
        from sessioncache.entities._async import AsyncEntities

        return AsyncEntities(self._transport, self.keys, self._values)

    @cached_property
    def freshness(self) -> AsyncFreshness:
        """Where entries come from, and whether that has changed."""
        from sessioncache.freshness._async import AsyncFreshness

        return AsyncFreshness(self._transport, self.keys, self._values)

    @cached_property
    def feed(self) -> AsyncFeed:
        """What changes."""
        from sessioncache.feed._async import AsyncFeed

        return AsyncFeed(self._transport, self.keys)

    @cached_property
    def retention(self) -> AsyncRetention:
        """How long what is kept."""
        from sessioncache.retention._async import AsyncRetention

        return AsyncRetention(self._transport, self.keys)

    @cached_property
    def stats(self) -> AsyncStats:
        """Totals."""
        from sessioncache.stats._async import AsyncStats

        return AsyncStats(self._transport, self.keys)

    @cached_property
    def leases(self) -> AsyncLeases:
        """One writer a session at a time."""
        from sessioncache.leases._async import AsyncLeases

        return AsyncLeases(self._transport, self.keys)

    @cached_property
    def upkeep(self) -> AsyncUpkeep:
        """For background work."""
        from sessioncache.upkeep._async import AsyncUpkeep

        return AsyncUpkeep(self._transport, self.keys)

    @cached_property
    def schedule(self) -> AsyncSchedule:
        """For workers."""
        from sessioncache.schedule._async import AsyncSchedule

        return AsyncSchedule(self._transport, self.keys)

    @cached_property
    def inspection(self) -> AsyncInspection:
        """For audits."""
        from sessioncache.inspection._async import AsyncInspection

        return AsyncInspection(self._transport, self.keys, self._values)

    @cached_property
    def documents(self) -> AsyncDocuments:
        """Named JSON documents of sessions."""
        from sessioncache.documents._async import AsyncDocuments

        return AsyncDocuments(self._transport, self.keys, self._values)

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
            codec: how payloads are stored; unless given, plain JSON, or as the setting `encryption_keys` says.
            hooks: hear of every call; `sessioncache.metrics.PrometheusHook` is one.
            options: fields of `Settings`.

        Raises:
            ConfigurationError: a URL, name or option that cannot work.
        """
        settings = make_settings(url, namespace, options)
        near, connection = NearCache.of(settings), ConnectionState()
        again = partial(connect, settings, near, connection.traffic)
        made = cls(again(), settings, codec=codec, hooks=hooks, near=near, connection=connection)
        made._connect = again
        return made

    @classmethod
    async def find(
        cls,
        url: str | None = None,
        *,
        namespace: str | None = None,
        codec: Codec | None = None,
        hooks: Sequence[TelemetryHook] = (),
        **options: Any,
    ) -> Self | None:
        """A cache of a namespace that is there, with the shard count that it was created with. Creates nothing, ever.

        For what looks after namespaces that others make. One round trip, which is not repeated.

        Args:
            url: as in `from_url`, like the others.
            namespace: the tenant.
            codec: how payloads are stored.
            hooks: hear of every call.
            options: fields of `Settings`; `shards` among them is not looked at.

        Returns:
            None where nobody has created the namespace.

        Raises:
            ConfigurationError: a URL, name or option that cannot work, or a namespace of a newer release.
            BackendError: the server cannot be reached.
        """
        settings = make_settings(url, namespace, options)
        near, connection = NearCache.of(settings), ConnectionState()
        again = partial(connect, settings, near, connection.traffic)
        transport = again()
        try:
            shards = await AsyncNamespaces(Keyspace(settings.namespace, 1)).shard_count(transport)
        except BaseException:
            await transport.aclose()
            raise
        if shards is None:
            await transport.aclose()
            return None
        settings = settings.model_copy(update={"shards": shards})
        found = cls(transport, settings, codec=codec, hooks=hooks, near=near, connection=connection)
        found._claims = False
        found._connect = again
        return found

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

    def _stacked(self) -> AsyncTransport:
        """What carries calls."""
        return stack(self._lowest, self.settings, self._prepare, self._hooks, self._repeats)

    def _stacked_again(self) -> AsyncTransport:
        """The same with new connections, for a further event loop."""
        if self.near is not None:
            self.near.clear()
        if self._connect is not None:
            self._lowest = self._connect()
        return self._stacked()

    async def _prepare(self, transport: AsyncTransport) -> None:
        self.server = await AsyncNamespaces(self.keys).open(transport, claim=self._claims)

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
