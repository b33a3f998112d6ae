"""`python -m benchmarks.memory`: what idle sessions take, as a list and a hash each, and here, sealed and not.

The rule of this module: memory is what `MEMORY USAGE` says of every key, all elements looked at; nothing is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.conversations import Message, find_file, read_file
from sessioncache import AsyncSessionCache, Session
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance import compact

SHORT = 10_000
HOUR_MS = 3_600_000


def main() -> None:
    """Measure and print."""
    found = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    found.add_argument("--transcripts", type=Path, metavar="FILE", help="JSON lines with messages, or a JSON array")
    found.add_argument("--shards", type=int, default=64)
    options = found.parse_args()
    conversations = read_file(find_file(options.transcripts))
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(folder, appendonly=False) as server:
        for name, sessions in (
            (f"{len(conversations)} conversations", conversations),
            (f"{10 * len(conversations)} conversations", conversations * 10),
            (f"{SHORT} sessions of two short messages", list(_short())),
        ):
            print(f"\n{name}: bytes, and how many times the list and the hash")
            for line, size, ratio in asyncio.run(_rows(server.url, sessions, options.shards)):
                print(f"  {line:<44} {size:>12,} {ratio:6.2f}")


def _short() -> Iterator[list[Message]]:
    for n in range(SHORT):
        order = n * 7919 % 100_003
        yield [
            {"role": "user", "content": f"What is the status of order {order}?"},
            {"role": "assistant", "content": f"Order {order} was sent on day {n % 28 + 1} and will arrive soon."},
        ]


async def _rows(url: str, sessions: list[list[Message]], shards: int) -> list[tuple[str, int, float]]:
    with Redis.from_url(url) as client:
        client.flushall()
        for n, messages in enumerate(sessions):
            client.rpush(f"chat:{n:08d}:messages", *(json.dumps(m, separators=(",", ":")) for m in messages))
            stamps = {"user": "default", "created": "2026-11-21T10:00:00Z", "updated": "2026-11-21T10:00:00Z"}
            client.hset(f"chat:{n:08d}:meta", mapping={**stamps, "messages": str(len(messages))})
        plain = _memory(client, "chat:*")
        client.flushall()
        found = [("a list and a hash each", plain)]
        async with AsyncSessionCache.from_url(url, namespace="m", shards=shards) as cache:
            for n, messages in enumerate(sessions):
                await cache.sessions.save(Session(id=f"{n:08d}"), messages=messages[:500])
            found.append(("sessioncache, keys of the sessions", _memory(client, "sc:*}:s:*")))
            cache.keys.now_override_ms = int(time.time() * 1000) + HOUR_MS + 60_000
            for shard in range(shards):
                await compact.run(cache, shard, limit=1_000_000)
        found.append(("sealed, keys of the sessions", _memory(client, "sc:*}:s:*")))
        found.append(("sealed, all keys: lists, feed, dictionaries", _memory(client, "sc:*")))
    return [(line, size, size / plain) for line, size in found]


def _memory(client: Redis, match: str) -> int:
    keys: list[Any] = list(client.scan_iter(match=match, count=1_000))
    return sum(int(client.execute_command("MEMORY", "USAGE", key, "SAMPLES", 0)) for key in keys)


if __name__ == "__main__":
    main()
