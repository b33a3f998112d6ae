"""Every key that lies in Redis: its name, type, owner and expiry, in one catalogue.

The rule of this module: nothing else in the project spells a key. Deleting a session, the ACL patterns, the check that
no test leaves a stray key, and the data model's documentation all derive from `CATALOGUE`.

```
sc:{acme}:config                          what the namespace is: shards, schema, retention policy
sc:{acme:17}:s:<id>                       a session's record        (`{acme:17}` is the hash tag of shard 17)
sc:{acme:17}:s:<id>:transcript            its messages
sc:{acme:17}:s:<id>:sealed                its older messages, compressed
sc:{acme:17}:s:<id>:operations            its last operation ids with their replies
sc:{acme:17}:s:<id>:<room>                what else it has: documents, updates, qa, … (`ROOMS`)
sc:{acme:17}:by-updated                   the shard's listing index …
```
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NewType, TypeAlias
from urllib.parse import quote, unquote

__all__ = [
    "CATALOGUE",
    "LEASE_TTL_MS_MAX",
    "ROOMS",
    "SESSIONS_KEPT",
    "SHARD_LEASE_TTL_MS_MAX",
    "TALLY_MS",
    "TOMBSTONE_MS",
    "Key",
    "KeyKind",
    "Keyspace",
    "RoomName",
    "SessionKeys",
    "ShardKeys",
    "escape",
    "kind_of",
    "namespace_of",
    "record_of",
    "shard_prefix_of",
    "unescape",
]

Key = NewType("Key", str)
"""A key as Redis sees it. Only this module makes one."""

TOMBSTONE_MS: Final = 3_600_000
STAGING_MS: Final = 600_000
TALLY_MS: Final = 86_400_000
SHARD_LEASE_TTL_MS_MAX: Final = 600_000
"""Longest time for which a background job can take a shard's lease, in milliseconds."""
LEASE_TTL_MS_MAX: Final = 86_400_000
"""Longest time for which the lease of a session can be taken, in milliseconds."""

RoomName: TypeAlias = Literal[
    "documents",
    "updates",
    "qa",
    "checkpoints",
    "traces",
    "usage",
    "entities",
    "relationships",
    "workspaces",
    "sources",
]

ROOMS: Final[dict[RoomName, tuple[str, ...]]] = {
    "documents": ("documents",),
    "updates": ("updates", "updates:order"),
    "qa": ("qa", "qa:order"),
    "checkpoints": ("checkpoints", "checkpoints:order"),
    "traces": ("traces",),
    "usage": ("usage", "usage:totals"),
    "entities": ("entities",),
    "relationships": ("relationships", "relationships:ends"),
    "workspaces": ("workspaces",),
    "sources": ("sources",),
}
"""What a session may have beside its record and transcript, and what follows the record's name in the keys of it.

A room's keys are made on first use. The record counts its entries in the field `n:<room>`, so that a part that was lost
is SessionTorn and not an empty room."""

SESSIONS_KEPT: Final = 1024
"""Sessions of a namespace whose keys are not put together anew at every call: those that were named last."""

Expiry = Literal["session", "never", "bounded"]


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One line of the catalogue."""

    name: str
    """What scripts call it."""

    pattern: str
    """The key, with `<ns>`, `<shard>`, `<id>`, … standing for what varies."""

    type: Literal["hash", "stream", "zset", "list"]
    """The Redis type."""

    expiry: Expiry
    """`session`: expires with its session, shortly after the deadline, and never before it; persistent where the
    session has no deadline. `bounded`: always expires, within `expires_within_ms`. `never`: the shard's own, one per
    shard."""

    about: str
    """What it holds."""

    expires_within_ms: int = 0
    """Longest time to live of a `bounded` key."""

    def matches(self, key: str) -> bool:
        """Whether the key is of this kind."""
        return _pattern_regex(self.pattern).fullmatch(key) is not None


@lru_cache(maxsize=64)
def _pattern_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"<\w+>", pattern)
    return re.compile(r"[^:{}]+".join(re.escape(part) for part in parts))


CATALOGUE: Final[tuple[KeyKind, ...]] = (
    KeyKind("config", "sc:{<ns>}:config", "hash", "never", "shard count, schema, policy and dictionary of a namespace"),
    KeyKind("record", "sc:{<ns>:<shard>}:s:<id>", "hash", "session", "the session's record"),
    KeyKind("transcript", "sc:{<ns>:<shard>}:s:<id>:transcript", "stream", "session", "one entry a message"),
    KeyKind(
        "sealed",
        "sc:{<ns>:<shard>}:s:<id>:sealed",
        "list",
        "session",
        "the transcript's older messages, many to a compressed chunk, and in front of each chunk its place",
    ),
    KeyKind("operations", "sc:{<ns>:<shard>}:s:<id>:operations", "list", "session", "operation ids and their replies"),
    KeyKind(
        "tombstone",
        "sc:{<ns>:<shard>}:s:<id>:tombstone",
        "list",
        "bounded",
        "operation ids and replies of a deleted session, so that late repeats do not bring it back",
        expires_within_ms=TOMBSTONE_MS,
    ),
    KeyKind(
        "staging",
        "sc:{<ns>:<shard>}:s:<id>:staging:<operation>",
        "stream",
        "bounded",
        "a long transcript on its way in, until one swap puts it in place",
        expires_within_ms=STAGING_MS,
    ),
    KeyKind("documents", "sc:{<ns>:<shard>}:s:<id>:documents", "hash", "session", "named documents: state, graph, …"),
    KeyKind("updates", "sc:{<ns>:<shard>}:s:<id>:updates", "hash", "session", "context updates by their ids"),
    KeyKind("updates_order", "sc:{<ns>:<shard>}:s:<id>:updates:order", "zset", "session", "those ids, numbered"),
    KeyKind("qa", "sc:{<ns>:<shard>}:s:<id>:qa", "hash", "session", "questions with their answers, by id"),
    KeyKind("qa_order", "sc:{<ns>:<shard>}:s:<id>:qa:order", "zset", "session", "those ids, numbered"),
    KeyKind("checkpoints", "sc:{<ns>:<shard>}:s:<id>:checkpoints", "hash", "session", "snapshots by their ids"),
    KeyKind(
        "checkpoints_order", "sc:{<ns>:<shard>}:s:<id>:checkpoints:order", "zset", "session", "those ids, numbered"
    ),
    KeyKind("traces", "sc:{<ns>:<shard>}:s:<id>:traces", "list", "session", "steps of the agent, each with its time"),
    KeyKind("usage", "sc:{<ns>:<shard>}:s:<id>:usage", "list", "session", "token usage, a line a model call"),
    KeyKind("usage_totals", "sc:{<ns>:<shard>}:s:<id>:usage:totals", "hash", "session", "its sums, by model"),
    KeyKind("entities", "sc:{<ns>:<shard>}:s:<id>:entities", "hash", "session", "what the session speaks of, by name"),
    KeyKind("relationships", "sc:{<ns>:<shard>}:s:<id>:relationships", "hash", "session", "how entities are related"),
    KeyKind(
        "relationships_ends",
        "sc:{<ns>:<shard>}:s:<id>:relationships:ends",
        "zset",
        "session",
        "entities by name, and each relationship from both its ends; all scored 0",
    ),
    KeyKind("workspaces", "sc:{<ns>:<shard>}:s:<id>:workspaces", "hash", "session", "its roles, by workspace"),
    KeyKind("sources", "sc:{<ns>:<shard>}:s:<id>:sources", "hash", "session", "where its entries come from, by entry"),
    KeyKind(
        "session_lease",
        "sc:{<ns>:<shard>}:s:<id>:lease",
        "hash",
        "bounded",
        "who may write to the session, and the fencing token",
        expires_within_ms=LEASE_TTL_MS_MAX + TOMBSTONE_MS,
    ),
    KeyKind("by_updated", "sc:{<ns>:<shard>}:by-updated", "zset", "never", "escaped id, scored by updated_at"),
    KeyKind("by_user", "sc:{<ns>:<shard>}:by-user", "zset", "never", "user, NUL, escaped id; all scored 0"),
    KeyKind("deadlines", "sc:{<ns>:<shard>}:deadlines", "zset", "never", "escaped id, scored by deadline"),
    KeyKind(
        "totals", "sc:{<ns>:<shard>}:totals", "hash", "never", "what the sessions hold together, and what jobs saw"
    ),
    KeyKind("feed", "sc:{<ns>:<shard>}:feed", "stream", "never", "what changed in this shard, capped"),
    KeyKind("policy", "sc:{<ns>:<shard>}:policy", "hash", "never", "the shard's copy of the retention policy"),
    KeyKind(
        "links",
        "sc:{<ns>:<shard>}:links",
        "zset",
        "never",
        "which sessions have a workspace, checkpoint or source: kind, NUL, thing, NUL, escaped id; all scored 0",
    ),
    KeyKind(
        "dependents",
        "sc:{<ns>:<shard>}:dependents",
        "zset",
        "never",
        "a code symbol, NUL, a symbol that depends on it; all scored 0",
    ),
    KeyKind(
        "dictionaries",
        "sc:{<ns>:<shard>}:dictionaries",
        "hash",
        "never",
        "what sealed messages of the shard were compressed with, by its hash",
    ),
    KeyKind(
        "tally",
        "sc:{<ns>:<shard>}:tally",
        "list",
        "bounded",
        "what reconcile has counted so far, compressed, where a run of it did not come to the end of the shard",
        expires_within_ms=TALLY_MS,
    ),
    KeyKind("workspace_list", "sc:{<ns>}:workspaces", "hash", "never", "workspaces by their ids"),
    KeyKind(
        "lease",
        "sc:{<ns>:<shard>}:lease:<job>",
        "hash",
        "never",
        "who works on the shard, the fencing token, and how far the job has come",
    ),
)


def kind_of(key: str) -> KeyKind | None:
    """The catalogue's line for a key, or None for a key that is none of ours."""
    return next((kind for kind in CATALOGUE if kind.matches(key)), None)


def namespace_of(key: str) -> str | None:
    """The namespace that a key belongs to, or None for a key that is none of ours."""
    found = re.match(r"sc:\{([A-Za-z0-9._-]+)(?::\d+)?\}:", key)
    return found.group(1) if found else None


def shard_prefix_of(key: str) -> str:
    """What every key of this key's shard begins with."""
    return key[: key.find("}") + 1]


def record_of(key: str) -> str | None:
    """The record's key of the session that a key belongs to; None: it is no session's."""
    shard, mark, rest = key.partition("}:s:")
    return f"{shard}{mark}{rest.partition(':')[0]}" if rest else None


def escape(text: str) -> str:
    """Percent-escape an id for use inside a key or an index.

    Letters, digits and `_.-~@+=,` stay; everything else, `:`, `{`, `}`, `*`, `?`, `[`, `%`, spaces and all non-ASCII
    bytes among it, becomes `%XX`, so that no two ids share a key, no id changes the hash tag, and none acts as a
    pattern.
    """
    return quote(text, safe="@+=,")


def unescape(text: str | bytes) -> str:
    """The id that was escaped."""
    return unquote(text.decode() if isinstance(text, bytes) else text)


class ShardKeys:
    """The keys of one shard."""

    __slots__ = (
        "by_updated",
        "by_user",
        "deadlines",
        "dependents",
        "dictionaries",
        "feed",
        "index",
        "links",
        "policy",
        "prefix",
        "record_prefix",
        "tally",
        "totals",
    )

    def __init__(self, namespace: str, index: int) -> None:
        self.index = index
        self.prefix = f"sc:{{{namespace}:{index}}}:"
        self.record_prefix = f"{self.prefix}s:"
        self.by_updated = Key(f"{self.prefix}by-updated")
        self.by_user = Key(f"{self.prefix}by-user")
        self.deadlines = Key(f"{self.prefix}deadlines")
        self.totals = Key(f"{self.prefix}totals")
        self.feed = Key(f"{self.prefix}feed")
        self.policy = Key(f"{self.prefix}policy")
        self.links = Key(f"{self.prefix}links")
        self.dependents = Key(f"{self.prefix}dependents")
        self.dictionaries = Key(f"{self.prefix}dictionaries")
        self.tally = Key(f"{self.prefix}tally")

    def lease(self, job: str) -> Key:
        """The lease of one background job on this shard."""
        return Key(f"{self.prefix}lease:{escape(job)}")

    def session(self, session_id: str) -> SessionKeys:
        """The keys of a session that lives in this shard."""
        return SessionKeys(self, session_id)


class SessionKeys:
    """The keys of one session, and those of its shard."""

    __slots__ = ("escaped", "group", "operations", "record", "session_id", "shard", "tombstone", "transcript")

    def __init__(self, shard: ShardKeys, session_id: str) -> None:
        self.shard = shard
        self.session_id = session_id
        self.escaped = escape(session_id)
        record = shard.record_prefix + self.escaped
        self.record = Key(record)
        self.transcript = Key(f"{record}:transcript")
        self.operations = Key(f"{record}:operations")
        self.tombstone = Key(f"{record}:tombstone")
        self.group: tuple[Key, ...] = (
            self.record,
            self.transcript,
            self.operations,
            self.tombstone,
            shard.by_updated,
            shard.by_user,
            shard.deadlines,
            shard.totals,
            shard.feed,
            shard.policy,
            shard.links,
        )
        """The values of the KEYS group `@session`, in its order."""

    def room(self, name: RoomName) -> tuple[Key, ...]:
        """The keys of a room, in the order of `ROOMS`."""
        return tuple(Key(f"{self.record}:{suffix}") for suffix in ROOMS[name])

    @property
    def sealed(self) -> Key:
        """The transcript's older messages, compressed; where there are none, no key."""
        return Key(f"{self.record}:sealed")

    @property
    def lease(self) -> Key:
        """Who may write to the session."""
        return Key(f"{self.record}:lease")

    def staging(self, operation: str) -> Key:
        """Where a long transcript is put together before the swap."""
        return Key(f"{self.record}:staging:{operation}")


SESSION_GROUP: Final = (
    "record",
    "transcript",
    "operations",
    "tombstone",
    "by_updated",
    "by_user",
    "deadlines",
    "totals",
    "feed",
    "policy",
    "links",
)
"""Names of the KEYS group `@session`: every key that a mutation of a session may touch, all in one slot."""


class Keyspace:
    """The keys of one namespace."""

    def __init__(self, namespace: str, shards: int) -> None:
        self.namespace = namespace
        self.shards = shards
        self.config = Key(f"sc:{{{namespace}}}:config")
        self.workspace_list = Key(f"sc:{{{namespace}}}:workspaces")
        self.now_override_ms: int | None = None
        """Stands in for the server's clock, in tests only."""
        self._shards = [ShardKeys(namespace, index) for index in range(shards)]
        self._kept = lru_cache(maxsize=SESSIONS_KEPT)(self._session)

    def shard_of(self, session_id: str) -> int:
        """The shard of a session: CRC-32 of the id's UTF-8 bytes, modulo the shard count."""
        return crc32(session_id.encode()) % self.shards

    def session(self, session_id: str) -> SessionKeys:
        """The keys of a session."""
        return self._kept(session_id)

    def _session(self, session_id: str) -> SessionKeys:
        return SessionKeys(self._shards[self.shard_of(session_id)], session_id)

    def shard(self, index: int) -> ShardKeys:
        """The keys of a shard."""
        return self._shards[index]

    def __iter__(self) -> Iterator[ShardKeys]:
        """All shards, in order."""
        return iter(self._shards)
