"""Judges the keys that lie in a server after a test: in the catalogue, in their shard, of their type, expiring in time.

The rule of this module: what a key has to be is read from `CATALOGUE`; this module adds no knowledge of its own. It
judges what was seen and changes nothing.

```python
with Redis.from_url(url) as client:
    assert check_keys(scan_keys(client)) == []
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from sessioncache.settings import SHARDS_DEFAULT
from sessioncache.wire.keys import KeyKind, Keyspace, kind_of, namespace_of, unescape

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["FoundKey", "SeenKey", "check_keys", "scan_keys"]

PAGE: Final = 1000
FIELDS: Final = {"record": ("gen", "deadline_ms"), "config": ("shards",)}
"""What has to be read of a key of that kind to judge it and others."""


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
    """A key that `scan_keys` found."""

    name: str
    type: str
    pttl_ms: int
    expires_at_ms: int
    fields: Mapping[str, str] = field(default_factory=dict)


def scan_keys(client: Redis, match: str | None = None) -> list[FoundKey]:
    """Every key of one server, ordered by name. For tests: it looks at all of them.

    Args:
        client: a redis-py client (or fakeredis), without `decode_responses`.
        match: a SCAN pattern; None: all keys.
    """
    # SCAN may name a key twice while the table grows or shrinks.
    names = sorted(set(client.scan_iter(match=match, count=PAGE)))
    pages = (names[first : first + PAGE] for first in range(0, len(names), PAGE))
    return [found for page in pages for found in _look_at(client, page)]


def check_keys(keys: Iterable[SeenKey], *, shards: int = SHARDS_DEFAULT) -> list[str]:
    """What is wrong with the keys, one sentence each; an empty list if nothing is.

    Args:
        keys: all keys of a server, or of all nodes of a cluster.
        shards: the shard count of namespaces whose configuration is not among the keys.
    """
    seen = {key.name: key for key in keys}
    problems: list[str] = []
    for name, key in seen.items():
        kind = kind_of(name)
        if kind is None:
            problems.append(f"{name}: no such key in the catalogue")
            continue
        if key.type != kind.type:
            problems.append(f"{name}: a {key.type}, but {kind.name} is a {kind.type}")
        problems += _misplaced(seen, name, shards)
        problems += _EXPIRY[kind.expiry](seen, key, kind)
    return problems


def _look_at(client: Redis, names: list[bytes]) -> Iterator[FoundKey]:
    texts = [name.decode("utf-8", "backslashreplace") for name in names]
    asked = [_fields_of(text) for text in texts]
    pipeline = client.pipeline(transaction=False)
    for name, wanted in zip(names, asked, strict=True):
        pipeline.type(name)
        pipeline.pttl(name)
        pipeline.execute_command("PEXPIRETIME", name)
        if wanted:
            pipeline.execute_command("HMGET", name, *wanted)
    # A record that is no hash answers an error where its fields would be; its type is judged anyway.
    replies = iter(pipeline.execute(raise_on_error=False))
    for text, wanted in zip(texts, asked, strict=True):
        kind, pttl, expires_at = next(replies), next(replies), next(replies)
        values = next(replies) if wanted else []
        fields = {} if isinstance(values, Exception) else dict(zip(wanted, values, strict=True))
        # A key may expire between the two looks.
        if kind != b"none":
            kept = {name: value.decode("utf-8", "replace") for name, value in fields.items() if value is not None}
            yield FoundKey(text, kind.decode(), pttl, expires_at, kept)


def _fields_of(name: str) -> tuple[str, ...]:
    kind = kind_of(name)
    return FIELDS.get(kind.name, ()) if kind is not None else ()


def _misplaced(seen: Mapping[str, SeenKey], name: str, shards: int) -> Iterator[str]:
    """A shard that the namespace does not have, or one that is not the session's."""
    namespace, shard = namespace_of(name), _shard_of(name)
    if namespace is None or shard is None:
        return
    config = seen.get(Keyspace(namespace, 1).config)
    count = int(config.fields.get("shards", shards)) if config is not None else shards
    if shard >= count:
        yield f"{name}: in shard {shard}, but the namespace has {count} shards"
    record = _record_of(name)
    if record is not None:
        expected = Keyspace(namespace, count).shard_of(unescape(record.rpartition(":s:")[2]))
        if expected != shard:
            yield f"{name}: in shard {shard}, but the session's shard is {expected}"


def _shard_of(name: str) -> int | None:
    """The shard in a key's hash tag; a namespace's configuration has none."""
    _, _, shard = name.partition("{")[2].partition("}")[0].rpartition(":")
    return int(shard) if shard.isdigit() and ":" in name.partition("}")[0].partition("{")[2] else None


def _record_of(name: str) -> str | None:
    """The record's key of the session that a key belongs to, if it belongs to one."""
    tag, found, rest = name.partition("}:s:")
    return f"{tag}{found}{rest.partition(':')[0]}" if found else None


def _as_its_session(seen: Mapping[str, SeenKey], key: SeenKey, kind: KeyKind) -> Iterator[str]:
    """A session's key expires with the session: never before its deadline, and never where it has none.

    Where the record is gone or damaged, nobody knows the deadline; then the key has to expire at all.
    """
    record = seen.get(_record_of(key.name) or "")
    deadline = record.fields.get("deadline_ms", "") if record is not None else ""
    if record is None or not deadline.isdigit():
        if key.expires_at_ms < 0:
            yield f"{key.name}: a {kind.name} without a usable record, and it never expires"
    elif int(deadline) == 0:
        if key.expires_at_ms >= 0:
            yield f"{key.name}: expires in {key.pttl_ms} ms, but its session has no deadline"
    elif key.expires_at_ms < 0:
        yield f"{key.name}: never expires, but its session has a deadline"
    elif key.expires_at_ms < int(deadline):
        yield f"{key.name}: expires {int(deadline) - key.expires_at_ms} ms before its session's deadline"


def _within_its_limit(_seen: Mapping[str, SeenKey], key: SeenKey, kind: KeyKind) -> Iterator[str]:
    if key.pttl_ms < 0:
        yield f"{key.name}: never expires, but a {kind.name} lives at most {kind.expires_within_ms} ms"
    elif key.pttl_ms > kind.expires_within_ms:
        yield f"{key.name}: expires in {key.pttl_ms} ms, but a {kind.name} lives at most {kind.expires_within_ms} ms"


def _for_ever(_seen: Mapping[str, SeenKey], key: SeenKey, kind: KeyKind) -> Iterator[str]:
    if key.pttl_ms >= 0:
        yield f"{key.name}: expires in {key.pttl_ms} ms, but {kind.name} is never to expire"


_EXPIRY: Final = {"session": _as_its_session, "bounded": _within_its_limit, "never": _for_ever}
