"""What is demanded of a server: its version, and that it never evicts.

The rule of this module: judges facts that somebody else read; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sessioncache.errors import ConfigurationError

__all__ = ["EvictionPolicyWarning", "ServerFacts", "advice_on_eviction", "refuse_old_server"]

REDIS_MIN: Final = (7, 0)
VALKEY_MIN: Final = (7, 2)


class EvictionPolicyWarning(UserWarning):
    """The server may evict keys, and so tear sessions apart."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What INFO told; None where it told nothing."""

    product: str | None
    """`Redis` or `Valkey`."""
    version: str | None
    eviction_policy: str | None
    memory_used: int | None
    memory_max: int | None
    """In bytes; 0: no limit."""

    @classmethod
    def of(cls, server: Mapping[str, str], memory: Mapping[str, str]) -> ServerFacts:
        """The facts in two sections of INFO."""
        valkey = server.get("valkey_version")
        used, limit = memory.get("used_memory"), memory.get("maxmemory")
        return cls(
            product="Valkey" if valkey else "Redis" if "redis_version" in server else None,
            version=valkey or server.get("redis_version"),
            eviction_policy=memory.get("maxmemory_policy"),
            memory_used=int(used) if used else None,
            memory_max=int(limit) if limit else None,
        )


def refuse_old_server(facts: ServerFacts) -> None:
    """Refuse a server that lacks what the scripts need.

    Raises:
        ConfigurationError: older than Redis 7.0 or Valkey 7.2.
    """
    found = re.match(r"(\d+)\.(\d+)", facts.version or "")
    if found is None:
        return
    at_least = VALKEY_MIN if facts.product == "Valkey" else REDIS_MIN
    if (int(found.group(1)), int(found.group(2))) < at_least:
        needed = ".".join(map(str, at_least))
        raise ConfigurationError(
            f"the server is {facts.product} {facts.version}; "
            f"sessioncache needs {facts.product} {needed} or later: upgrade it"
        )


def advice_on_eviction(facts: ServerFacts) -> str | None:
    """What to say about the eviction policy, or None if it is right or cannot be seen."""
    if facts.eviction_policy in (None, "noeviction"):
        return None
    return (
        f"the server's maxmemory-policy is {facts.eviction_policy}: under memory pressure it removes single keys and "
        "tears sessions apart; set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)"
    )
