"""What a key has to be: in the catalogue, in its shard, of its type, expiring in time.

The rule of this module: what a key has to be is read from `CATALOGUE`; this module adds no knowledge of its own. It
judges what was seen; who looks, and where, is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, Protocol

from sessioncache.wire.keys import KeyKind, Keyspace, kind_of, namespace_of, record_of, unescape

__all__ = ["FoundKey", "KeyProblem", "SeenKey", "judge_keys", "misplaced", "shard_in"]


_keyspace = lru_cache(maxsize=64)(Keyspace)
"""Of a namespace and its shard count: to make one takes longer than to judge a key."""


class SeenKey(Protocol):
    """What has to be known of a key; `FoundKey` is one, and so is any object with these attributes."""

    @property
    def name(self) -> str:
        """The key."""

    @property
    def type(self) -> str:
        """Its Redis type."""

    @property
    def pttl_ms(self) -> int:
        """Milliseconds to live; -1 for ever."""

    @property
    def expires_at_ms(self) -> int:
        """When it expires, in milliseconds since 1970; -1 never."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Of a record: `gen` and `deadline_ms`; of a namespace's configuration: `shards`."""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key as it was found."""

    name: str
    type: str
    pttl_ms: int
    expires_at_ms: int
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """What is wrong with a key."""

    rule: Literal["catalogue", "type", "place", "expiry"]
    """Which rule it breaks."""
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


def judge_keys(keys: Iterable[SeenKey], *, shards: int) -> Iterator[KeyProblem]:
    """What is wrong with the keys.

    Args:
        keys: any; of a session's keys, its record among them.
        shards: the shard count of namespaces whose configuration is not among the keys.
    """
    seen = {key.name: key for key in keys}
    for name, key in seen.items():
        kind = kind_of(name)
        if kind is None:
            yield KeyProblem("catalogue", name, "no such key in the catalogue")
            continue
        if key.type != kind.type:
            yield KeyProblem("type", name, f"a {key.type}, but {kind.name} is a {kind.type}")
        namespace = namespace_of(name)
        config = seen.get(_keyspace(namespace, 1).config) if namespace is not None else None
        count = int(config.fields.get("shards", shards)) if config is not None else shards
        yield from (KeyProblem("place", name, text) for text in misplaced(name, count))
        yield from (KeyProblem("expiry", name, text) for text in _EXPIRY[kind.expiry](seen, key, kind))


def misplaced(name: str, shards: int) -> Iterator[str]:
    """Why a key is not where it belongs: in a shard that the namespace does not have, or that is not its session's."""
    namespace, shard = namespace_of(name), shard_in(name)
    if namespace is None or shard is None:
        return
    if shard >= shards:
        yield f"in shard {shard}, but the namespace has {shards} shards"
    record = record_of(name)
    if record is not None:
        expected = _keyspace(namespace, shards).shard_of(unescape(record.rpartition(":s:")[2]))
        if expected != shard:
            yield f"in shard {shard}, but the session's shard is {expected}"


def shard_in(name: str) -> int | None:
    """The shard that a key's hash tag names; None: it names none, as that of a namespace's configuration."""
    _, colon, shard = name.partition("{")[2].partition("}")[0].rpartition(":")
    return int(shard) if colon and shard.isdigit() else None


def _as_its_session(seen: Mapping[str, SeenKey], key: SeenKey, kind: KeyKind) -> Iterator[str]:
    """A session's key expires with the session: never before its deadline, and never where it has none.

    Where the record is gone or damaged, nobody knows the deadline; then the key has to expire at all.
    """
    record = seen.get(record_of(key.name) or "")
    deadline = record.fields.get("deadline_ms", "") if record is not None else ""
    if record is None or not deadline.isdigit():
        if key.expires_at_ms < 0:
            yield f"a {kind.name} without a usable record, and it never expires"
    elif int(deadline) == 0:
        if key.expires_at_ms >= 0:
            yield f"expires in {key.pttl_ms} ms, but its session has no deadline"
    elif key.expires_at_ms < 0:
        yield "never expires, but its session has a deadline"
    elif key.expires_at_ms < int(deadline):
        yield f"expires {int(deadline) - key.expires_at_ms} ms before its session's deadline"


def _within_its_limit(_seen: Mapping[str, SeenKey], key: SeenKey, kind: KeyKind) -> Iterator[str]:
    if key.pttl_ms < 0:
        yield f"never expires, but a {kind.name} lives at most {kind.expires_within_ms} ms"
    elif key.pttl_ms > kind.expires_within_ms:
        yield f"expires in {key.pttl_ms} ms, but a {kind.name} lives at most {kind.expires_within_ms} ms"


def _for_ever(_seen: Mapping[str, SeenKey], key: SeenKey, kind: KeyKind) -> Iterator[str]:
    if key.pttl_ms >= 0:
        yield f"expires in {key.pttl_ms} ms, but {kind.name} is never to expire"


_EXPIRY: Final = {"session": _as_its_session, "bounded": _within_its_limit, "never": _for_ever}
