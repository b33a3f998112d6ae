"""Damage of every kind, done by hand, each with the kinds of findings that it has to be told as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from sessioncache.sealing.chunks import dictionary_id
from sessioncache.wire.keys import Keyspace, SessionKeys, ShardKeys
from tests.audit.furnished import DICTIONARY, ENTRY


@dataclass(frozen=True)
class Place:
    """Where damage is done."""

    keys: Keyspace
    client_for: Callable[[str], Redis]

    def session(self, name: str) -> SessionKeys:
        """A session's keys."""
        return self.keys.session(name)

    def shard(self, name: str) -> ShardKeys:
        """The shard of a session."""
        return self.session(name).shard

    def run(self, *command: Any) -> Any:  # noqa: ANN401 - whatever the server answers
        """Send a command to the server that has its key, which stands second."""
        return self.client_for(str(command[1])).execute_command(*command)

    def replace(self, key: str, *commands: tuple[Any, ...]) -> None:
        """Make a key anew, with the expiry that it had."""
        expires = self.run("PEXPIRETIME", key)
        self.run("DEL", key)
        for command in commands:
            self.run(*command)
        if expires > 0:
            self.run("PEXPIREAT", key, expires)


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong."""

    kinds: tuple[str, ...]
    do: Callable[[Place], object]


def _message(place: Place, field_name: str, payload: str) -> None:
    key = place.session("plain").transcript
    entries = place.run("XRANGE", key, "-", "+")
    # The client's own command answers fields as a mapping.
    size = len(next(iter(entries[-1][1].values())))
    commands = [("XADD", key, entry_id, *next(iter(fields.items()))) for entry_id, fields in entries[:-1]]
    place.replace(key, *commands, ("XADD", key, entries[-1][0], field_name, payload.ljust(size)))


def _flip(place: Place) -> None:
    key = place.session("idle").sealed
    chunk = place.run("LINDEX", key, 1)
    place.run("LSET", key, 1, chunk[:-3] + bytes([chunk[-3] ^ 1]) + chunk[-2:])


def _edit_place(place: Place, at: int, by: int, *, item: int = 0) -> None:
    key = place.session("idle").sealed
    parts = place.run("LINDEX", key, item).split(b" ")
    parts[at] = b"%d" % (int(parts[at]) + by)
    place.run("LSET", key, item, b" ".join(parts))


def _unlist(place: Place) -> None:
    shard = place.shard("plain")
    place.run("ZREM", shard.by_updated, "plain")
    place.run("ZREM", shard.deadlines, "plain")
    place.run("ZREM", shard.by_user, "plain\0plain")


def _elsewhere(place: Place) -> ShardKeys:
    """A shard where the session `plain` does not belong."""
    return place.keys.shard((place.keys.shard_of("plain") + 1) % place.keys.shards)


def _misplaced_record(place: Place) -> None:
    key = _elsewhere(place).session("plain").record
    place.run("HSET", key, "gen", "x")
    place.run("PEXPIRE", key, 60_000)


def _feed_entry(place: Place, index: int) -> None:
    key = place.shard("full").feed
    place.run("XDEL", key, place.run("XRANGE", key, "-", "+")[index][0])


DAMAGES: dict[str, Damage] = {
    "a field of the record is gone": Damage(
        ("record",), lambda at: at.run("HDEL", at.session("plain").record, "revision")
    ),
    "a number of the record is none": Damage(
        ("record",), lambda at: at.run("HSET", at.session("plain").record, "messages", "many")
    ),
    "metadata is no JSON": Damage(("record",), lambda at: at.run("HSET", at.session("full").record, "meta:m", "{")),
    "what is sealed is not told": Damage(
        ("record",), lambda at: at.run("HSET", at.session("long").record, "sealed", "one")
    ),
    "a newer schema": Damage(("schema",), lambda at: at.run("HSET", at.session("plain").record, "schema", 2)),
    "the record is gone": Damage(("orphan",), lambda at: at.run("DEL", at.session("full").record)),
    "the record has no gen": Damage(("orphan",), lambda at: at.run("HDEL", at.session("plain").record, "gen")),
    "the transcript is gone": Damage(("messages",), lambda at: at.run("DEL", at.session("plain").transcript)),
    "a message is gone": Damage(
        ("messages",),
        lambda at: at.run(
            "XDEL", at.session("long").transcript, at.run("XRANGE", at.session("long").transcript, "-", "+")[0][0]
        ),
    ),
    "what is sealed is gone": Damage(("sealed",), lambda at: at.run("DEL", at.session("idle").sealed)),
    "a chunk is gone": Damage(("sealed",), lambda at: at.run("RPOP", at.session("long").sealed, 2)),
    "a chunk holds less than its place says": Damage(("chunk",), lambda at: _edit_place(at, 2, -1)),
    "the first number is wrong": Damage(
        ("ends",), lambda at: at.run("HSET", at.session("plain").record, "first_seq", 2)
    ),
    "numbers will be given out again": Damage(
        ("ends",), lambda at: at.run("HSET", at.session("plain").record, "seq", 1)
    ),
    "the bytes are wrong": Damage(("bytes",), lambda at: at.run("HINCRBY", at.session("plain").record, "bytes", 1)),
    "a message is no JSON": Damage(("message",), lambda at: _message(at, "m", "{")),
    "a message is no object": Damage(("message",), lambda at: _message(at, "m", "1")),
    "a message has another field": Damage(("message",), lambda at: _message(at, "z", "{}")),
    "a place is unreadable": Damage(("place",), lambda at: at.run("LSET", at.session("idle").sealed, 0, "nonsense")),
    "a place tells another span": Damage(("place",), lambda at: _edit_place(at, 5, 1)),
    "a chunk is damaged": Damage(("chunk",), _flip),
    "the seam is wrong": Damage(("seam",), lambda at: _edit_place(at, 1, 1, item=-2)),
    "the dictionary is gone": Damage(
        ("no-dictionary",), lambda at: at.run("HDEL", at.shard("idle").dictionaries, dictionary_id(DICTIONARY))
    ),
    "the dictionary is another": Damage(
        ("dictionary",), lambda at: at.run("HSET", at.shard("idle").dictionaries, dictionary_id(DICTIONARY), "x")
    ),
    "the current dictionary is another": Damage(
        ("dictionary",), lambda at: at.run("HSET", at.keys.config, "dictionary:name", "00" * 8)
    ),
    "an entry of a room is gone": Damage(("room",), lambda at: at.run("HDEL", at.session("full").room("qa")[0], ENTRY)),
    "a room is gone": Damage(("room",), lambda at: at.run("DEL", at.session("full").room("traces")[0])),
    "a room's index is gone": Damage(("room-index",), lambda at: at.run("DEL", at.session("full").room("updates")[1])),
    "an id is in the index alone": Damage(
        ("room-index",),
        lambda at: (
            at.run("ZREM", at.session("full").room("updates")[1], "u"),
            at.run("ZADD", at.session("full").room("updates")[1], 1, "w"),
        ),
    ),
    "two entries have one number": Damage(
        ("room-index",), lambda at: at.run("ZADD", at.session("full").room("updates")[1], 2, "u")
    ),
    "an end of a relationship is wrong": Damage(
        ("room-index",),
        lambda at: (
            at.run("ZREM", at.session("full").room("relationships")[1], "=a"),
            at.run("ZADD", at.session("full").room("relationships")[1], 0, "=c"),
        ),
    ),
    "a question is no list of fields": Damage(
        ("entry",), lambda at: at.run("HSET", at.session("full").room("qa")[0], ENTRY, "9:x")
    ),
    "an update is no JSON": Damage(
        ("entry",), lambda at: at.run("HSET", at.session("full").room("updates")[0], "u", "{")
    ),
    "a line of a log has no time": Damage(
        ("entry",), lambda at: at.run("LSET", at.session("full").room("traces")[0], 0, "{}")
    ),
    "the sums are wrong": Damage(
        ("usage-sums",), lambda at: at.run("HINCRBY", at.session("full").room("usage")[1], "lines", 1)
    ),
    "an operation has no reply": Damage(
        ("operations",), lambda at: at.run("RPUSH", at.session("plain").operations, "0123")
    ),
    "a lease has no end": Damage(
        ("session-lease",),
        lambda at: (
            at.run("HSET", at.session("plain").lease, "holder", "x", "token", 1),
            at.run("PEXPIRE", at.session("plain").lease, 60_000),
        ),
    ),
    "a room is of another type": Damage(
        ("type",),
        lambda at: at.replace(
            at.session("full").room("documents")[0], ("SET", at.session("full").room("documents")[0], "x")
        ),
    ),
    "a list is of another type": Damage(
        ("type",), lambda at: at.replace(at.shard("plain").dependents, ("SET", at.shard("plain").dependents, "x"))
    ),
    "a key never expires": Damage(("expiry",), lambda at: at.run("PERSIST", at.session("plain").transcript)),
    "a key expires too early": Damage(
        ("expiry",), lambda at: at.run("PEXPIRE", at.session("plain").operations, 60_000)
    ),
    "a key expires later than the record": Damage(
        ("expiry",),
        lambda at: at.run(
            "PEXPIREAT",
            at.session("plain").operations,
            at.run("PEXPIRETIME", at.session("plain").operations) + 60_001,
        ),
    ),
    "a shard's key expires": Damage(("expiry",), lambda at: at.run("PEXPIRE", at.shard("plain").feed, 60_000)),
    "a tombstone never expires": Damage(("expiry",), lambda at: at.run("PERSIST", at.session("gone").tombstone)),
    "a staged transcript never expires": Damage(
        ("expiry",), lambda at: at.run("XADD", at.session("plain").staging("0123"), "1-1", "m", "{}")
    ),
    "a foreign key": Damage(("foreign",), lambda at: at.run("SET", f"{at.shard('plain').prefix}mine", "x")),
    "a foreign key beside the configuration": Damage(
        ("foreign",), lambda at: at.run("SET", f"{at.keys.config}:mine", "x")
    ),
    "a record in another shard": Damage(("misplaced",), _misplaced_record),
    "a shard that there is not": Damage(
        ("misplaced",), lambda at: at.run("HSET", f"sc:{{{at.keys.namespace}:99}}:totals", "sessions", 1)
    ),
    "an id in another shard's list": Damage(
        ("misplaced",), lambda at: at.run("ZADD", _elsewhere(at).by_updated, 1, "plain")
    ),
    "not in the list by last write": Damage(
        ("by-updated",), lambda at: at.run("ZREM", at.shard("plain").by_updated, "plain")
    ),
    "at another time in the list by last write": Damage(
        ("by-updated",), lambda at: at.run("ZADD", at.shard("plain").by_updated, 1, "plain")
    ),
    "not in the list by user": Damage(
        ("by-user",), lambda at: at.run("ZREM", at.shard("plain").by_user, "plain\0plain")
    ),
    "under a second user": Damage(("by-user",), lambda at: at.run("ZADD", at.shard("plain").by_user, 0, "a\0plain")),
    "not in the list of deadlines": Damage(
        ("deadlines",), lambda at: at.run("ZREM", at.shard("plain").deadlines, "plain")
    ),
    "in no list": Damage(("unlisted",), _unlist),
    "a list names what is not there": Damage(
        ("ghost",), lambda at: at.run("ZADD", at.shard("nobody").by_user, 0, "u\0nobody")
    ),
    "a link is gone": Damage(("no-link",), lambda at: at.run("ZREM", at.shard("full").links, "c\0c\0full")),
    "a link to a file is gone": Damage(
        ("no-link",), lambda at: at.run("ZREM", at.shard("full").links, "p\0a.py\0entry\0full")
    ),
    "a link that nothing stands behind": Damage(
        ("stale-link",), lambda at: at.run("ZADD", at.shard("full").links, 0, "w\0nowhere\0full")
    ),
    "a link to a session that is gone": Damage(
        ("stale-link",), lambda at: at.run("ZADD", at.shard("gone").links, 0, "c\0c\0gone")
    ),
    "a dependency is unreadable": Damage(
        ("dependents",), lambda at: at.run("ZADD", at.shard("plain").dependents, 0, "x")
    ),
    "the totals are wrong": Damage(("totals",), lambda at: at.run("HINCRBY", at.shard("full").totals, "qa", 1)),
    "the totals are no numbers": Damage(
        ("totals",), lambda at: at.run("HSET", at.shard("full").totals, "sessions", "-1")
    ),
    "a total is text": Damage(("totals",), lambda at: at.run("HSET", at.shard("full").totals, "sessions", "x")),
    "the number of the newest change is text": Damage(
        ("totals", "feed-head"), lambda at: at.run("HSET", at.shard("full").totals, "feed_seq", "x")
    ),
    "the totals are gone": Damage(("totals", "feed-head"), lambda at: at.run("DEL", at.shard("plain").totals)),
    "a change is gone": Damage(("feed-gap",), lambda at: _feed_entry(at, 1)),
    "the newest change is gone": Damage(("feed-head",), lambda at: _feed_entry(at, -1)),
    "the policy's copy is another": Damage(
        ("policy",), lambda at: at.run("HSET", at.shard("plain").policy, "ttl_ms", 5)
    ),
    "the policy's copy is unreadable": Damage(
        ("policy",), lambda at: at.run("HSET", at.shard("plain").policy, "ttl_ms", "x")
    ),
    "the namespace's policy is unreadable": Damage(
        ("config",), lambda at: at.run("HSET", at.keys.config, "policy:ttl_ms", "x")
    ),
    "a job's lease is unreadable": Damage(
        ("lease",), lambda at: at.run("HSET", at.shard("plain").lease("expire"), "token", "x")
    ),
    "a workspace is unreadable": Damage(("workspace",), lambda at: at.run("HSET", at.keys.workspace_list, "w", "x")),
}
"""By what was done."""
