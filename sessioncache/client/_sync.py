# Generated from sessioncache/client/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""SessionCache: the nouns over one transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sessioncache.client.build import codec_of, make_settings
from sessioncache.client.handles_sync import SessionHandle
from sessioncache.errors import ConfigurationError
from sessioncache.namespaces._sync import Namespaces
from sessioncache.namespaces.server import ServerFacts
from sessioncache.near import NearCache
from sessioncache.sessions._sync import Sessions
from sessioncache.settings import Settings
from sessioncache.telemetry import ConnectionState, TelemetryHook
from sessioncache.transcripts._sync import Transcripts
from sessioncache.transport.base import Transport
from sessioncache.transport.connect_sync import connect, stack, wrap_client
from sessioncache.transport.repeats import Repeats
from sessioncache.transport.watch_sync import WatchTransport
from sessioncache.types import SessionId, check_session_id
from sessioncache.wire.codec import Codec
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.messages import MessageEncoder
from sessioncache.wire.values import ValueEncoder

if TYPE_CHECKING:
    from redis import Redis

    from sessioncache.checkpoints._sync import Checkpoints
    from sessioncache.context._sync import Context
    from sessioncache.documents._sync import Documents
    from sessioncache.entities._sync import Entities
    from sessioncache.feed._sync import Feed
    from sessioncache.freshness._sync import Freshness
    from sessioncache.inspection._sync import Inspection
    from sessioncache.leases._sync import Leases
    from sessioncache.qa._sync import QA
    from sessioncache.retention._sync import Retention
    from sessioncache.schedule._sync import Schedule
    from sessioncache.stats._sync import Stats
    from sessioncache.traces._sync import Traces
    from sessioncache.upkeep._sync import Upkeep
    from sessioncache.usage._sync import Usage
    from sessioncache.workspaces._sync import Workspaces

__all__ = ["SessionCache"]


class SessionCache:
    """A session store: one namespace on one Redis or Valkey, shared by any number of processes.

    Make one a process with `from_url`, and use it from any number of tasks. It connects at its first call, or on
    entering `with`; close it with `close`, or by leaving. It serves one event loop at a time: a further one may
    use it when the one before has stopped.
    """

    def __init__(
        self,
        transport: Transport,
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
            raise ConfigurationError("near_cache_bytes needs a cache that was made by SessionCache.from_url")
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
        self._connect: Callable[[], Transport] | None = None
        """Makes the lowest transport anew, for another event loop; None where the caller gave it."""
        self._hooks = tuple(hooks)
        self._repeats = Repeats()
        self._transport = WatchTransport(self._stacked(), self._stacked_again, self.connection)
        codec = codec or codec_of(settings)
        encoder = MessageEncoder(entry_bytes_max=settings.entry_bytes_max, codec=codec)
        self._values = ValueEncoder(entry_bytes_max=settings.entry_bytes_max, codec=codec)
        self.sessions = Sessions(self._transport, self.keys, encoder, self._values, near)
        self.transcripts = Transcripts(self._transport, self.keys, encoder, near)

    # Nouns are made, and their modules imported, when they are first asked for: most processes use a few of them.

    @cached_property
    def context(self) -> Context:
        """What sessions know: updates in order, and one structured state."""
        from sessioncache.context._sync import Context

        return Context(self._transport, self.keys, self._values)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Snapshots of sessions."""
        from sessioncache.checkpoints._sync import Checkpoints

        return Checkpoints(self._transport, self.keys, self._values)

    @cached_property
    def workspaces(self) -> Workspaces:
        """Groups of sessions with roles."""
        from sessioncache.workspaces._sync import Workspaces

        return Workspaces(self._transport, self.keys, self._values)

    @cached_property
    def qa(self) -> QA:
        """Questions and answers with feedback, and a graph context."""
        from sessioncache.qa._sync import QA

        return QA(self._transport, self.keys, self._values)

    @cached_property
    def traces(self) -> Traces:
        """The steps of agents."""
        from sessioncache.traces._sync import Traces

        return Traces(self._transport, self.keys, self._values)

    @cached_property
    def usage(self) -> Usage:
        """What model calls cost."""
        from sessioncache.usage._sync import Usage

        return Usage(self._transport, self.keys, line_bytes_max=self.settings.entry_bytes_max)

    @cached_property
    def entities(self) -> Entities:
        """What sessions speak of, and how it is related."""
        from sessioncache.entities._sync import Entities

        return Entities(self._transport, self.keys, self._values)

    @cached_property
    def freshness(self) -> Freshness:
        """Where entries come from, and whether that has changed."""
        from sessioncache.freshness._sync import Freshness

        return Freshness(self._transport, self.keys, self._values)

    @cached_property
    def feed(self) -> Feed:
        """What changes."""
        from sessioncache.feed._sync import Feed

        return Feed(self._transport, self.keys)

    @cached_property
    def retention(self) -> Retention:
        """How long what is kept."""
        from sessioncache.retention._sync import Retention

        return Retention(self._transport, self.keys)

    @cached_property
    def stats(self) -> Stats:
        """Totals."""
        from sessioncache.stats._sync import Stats

        return Stats(self._transport, self.keys)

    @cached_property
    def leases(self) -> Leases:
        """One writer a session at a time."""
        from sessioncache.leases._sync import Leases

        return Leases(self._transport, self.keys)

    @cached_property
    def upkeep(self) -> Upkeep:
        """For background work."""
        from sessioncache.upkeep._sync import Upkeep

        return Upkeep(self._transport, self.keys)

    @cached_property
    def schedule(self) -> Schedule:
        """For workers."""
        from sessioncache.schedule._sync import Schedule

        return Schedule(self._transport, self.keys)

    @cached_property
    def inspection(self) -> Inspection:
        """For audits."""
        from sessioncache.inspection._sync import Inspection

        return Inspection(self._transport, self.keys, self._values)

    @cached_property
    def documents(self) -> Documents:
        """Named JSON documents of sessions."""
        from sessioncache.documents._sync import Documents

        return Documents(self._transport, self.keys, self._values)

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
    def find(
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
            shards = Namespaces(Keyspace(settings.namespace, 1)).shard_count(transport)
        except BaseException:
            transport.close()
            raise
        if shards is None:
            transport.close()
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

    def open(self) -> Self:
        """Connect, claim or check the namespace, look at the server. Happens by itself at the first call.

        Raises:
            ConfigurationError: another shard count is stored, or the server is too old.
            BackendError: the server cannot be reached.
        """
        self.stats.shards()
        return self

    def _stacked(self) -> Transport:
        """What carries calls."""
        return stack(self._lowest, self.settings, self._prepare, self._hooks, self._repeats)

    def _stacked_again(self) -> Transport:
        """The same with new connections, for a further event loop."""
        if self.near is not None:
            self.near.clear()
        if self._connect is not None:
            self._lowest = self._connect()
        return self._stacked()

    def _prepare(self, transport: Transport) -> None:
        self.server = Namespaces(self.keys).open(transport, claim=self._claims)

    def session(self, session_id: SessionId) -> SessionHandle:
        """A handle with the id filled in. Sends nothing; the session need not exist."""
        return SessionHandle(self, check_session_id(session_id))

    def close(self) -> None:
        """Close every connection. Calls after this fail."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Open the cache; if that fails, nothing stays open."""
        try:
            return self.open()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the cache."""
        self.close()
