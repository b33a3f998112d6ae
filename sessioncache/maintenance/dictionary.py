"""Dictionaries: what the messages of a namespace have in common, so that short sessions are compressed well, too.

The rule of this module: a dictionary is made of plain JSON alone, for it lies in the server as it is; payloads that a
codec has made, by encryption perhaps, are never taken. Nothing here removes one: chunks need them (see `collect`).
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import SessionCacheError
from sessioncache.maintenance.batch import LEASE_TTL_MS
from sessioncache.sealing.chunks import body_of, dictionary_id, pack_chunk
from sessioncache.sealing.dictionaries import DICTIONARY_BYTES_MAX, pack_dictionary
from sessioncache.sealing.models import RawEntry, Sealable
from sessioncache.sealing.plan import CHUNK_MESSAGES
from sessioncache.types import check_limit
from sessioncache.upkeep.models import Walk

__all__ = ["ensure", "train"]

JOB: Final = "dictionary"
WAIT_S: Final = 0.25
WAIT_TRIES: Final = 120

SIZES: Final = (1_024, 4_096, 8_192, 16_384, 32_768)
"""Sizes that are tried: the one is taken with which messages and dictionaries together are smallest."""

COPY_OVERHEAD: Final = 100
"""What a shard's copy costs besides its bytes."""

GROWTH: Final = 2
"""A namespace is taken to hold so many times as much one day."""

TRY_BYTES: Final = 65_536
"""With fewer bytes of messages nothing is tried; after a try, only when there are twice as many."""

SAMPLES_MAX: Final = 2_000
SAMPLES_BYTES: Final = 3_145_728
SAMPLES_MIN: Final = 16
SAMPLES_A_SHARD: Final = 100


async def ensure(cache: AsyncSessionCache, waiting: Callable[[], Awaitable[None]]) -> tuple[str, bytes] | None:
    """The namespace's dictionary, hash and itself; a new one where there is none and it pays, else None.

    Args:
        cache: of the namespace.
        waiting: called again and again while somebody else makes one.
    """
    holder = secrets.token_hex(8)
    for _ in range(WAIT_TRIES):
        found = await cache.upkeep.current_dictionary()
        if found.data is not None:
            return found.name, found.data
        total = (await cache.stats.get()).bytes
        if total < max(TRY_BYTES, GROWTH * found.tried):
            return None
        lease = await cache.upkeep.acquire(0, JOB, holder=holder, ttl_ms=LEASE_TTL_MS)
        if lease is not None:
            try:
                return await train(cache)
            finally:
                await cache.upkeep.save_dictionary_try(total)
                await cache.upkeep.release(lease)
        # What is sealed now without a dictionary stays so: better to wait.
        await asyncio.sleep(WAIT_S)
        await waiting()
    return None


async def train(cache: AsyncSessionCache, *, size: int | None = None) -> tuple[str, bytes] | None:
    """Make a dictionary of the namespace's messages, and seal with it from now on. Old chunks keep theirs.

    Args:
        cache: of the namespace.
        size: its size in bytes, 256 to 1048576; None: the one that saves most, if any does.

    Returns:
        Its hash and itself; None where there is too little to learn from, or it would cost more than it saves.
    """
    if size is not None:
        check_limit(size, what="size", at_least=256, at_most=DICTIONARY_BYTES_MAX)
    total = (await cache.stats.get()).bytes
    samples = await _samples(cache)
    data = await asyncio.to_thread(_best, samples, size, total * GROWTH, cache.keys.shards)
    if data is None:
        return None
    name = dictionary_id(data)
    await cache.upkeep.save_current_dictionary(name, data)
    return name, data


def _best(samples: Sequence[bytes], size: int | None, total: int, shards: int) -> bytes | None:
    """The dictionary with which everything is smallest, by samples that it was not made of; None: without any."""
    import zstandard  # noqa: PLC0415 - only who seals, or reads what is sealed, needs it

    training, others = samples[::2], samples[1::2]
    if len(others) < SAMPLES_MIN:
        return None
    raw = sum(map(len, others))
    best = None
    least = total * sum(len(pack_chunk(body, None, "")) for body in others) / raw
    for tried in SIZES if size is None else (size,):
        try:
            data = zstandard.train_dictionary(tried, list(training)).as_bytes()
        except zstandard.ZstdError:
            continue
        found, name = zstandard.ZstdCompressionDict(data), dictionary_id(data)
        packed = sum(len(pack_chunk(body, found, name)) for body in others)
        cost = total * packed / raw + shards * (len(pack_dictionary(data)) + COPY_OVERHEAD)
        if cost < least or size is not None:
            best, least = data, cost
    return best


async def _samples(cache: AsyncSessionCache) -> list[bytes]:
    """Bodies of chunks as sessions of several shards would have them, sealed or not."""
    samples: list[bytes] = []
    for shard in random.sample(range(cache.keys.shards), cache.keys.shards):
        until_ms = await cache.upkeep.clock(shard)
        found = await cache.upkeep.updated(shard, Walk(), until_ms=until_ms, limit=SAMPLES_A_SHARD)
        ids = [session_id for session_id, _at_ms in found]
        for at in range(0, len(ids), 50):
            part = ids[at : at + 50]
            read = await cache.upkeep.sealable(part, limits=[CHUNK_MESSAGES] * len(part))
            samples += [body for one in read if (body := _sample(one))]
            if sum(map(len, samples)) >= SAMPLES_BYTES or len(samples) >= SAMPLES_MAX:
                return samples
    return samples


def _sample(read: Sealable | SessionCacheError | None) -> bytes:
    if not isinstance(read, Sealable):
        return b""
    entries: list[RawEntry] = read.entries or read.last
    if not entries or not all(entry.payload.startswith(b"{") for entry in entries):
        return b""
    return body_of(entries[:CHUNK_MESSAGES])[1]
