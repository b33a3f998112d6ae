"""How much of the server's memory the sessions hold: MEMORY USAGE of every key, all elements counted.

The rule of this module: no key is left out. A key is a session's, a dictionary that sealed sessions share, or one that
all sessions share (lists, totals, feeds); the keys of other stores are all their sessions'.
"""

from __future__ import annotations

from typing import Final

import redis

from sessioncache.wire.keys import kind_of

__all__ = ["used_bytes", "weigh"]

AT_ONCE: Final = 2000
SESSION: Final = "<id>"
DICTIONARY: Final = "dictionar"


def used_bytes(port: int) -> int:
    """What the server's allocator has handed out."""
    with redis.Redis(port=port) as client:
        return int(client.info("memory")["used_memory"])


def weigh(port: int) -> dict[str, float]:
    """The bytes of all keys, by whose they are."""
    weights = {"session_bytes": 0.0, "shared_bytes": 0.0, "dictionary_bytes": 0.0}
    with redis.Redis(port=port) as client:
        batch: list[bytes] = []
        for key in client.scan_iter(count=AT_ONCE):
            batch.append(key)
            if len(batch) == AT_ONCE:
                _add(client, batch, weights)
                batch = []
        _add(client, batch, weights)
    return weights


def _add(client: redis.Redis, keys: list[bytes], weights: dict[str, float]) -> None:
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.memory_usage(key, samples=0)
    for key, size in zip(keys, pipeline.execute(), strict=True):
        weights[_whose(key.decode("utf-8", "replace"))] += size or 0


def _whose(key: str) -> str:
    kind = kind_of(key)
    if kind is not None and kind.name.startswith(DICTIONARY):
        return "dictionary_bytes"
    return "session_bytes" if kind is None or SESSION in kind.pattern else "shared_bytes"
