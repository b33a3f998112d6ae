"""Typed stubs of this folder's Lua files: a stub's signature is the script's contract. No logic."""

from __future__ import annotations

from typing import Any

from sessioncache.errors import DecodeError
from sessioncache.feed.models import Change, FeedRead
from sessioncache.wire.call import Call
from sessioncache.wire.keys import ShardKeys, unescape
from sessioncache.wire.script import load_script

__all__ = ["read"]


def read(*, shard: ShardKeys, after: int, limit: int, after_ms: int = 0) -> Call[FeedRead]:
    """`feed/read.lua`; an `after_ms` of 0 is not known."""

    def decode(reply: list[Any]) -> FeedRead:
        newest, newest_ms, diverged, entries = reply
        changes = [_change(shard.index, *entry) for entry in entries]
        return FeedRead((int(newest), int(newest_ms)), changes, bool(diverged))

    args = (after, after_ms or "", limit)
    return Call("feed.read", load_script("feed.read"), (shard.feed, shard.totals), args, decode=decode)


def _change(shard: int, entry_id: bytes, fields: list[bytes]) -> Change:
    number, _, ms = entry_id.partition(b"-")
    try:
        details = {name.decode(): value.decode() for name, value in zip(fields[::2], fields[1::2], strict=True)}
        kind, session_id, revision = details.pop("kind"), unescape(details.pop("id")), int(details.pop("revision"))
    except (KeyError, ValueError) as error:
        raise DecodeError(f"entry {entry_id.decode()} of the feed of shard {shard} is damaged: {error!r}") from error
    return Change(kind, session_id, revision, int(ms), shard, int(number), details)
