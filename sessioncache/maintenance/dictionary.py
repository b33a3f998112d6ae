"""Dictionaries: what the messages of a namespace have in common, so that short sessions are compressed well, too.

The rule of this module: a dictionary is made of plain JSON alone, for it lies in the server as it is; payloads that a
codec has made, by encryption perhaps, are never taken. Dictionaries are never removed: chunks need them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import SessionCacheError
from sessioncache.sealing.chunks import body_of, dictionary_id, pack_chunk
from sessioncache.sealing.dictionaries import remember_dictionary
from sessioncache.sealing.models import RawEntry, Sealable
from sessioncache.sealing.plan import CHUNK_MESSAGES
from sessioncache.upkeep.models import Walk

__all__ = ["ensure", "train"]

SIZE_MAX: Final = 32_768
SIZE_MIN: Final = 2_048
SHARE: Final = 20
"""A dictionary, which lies in every shard, takes a twentieth of the namespace's messages at most."""

SAMPLES_MAX: Final = 2_000
SAMPLES_BYTES: Final = 8_388_608
SAMPLES_MIN: Final = 16
SHARDS_ASKED: Final = 16


async def ensure(cache: AsyncSessionCache) -> tuple[str, bytes] | None:
    """The namespace's dictionary, hash and itself; a new one where there is none and it pays, else None."""
    return await cache.upkeep.current_dictionary() or await train(cache)


async def train(cache: AsyncSessionCache, *, size: int | None = None) -> tuple[str, bytes] | None:
    """Make a dictionary of the namespace's messages, and seal with it from now on. Old chunks keep theirs.

    Args:
        cache: of the namespace.
        size: its size in bytes, 2048 to 32768; None: by how much the namespace holds.

    Returns:
        Its hash and itself; None where there is too little to learn from, or it would cost more than it saves.
    """
    total = (await cache.stats.get()).bytes
    wanted = min(total // (SHARE * cache.keys.shards), SIZE_MAX) if size is None else size
    if wanted < SIZE_MIN:
        return None
    samples = await _samples(cache)
    made = await asyncio.to_thread(_made, samples, min(wanted, SIZE_MAX))
    if made is None:
        return None
    data, saved = made
    if size is None and saved * total <= cache.keys.shards * len(data):
        return None
    name = dictionary_id(data)
    await cache.upkeep.save_current_dictionary(name, data)
    return name, data


def _made(samples: Sequence[bytes], size: int) -> tuple[bytes, float] | None:
    """A dictionary, and what share of the bytes it saves of samples that it was not made of."""
    import zstandard  # noqa: PLC0415 - only who seals, or reads what is sealed, needs it

    training, others = samples[::2], samples[1::2]
    if len(others) < SAMPLES_MIN:
        return None
    try:
        data = zstandard.train_dictionary(size, list(training)).as_bytes()
    except zstandard.ZstdError:
        return None
    name = dictionary_id(data)
    found = remember_dictionary(name, data)
    saved = sum(len(pack_chunk(body, None, "")) - len(pack_chunk(body, found, name)) for body in others)
    return data, saved / sum(map(len, others))


async def _samples(cache: AsyncSessionCache) -> list[bytes]:
    """Bodies of chunks as sessions of several shards would have them, sealed or not."""
    samples: list[bytes] = []
    shards = random.sample(range(cache.keys.shards), min(cache.keys.shards, SHARDS_ASKED))
    for shard in shards:
        until_ms = await cache.upkeep.clock(shard)
        found = await cache.upkeep.updated(shard, Walk(), until_ms=until_ms, limit=SAMPLES_MAX // len(shards))
        ids = [session_id for session_id, _at_ms in found]
        for at in range(0, len(ids), 50):
            part = ids[at : at + 50]
            read = await cache.upkeep.sealable(part, limits=[CHUNK_MESSAGES] * len(part))
            samples += [body for one in read if (body := _sample(one))]
            if sum(map(len, samples)) >= SAMPLES_BYTES:
                return samples
    return samples


def _sample(read: Sealable | SessionCacheError | None) -> bytes:
    if not isinstance(read, Sealable):
        return b""
    entries: list[RawEntry] = read.entries or read.last
    if not entries or not all(entry.payload.startswith(b"{") for entry in entries):
        return b""
    return body_of(entries[:CHUNK_MESSAGES])[1]
