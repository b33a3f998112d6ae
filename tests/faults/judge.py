"""A second auditor, for the tests: plain commands and plain Python, from what docs/data-model.md says and nothing else.

The rule of this module: it imports nothing of the product, so that no mistake of the product's auditor is its own. It
is much simpler: are the sessions that were acknowledged there, with their messages once and in order; is none half
removed; are lists and totals what the records say.
"""

from __future__ import annotations

import json
import re
from binascii import crc32
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import zstandard
from redis import Redis

__all__ = ["Promises", "judge"]

SESSION_KEY: Final = re.compile(r"sc:\{(?P<ns>[^:}]+):(?P<shard>\d+)\}:s:(?P<id>[^:]+)(?::(?P<part>.+))?")
BESIDE: Final = ("tombstone", "lease", "staging")
"""What may be there without a session."""

ROOMS: Final = {
    "documents": "HLEN",
    "updates": "HLEN",
    "qa": "HLEN",
    "checkpoints": "HLEN",
    "traces": "LLEN",
    "usage": "LLEN",
    "entities": "HLEN",
    "relationships": "HLEN",
    "workspaces": "HLEN",
    "sources": "HLEN",
}
Token = tuple[int, int]
"""Who wrote a message, and the how-many-eth of his it was: fields `w` and `n` of every message."""


@dataclass
class Promises:
    """What was told to those who wrote."""

    acknowledged: dict[str, list[Token]] = field(default_factory=lambda: defaultdict(list))
    """By session: messages whose write was answered, in the order of the answers."""
    refused: dict[str, set[Token]] = field(default_factory=lambda: defaultdict(set))
    """Messages whose write was refused: they must not be there."""
    unknown: dict[str, set[Token]] = field(default_factory=lambda: defaultdict(set))
    """Messages whose write was not answered: they may be there, once."""
    may_be_gone: set[str] = field(default_factory=set)
    """Sessions that may have been removed, whole."""
    must_be_gone: set[str] = field(default_factory=set)
    """Sessions that have to have been removed, whole."""
    kept_at_least: int | None = None
    """Transcripts may have been trimmed to the newest so many; None: they may not."""


@dataclass
class _Session:
    shard: int
    keys: dict[str, bytes] = field(default_factory=dict)
    """Key by what follows the record's name."""
    record: dict[str, str] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    size: int = 0


def judge(clients: Iterable[Redis], namespace: str, promises: Promises) -> list[str]:
    """What is wrong, one sentence each.

    Args:
        clients: one of each server that takes writes.
        namespace: whose sessions.
        promises: what was told to those who wrote.
    """
    opened = list(clients)
    problems: list[str] = []
    sessions: dict[str, _Session] = {}
    shards: set[tuple[int, Redis]] = set()
    for client in opened:
        sessions |= _read(client, namespace, shards)
    for name, session in sessions.items():
        problems += (f"{name}: {text}" for text in _whole(session))
        problems += (f"{name}: {text}" for text in _told(name, session, promises))
    told = promises.acknowledged.keys() - promises.may_be_gone - promises.must_be_gone
    problems += (f"{name}: lost, though it was acknowledged" for name in told - sessions.keys())
    problems += (f"{name}: still there" for name in promises.must_be_gone & sessions.keys())
    for shard, client in shards:
        mine = {name: session for name, session in sessions.items() if session.shard == shard}
        problems += (f"shard {shard}: {text}" for text in _lists(client, namespace, shard, mine))
    return problems


def _read(client: Redis, namespace: str, shards: set[tuple[int, Redis]]) -> dict[str, _Session]:
    """Every session that has any key on a server."""
    count = 0
    found: dict[str, _Session] = {}
    for key in set(client.scan_iter(match=f"sc:{{{namespace}:*", count=1000)):
        shards.add((int(key.decode().partition(":")[2].partition("}")[0].rpartition(":")[2]), client))
        named = SESSION_KEY.fullmatch(key.decode())
        if named is None or (named["part"] or "").partition(":")[0] in BESIDE:
            continue
        name = unquote(named["id"])
        found.setdefault(name, _Session(int(named["shard"]))).keys[named["part"] or ""] = key
        count += 1
    for session in found.values():
        record = session.keys.get("")
        if record is not None:
            pairs = _hash(client, record)
            session.record = {field.decode(): value.decode() for field, value in pairs.items()}
            _read_messages(client, session)
            session.record |= {f"found:{room}": str(_length(client, session, room)) for room in ROOMS}
            session.record["found:expiries"] = str(
                len({client.execute_command("PEXPIRETIME", key) for key in session.keys.values()})
            )
            session.record["found:gap"] = str(_gap(client, record, session))
    return found


def _length(client: Redis, session: _Session, room: str) -> int:
    key = session.keys.get(room)
    return 0 if key is None else int(client.execute_command(ROOMS[room], key))


def _gap(client: Redis, record: bytes, session: _Session) -> int:
    """How long the keys outlive the deadline, in milliseconds; 0: there is none and they do not expire."""
    deadline, expires = int(session.record.get("deadline_ms", 0)), int(client.execute_command("PEXPIRETIME", record))
    return expires - deadline if deadline else (0 if expires == -1 else -1)


def _read_messages(client: Redis, session: _Session) -> None:
    """Sealed messages first, then the stream."""
    last = 0
    sealed = session.keys.get("sealed")
    items = client.execute_command("LRANGE", sealed, 0, -1) if sealed is not None else []
    dictionary_key = f"sc:{{{_namespace(session)}:{session.shard}}}:dictionaries"
    for place, chunk in zip(items[::2], items[1::2], strict=True):
        for payload in _payloads(place, chunk, _hash(client, dictionary_key)):
            _take(session, payload)
        last = int(place.split(b" ")[1])
    stream = session.keys.get("transcript")
    for entry_id, fields in _entries(client, stream) if stream is not None else []:
        assert int(entry_id.partition(b"-")[0]) > last, f"message {entry_id!r} behind {last}"
        last = int(entry_id.partition(b"-")[0])
        (payload,) = fields.values()
        _take(session, payload)
    session.record["found:last_seq"] = str(last)


def _namespace(session: _Session) -> str:
    found = SESSION_KEY.fullmatch(session.keys[""].decode())
    assert found is not None
    return found["ns"]


def _take(session: _Session, payload: bytes) -> None:
    message = json.loads(payload)
    session.tokens.append((message["w"], message["n"]))
    session.size += len(payload)


def _payloads(place: bytes, chunk: bytes, dictionaries: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """The messages of a chunk, as the data model's table says."""
    kind, body = chunk[0], chunk[1:]
    if kind == 0x12:
        stored = dictionaries[chunk[1:9].hex().encode()]
        learned = zstandard.ZstdCompressionDict(zstandard.ZstdDecompressor().decompress(stored))
        body = zstandard.ZstdDecompressor(dict_data=learned).decompress(chunk[9:])
    elif kind == 0x11:
        body = zstandard.ZstdDecompressor().decompress(body)
    count = int(place.split(b" ")[2])
    flags, widths = body[0], body[1:4]
    at = 4 + (count if flags & 2 else 0) + (widths[0] + widths[1]) * count
    lengths = [int.from_bytes(body[at + i * widths[2] : at + (i + 1) * widths[2]], "little") for i in range(count)]
    at += widths[2] * count
    for length in lengths:
        yield body[at : at + length]
        at += length + (flags & 1)


def _whole(session: _Session) -> Iterator[str]:
    """Whether nothing of the session is missing."""
    record = session.record
    if "gen" not in record:
        yield f"half removed: {', '.join(session.keys)} without a record"
        return
    if int(record["messages"]) != len(session.tokens) or int(record["bytes"]) != session.size:
        counted = f"{record['messages']} messages of {record['bytes']} bytes"
        yield f"the record counts {counted}, there are {len(session.tokens)} of {session.size}"
    if int(record["last_seq"]) not in {0, int(record["found:last_seq"])}:
        yield f"the record says that {record['last_seq']} is the last, it is {record['found:last_seq']}"
    for room in ROOMS:
        if int(record.get(f"n:{room}", 0)) != int(record[f"found:{room}"]):
            yield f"the record counts {record.get(f'n:{room}')} {room}, there are {record[f'found:{room}']}"
    if record["found:expiries"] != "1" or int(record["found:gap"]) < 0:
        yield f"its keys expire at {record['found:expiries']} times, {record['found:gap']} ms behind the deadline"


def _told(name: str, session: _Session, promises: Promises) -> Iterator[str]:
    """Whether what was acknowledged is there, once and in order, and nothing that was refused."""
    tokens, acknowledged = session.tokens, promises.acknowledged.get(name, [])
    known = set(acknowledged)
    if len(set(tokens)) != len(tokens):
        yield f"messages are there twice: {[token for token in tokens if tokens.count(token) > 1][:5]}"
    if refused := promises.refused.get(name, set()) & set(tokens):
        yield f"messages are there that were refused: {sorted(refused)[:5]}"
    strangers = set(tokens) - known - promises.unknown.get(name, set())
    if strangers - promises.refused.get(name, set()):
        yield f"messages are there that nobody wrote: {sorted(strangers)[:5]}"
    for writer in {writer for writer, _n in acknowledged}:
        wanted = [n for who, n in acknowledged if who == writer]
        found = [n for who, n in tokens if who == writer and (who, n) in known]
        if found != sorted(found):
            yield f"messages of writer {writer} are not in their order"
        if promises.kept_at_least is None and sorted(wanted) != found:
            yield f"messages of writer {writer} are lost: {sorted(set(wanted) - set(found))[:5]}"
        elif found != sorted(wanted)[len(wanted) - len(found) :]:
            yield f"messages of writer {writer} were trimmed in the middle"
    if promises.kept_at_least is not None and len(tokens) < min(promises.kept_at_least, len(acknowledged)):
        yield f"trimmed to {len(tokens)} messages"


def _lists(client: Redis, namespace: str, shard: int, sessions: Mapping[str, _Session]) -> Iterator[str]:
    """Whether a shard's lists and totals are what its records say."""
    prefix = f"sc:{{{namespace}:{shard}}}:"
    records = {name: session.record for name, session in sessions.items() if session.record}
    updated = {unquote(member.decode()): int(score) for member, score in _scores(client, f"{prefix}by-updated")}
    if updated != {name: int(record["updated_ms"]) for name, record in records.items()}:
        yield f"by-updated names {len(updated)} sessions, or at other times than the {len(records)} records"
    deadlines = {unquote(member.decode()): int(score) for member, score in _scores(client, f"{prefix}deadlines")}
    if deadlines != {name: int(r["deadline_ms"]) for name, r in records.items() if int(r["deadline_ms"])}:
        yield f"deadlines names {len(deadlines)} sessions, or at other times than the {len(records)} records"
    rows = [member.decode().rpartition("\0") for member, _score in _scores(client, f"{prefix}by-user")]
    users = sorted((user, unquote(name)) for user, _nul, name in rows)
    if users != sorted((record["user"], name) for name, record in records.items()):
        yield f"by-user has {len(users)} rows, or others than the {len(records)} records"
    totals = {name.decode(): int(value) for name, value in _hash(client, f"{prefix}totals").items()}
    sums = {"sessions": len(records)}
    for name in ("messages", "bytes"):
        sums[name] = sum(int(record[name]) for record in records.values())
    for room in ROOMS:
        sums[room] = sum(int(record.get(f"n:{room}", 0)) for record in records.values())
    wrong = {name: (totals.get(name, 0), value) for name, value in sums.items() if totals.get(name, 0) != value}
    if wrong:
        yield f"totals are wrong (told, and summed up): {wrong}"
    numbers = [int(entry_id.partition(b"-")[0]) for entry_id, _fields in _entries(client, f"{prefix}feed")]
    if numbers and numbers != list(range(numbers[0], totals.get("feed_seq", 0) + 1)):
        yield f"the feed has gaps, or ends at {numbers[-1]} of {totals.get('feed_seq')}"
    config = f"sc:{{{namespace}}}:config"
    count = int(_hash(client, config)[b"shards"]) if _owns(client, config) else 0
    for name in sessions if count else ():
        if crc32(name.encode()) % count != shard:
            yield f"{name!r} does not belong there"


def _owns(client: Redis, key: str) -> bool:
    from redis.exceptions import ResponseError

    try:
        return bool(client.exists(key))
    except ResponseError:
        return False


def _scores(client: Redis, key: str) -> list[tuple[bytes, Any]]:
    found: list[tuple[bytes, Any]] = list(client.zscan_iter(key, count=1000))
    return found


def _hash(client: Redis, key: str | bytes) -> Mapping[bytes, bytes]:
    found: Any = client.hgetall(key)  # type: ignore[arg-type]  # the driver takes bytes, its types do not say so
    return dict(found)


def _entries(client: Redis, key: str | bytes) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
    found: Any = client.xrange(key)
    return list(found)
