"""What a test sees of the server it runs on.

The rule of this module: an engine says what it can do (`supports`), so that no test asks for its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sessioncache.embedded import EmbeddedCluster, EmbeddedSentinel, EmbeddedServer

if TYPE_CHECKING:
    from fakeredis import FakeServer

Kind = Literal["fake", "standalone", "cluster", "sentinel"]
"""How a client has to connect."""

Feature = Literal[
    "server",
    "kill",
    "info",
    "config",
    "memory",
    "maxmemory",
    "monitor",
    "tracking",
    "cluster",
    "replicas",
    "tls",
    "every-command",
    "hash-field-expiry",
    "waitaof",
]
"""What tests may need:

* server: a process of its own, reached over a socket;  kill: it can be killed and started again
* info, config, memory, monitor, tracking: the commands of that name;  maxmemory: it refuses writes when full
* cluster: several nodes share the slots;  replicas: it has some;  tls: connections are encrypted
* every-command: no ACL forbids anything;  hash-field-expiry, waitaof: newer commands
"""


@dataclass(frozen=True, eq=False)
class Engine:
    """A server, or a group of them, that belongs to the test run."""

    name: str
    """fakeredis, valkey, redis, cluster, sentinel, acl or tls."""

    kind: Kind
    """How a client has to connect."""

    url: str
    """Where; for fakeredis only a name, use `fake_server`."""

    features: frozenset[Feature]
    """What it can do."""

    fake_server: FakeServer | None = None
    """The server inside this process, if it is fakeredis."""

    ca_file: Path | None = None
    """With TLS, whom to trust."""

    server: EmbeddedServer | None = None
    """The server, if it is a single one."""

    cluster: EmbeddedCluster | None = None
    """The cluster, if it is one."""

    sentinel: EmbeddedSentinel | None = None
    """The group under Sentinel, if it is one."""

    stop: Callable[[], None] = lambda: None
    """End it; called once, after the last test."""

    def supports(self, feature: Feature) -> bool:
        """Whether it can do that; a misspelt feature is an error."""
        if feature not in get_args(Feature):
            raise ValueError(f"unknown feature {feature!r}; there are: {', '.join(get_args(Feature))}")
        return feature in self.features

    def primaries(self) -> list[EmbeddedServer]:
        """The servers that take writes now; none for fakeredis."""
        if self.cluster is not None:
            return self.cluster.primaries()
        if self.sentinel is not None:
            return [self.sentinel.master()]
        return [self.server] if self.server is not None else []

    def flush(self) -> None:
        """Remove every key; what a test has killed or paused is brought back first."""
        self._revive()
        for server in self.primaries():
            server.command("FLUSHALL")
        if self.fake_server is not None:
            from fakeredis import FakeRedis

            with FakeRedis(server=self.fake_server) as client:
                client.flushall()

    def _revive(self) -> None:
        """Undo kill and pause."""
        servers = [*(self.cluster.nodes if self.cluster else []), *([self.server] if self.server else [])]
        lost = [server for server in servers if not server.running]
        for server in servers:
            server.resume()
            server.start()
        if self.cluster is not None and lost:
            self.cluster.wait_until_ok()
        if self.sentinel is not None:
            for node in self.sentinel.nodes:
                node.resume()
                if not node.running:
                    self.sentinel.wait_for_promotion(node)
                    self.sentinel.bring_back(node)
