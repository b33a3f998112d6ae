"""Typed stubs of this folder's Lua files, and the plain commands beside them. No logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.sealing.models import CurrentDictionary, OpenedPart, RawEntry, SealState, Swap, entry_from
from sessioncache.wire.call import Arg, Call, optional
from sessioncache.wire.keys import Key, Keyspace, SessionKeys, ShardKeys
from sessioncache.wire.script import load_script

__all__ = [
    "current_dictionary",
    "dictionary",
    "first_chunk",
    "last_chunk",
    "oldest",
    "open_",
    "save_current_dictionary",
    "save_dictionary",
    "save_dictionary_try",
    "seal",
    "shorten",
    "state",
    "unseal",
]

STATE = ("gen", "messages", "bytes", "first_seq", "last_seq", "rewritten", "sealed", "updated_ms", "written_ms")


def state(*, session: SessionKeys) -> Call[SealState | None]:
    """HMGET of what a record says about sealing; None where there is none, or it is damaged."""

    def decode(reply: list[Any]) -> SealState | None:
        gen, messages, size, first_seq, last_seq, rewritten, sealed, updated_ms, written_ms = reply
        try:
            return SealState(
                gen.decode(),
                int(messages),
                int(size),
                int(first_seq),
                int(last_seq),
                int(rewritten or 0),
                (sealed or b"").decode(),
                max(int(updated_ms), int(written_ms or 0)),
            )
        except (AttributeError, TypeError, ValueError):
            return None

    return Call("sealing.state", "HMGET", (session.record,), STATE, decode=decode)


def oldest(*, session: SessionKeys, limit: int) -> Call[list[RawEntry]]:
    """XRANGE of a transcript's oldest messages that are not sealed."""

    def decode(reply: list[Any]) -> list[RawEntry]:
        return [entry_from(entry) for entry in reply]

    return Call("sealing.oldest", "XRANGE", (session.transcript,), ("-", "+", "COUNT", limit), decode=decode)


def last_chunk(*, session: SessionKeys) -> Call[tuple[bytes, ...]]:
    """LRANGE of a transcript's last chunk and the place in front of it."""
    return Call("sealing.last_chunk", "LRANGE", (session.sealed,), (-2, -1), decode=tuple)


def seal(
    *,
    session: SessionKeys,
    lease: Key,
    now_override_ms: int | None,
    lease_token: int,
    idle_ms: int | None,
    swap: Swap,
    chunks: Sequence[bytes],
) -> Call[str]:
    """`sealing/seal.lua`; the chunks are those of the swap."""

    def decode(reply: bytes) -> str:
        return reply.decode()

    known = swap.state
    args: tuple[Arg, ...] = (
        session.escaped,
        optional(now_override_ms),
        lease_token,
        known.gen,
        known.rewritten,
        known.known,
        optional(idle_ms),
        swap.first_seq,
        swap.last_seq,
        swap.count,
        int(swap.reopened),
        swap.dictionary,
        *chunks,
    )
    keys = (*session.group, session.sealed, session.shard.dictionaries, lease)
    return Call("sealing.seal", load_script("sealing.seal"), keys, args, decode=decode, writes=True)


def first_chunk(*, session: SessionKeys, at: int = 0) -> Call[tuple[bytes, ...]]:
    """LRANGE of a transcript's first chunk, or number `at`, and the place in front of it."""
    return Call("sealing.first_chunk", "LRANGE", (session.sealed,), (2 * at, 2 * at + 1), decode=tuple)


def shorten(
    *,
    session: SessionKeys,
    lease: Key,
    now_override_ms: int | None,
    lease_token: int,
    gen: str,
    rewritten: int,
    known_place: bytes,
    place: bytes,
    chunk: bytes,
) -> Call[tuple[int, int]]:
    """`sealing/shorten.lua`: messages and bytes removed."""

    def decode(reply: list[Any]) -> tuple[int, int]:
        return int(reply[0]), int(reply[1])

    named = (session.escaped, optional(now_override_ms), lease_token, gen, rewritten)
    args: tuple[Arg, ...] = (*named, known_place, place, chunk)
    keys = (*session.group, session.sealed, lease)
    return Call("sealing.shorten", load_script("sealing.shorten"), keys, args, decode=decode, writes=True)


def open_(*, session: SessionKeys, now_override_ms: int | None, seq: int) -> Call[OpenedPart | None]:
    """`sealing/open.lua`; None: nothing there is sealed."""

    def decode(reply: list[Any] | None) -> OpenedPart | None:
        if reply is None:
            return None
        gen, rewritten, known, items = reply
        return OpenedPart(gen.decode(), rewritten, known.decode(), tuple(items))

    args = (session.escaped, optional(now_override_ms), seq)
    return Call("sealing.open", load_script("sealing.open"), (*session.group, session.sealed), args, decode=decode)


def unseal(
    *, session: SessionKeys, now_override_ms: int | None, part: OpenedPart, entries: Sequence[Arg]
) -> Call[bool]:
    """`sealing/unseal.lua`: whether the chunks were swapped. Entries are flat: number, time, mark, payload, …."""
    named = (part.gen, part.rewritten, part.known, len(part.items) // 2)
    args: tuple[Arg, ...] = (session.escaped, optional(now_override_ms), *named, *entries)
    keys = (*session.group, session.sealed)
    return Call("sealing.unseal", load_script("sealing.unseal"), keys, args, decode=bool, writes=True)


def dictionary(*, shard: ShardKeys, name: str) -> Call[bytes | None]:
    """HGET of a dictionary out of the shard that has chunks made with it."""

    def decode(reply: bytes | None) -> bytes | None:
        return reply

    return Call("sealing.dictionary", "HGET", (shard.dictionaries,), (name,), decode=decode)


def save_dictionary(*, shard: ShardKeys, name: str, data: bytes) -> Call[int]:
    """HSET of a dictionary; the name is its hash, so sending it again changes nothing."""
    args = (name, data)
    return Call("sealing.save_dictionary", "HSET", (shard.dictionaries,), args, decode=int, writes=True)


def current_dictionary(*, keys: Keyspace) -> Call[CurrentDictionary]:
    """HMGET of the dictionary that is sealed with now, as it is stored."""

    def decode(reply: list[Any]) -> CurrentDictionary:
        name, data, tried = reply
        return CurrentDictionary((name or b"").decode(), data, int(tried or 0))

    names = ("dictionary:name", "dictionary:data", "dictionary:tried")
    return Call("sealing.current_dictionary", "HMGET", (keys.config,), names, decode=decode)


def save_current_dictionary(*, keys: Keyspace, name: str, data: bytes) -> Call[int]:
    """HSET of the dictionary that is to be sealed with from now on."""
    args = ("dictionary:name", name, "dictionary:data", data)
    return Call("sealing.save_current_dictionary", "HSET", (keys.config,), args, decode=int, writes=True)


def save_dictionary_try(*, keys: Keyspace, total: int) -> Call[int]:
    """HSET of how many bytes of messages there were when somebody tried to make a dictionary."""
    args = ("dictionary:tried", total)
    return Call("sealing.save_dictionary_try", "HSET", (keys.config,), args, decode=int, writes=True)
