"""Judges the keys that lie in a server after a test: in the catalogue, in their shard, of their type, expiring in time.

The rule of this module: it looks and changes nothing; what a key has to be says `sessioncache.wire.key_rules`.

```python
with Redis.from_url(url) as client:
    assert check_keys(scan_keys(client)) == []
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from sessioncache.settings import SHARDS_DEFAULT
from sessioncache.wire.key_rules import FoundKey, SeenKey, judge_keys
from sessioncache.wire.keys import kind_of

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["FoundKey", "SeenKey", "check_keys", "scan_keys"]

PAGE: Final = 1000
FIELDS: Final = {"record": ("gen", "deadline_ms"), "config": ("shards",)}
"""What has to be read of a key of that kind to judge it and others."""


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
    return [str(problem) for problem in judge_keys(keys, shards=shards)]


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
