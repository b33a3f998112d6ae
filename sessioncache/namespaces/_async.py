"""What happens before a cache's first call: the namespace is claimed or checked, and the server is looked at."""

from __future__ import annotations

import warnings

from sessioncache.errors import ConfigurationError, NotReplicated, SessionCacheError
from sessioncache.namespaces import lua
from sessioncache.namespaces.server import EvictionPolicyWarning, ServerFacts, advice_on_eviction, refuse_old_server
from sessioncache.transport.base import AsyncTransport
from sessioncache.wire.keys import Keyspace

__all__ = ["AsyncNamespaces"]

SCHEMA = 1


class AsyncNamespaces:
    """Opens the namespace of one cache."""

    def __init__(self, keys: Keyspace) -> None:
        self._keys = keys

    async def shard_count(self, transport: AsyncTransport) -> int | None:
        """The shard count that the namespace was created with; None where nobody has created it. One round trip.

        Raises:
            ConfigurationError: a newer schema is stored.
        """
        stored = await transport.call(lua.stored(config=self._keys.config))
        if stored is None:
            return None
        shards, schema = stored
        if schema > SCHEMA:
            raise ConfigurationError(
                f"namespace {self._keys.namespace!r}: the namespace has schema {schema}, this release knows {SCHEMA}: "
                "upgrade sessioncache"
            )
        return shards

    async def open(self, transport: AsyncTransport, *, claim: bool = True) -> ServerFacts:
        """Claim or check the namespace, and look at the server. One round trip.

        Args:
            transport: the lowest one.
            claim: False: a namespace that is not there is not made.

        Raises:
            ConfigurationError: another shard count or a newer schema is stored, the server is too old, or the namespace
                is not there and not to be made.
        """
        config = self._keys.config
        opened, server, memory = await transport.call_many(
            [
                lua.open_(config=config, shards=self._keys.shards, schema=SCHEMA, claim=claim),
                lua.info(config=config, section="server"),
                lua.info(config=config, section="memory"),
            ],
            return_errors=True,
        )
        # INFO may be forbidden, or missing in a server that only speaks the protocol: what cannot be seen is not
        # judged.
        facts = ServerFacts.of(
            {} if isinstance(server, SessionCacheError) else server,
            {} if isinstance(memory, SessionCacheError) else memory,
        )
        refuse_old_server(facts)
        if isinstance(opened, ConfigurationError):
            raise ConfigurationError(f"namespace {self._keys.namespace!r}: {opened}") from opened
        # A claim that too few replicas confirmed stands on the primary; whoever opens after a failover claims again.
        if isinstance(opened, SessionCacheError) and not isinstance(opened, NotReplicated):
            raise opened
        advice = advice_on_eviction(facts)
        if advice is not None:
            warnings.warn(advice, EvictionPolicyWarning, stacklevel=2)
        return facts
