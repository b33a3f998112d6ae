"""What one look at a session tells: record against keys, lists and counts.

The rule of this module: no I/O. All that is judged here was seen at one moment, so it is wrong wherever it disagrees,
however busily others write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sessioncache.audit.report import Problem
from sessioncache.errors import SessionCacheError
from sessioncache.inspection.models import SessionLook
from sessioncache.sealing.models import ChunkPlace
from sessioncache.sessions.record import SCHEMA, session_from
from sessioncache.upkeep.models import COUNTED, Counters
from sessioncache.wire.key_rules import FoundKey, judge_keys
from sessioncache.wire.keys import ROOMS, SessionKeys, kind_of

__all__ = ["counters_of", "has_keys", "is_gone", "is_overdue", "judge_look", "number"]

NUMBERS: Final = (
    "revision",
    "seq",
    "first_seq",
    "last_seq",
    "messages",
    "bytes",
    "created_ms",
    "updated_ms",
    "deadline_ms",
    "ttl_ms",
)
"""Fields that a record has to have, and that are numbers."""

OPERATIONS_MAX: Final = 32
BESIDE: Final = frozenset({"tombstone", "lease"})
"""Keys that may be there without a session."""

GRACE_MS_MIN: Final = 60_000
GRACE_SHARE_MAX: Final = 0.15
MOVED_MS_MAX: Final = 60_000
"""By how much keys of a session may expire apart: MIGRATE hands over the time that is left, so each key of a slot that
is moved expires later by what its own move took. Within the grace this changes nothing for anybody."""
WAITING_MS: Final = 604_800_000
"""Overdue sessions that wait for the archive are kept for so long, and a grace."""


def has_keys(look: SessionLook) -> bool:
    """Whether anything of a session is there, whole or not."""
    return any(suffix not in BESIDE for suffix in look.keys)


def is_gone(look: SessionLook) -> bool:
    """Whether the record is gone, or is none."""
    return "gen" not in look.fields


def is_overdue(look: SessionLook) -> bool:
    """Whether the session is past its deadline, and so absent already."""
    return 0 < number(look.fields.get("deadline_ms")) <= look.now_ms


def number(value: bytes | str | None) -> int:
    """The number in a field; -1 where it holds none."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value or ""
    return int(text) if text.isascii() and text.isdigit() else -1


def counters_of(look: SessionLook) -> Counters | None:
    """What the record counts, as `upkeep.counters` answers it; None where there is none."""
    if not look.fields:
        return None
    names = [f"n:{name}" if name in ROOMS else name for name in COUNTED]
    return tuple(max(number(look.fields.get(name)), 0) for name in names)


def judge_look(look: SessionLook, keys: SessionKeys, *, shards: int, users: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with a session, as far as one look tells; nothing where it is past its deadline and whole.

    Args:
        look: the session.
        keys: its keys.
        shards: how many the namespace has.
        users: under whom it was found listed; what the look says of them is in their order.
    """
    yield from _keys(look, keys, shards)
    record = look.keys.get("")
    if record is None or (record.type == "hash" and is_gone(look)):
        yield from _without_record(look, users)
        return
    if record.type != "hash":
        return
    schema = number(look.fields.get("schema"))
    if schema > SCHEMA:
        yield Problem("schema", f"its schema is {schema}; this release reads up to {SCHEMA}")
        return
    damage = _damage(look, keys.session_id)
    if damage is not None:
        yield Problem("record", damage)
        return
    numbers = {name: number(look.fields[name]) for name in NUMBERS}
    yield from _transcript(look, numbers)
    yield from _rooms(look)
    yield from _lists(look, numbers, users)
    yield from _expiries(look, numbers)
    yield from _operations(look)
    holder, token, until_ms = (*look.lease, None, None, None)[:3]
    if holder is not None and (number(token) < 0 or number(until_ms) < 0):
        yield Problem("session-lease", f"token {token!r}, end {until_ms!r}")


def _keys(look: SessionLook, keys: SessionKeys, shards: int) -> Iterator[Problem]:
    """Type and expiry of each key, by the rules that all keys have to keep."""
    found = []
    for suffix, key in look.keys.items():
        name = f"{keys.record}:{suffix}" if suffix else str(keys.record)
        kind = kind_of(name)
        if kind is not None and kind.expiry == "session":
            fields = {"deadline_ms": look.fields.get("deadline_ms", b"").decode("ascii", "replace")}
            pttl_ms = key.expires_at_ms - look.now_ms if key.expires_at_ms >= 0 else key.expires_at_ms
            found.append(FoundKey(name, key.type, pttl_ms, key.expires_at_ms, {} if suffix else fields))
    rules: Mapping[str, str] = {"type": "type", "expiry": "expiry", "place": "misplaced"}
    for problem in judge_keys(found, shards=shards):
        if problem.rule in rules and not (problem.rule == "expiry" and is_gone(look)):
            name = problem.key.removeprefix(keys.record).removeprefix(":") or "record"
            yield Problem(rules[problem.rule], f"{name}: {problem.text}")


def _without_record(look: SessionLook, users: Sequence[str]) -> Iterator[Problem]:
    if has_keys(look):
        left = ", ".join(suffix or "a record without `gen`" for suffix in look.keys if suffix not in BESIDE)
        yield Problem("orphan", f"there is no record, but: {left}")
        return
    # A session that the server expired by itself stays listed until it is swept, which its deadline tells.
    if 0 < number(look.deadline_ms) <= look.now_ms:
        return
    lists = {"by-updated": bool(look.updated_ms), "deadlines": bool(look.deadline_ms)}
    named = [name for name, is_there in lists.items() if is_there]
    named += [f"by-user ({user})" for user, is_there in zip(users, look.also_listed, strict=True) if is_there]
    if named:
        yield Problem("ghost", f"it is in {', '.join(named)}, and nothing of it is there")


def _damage(look: SessionLook, session_id: str) -> str | None:
    """Why the record cannot be read; None: it can."""
    missing = [name for name in NUMBERS if number(look.fields.get(name)) < 0]
    if missing:
        return f"no number: {', '.join(missing)}"
    try:
        session_from(session_id, [part for name, value in look.fields.items() for part in (name.encode(), value)])
    except (SessionCacheError, ValueError, OverflowError) as error:
        return str(error)
    return None


def _transcript(look: SessionLook, numbers: Mapping[str, int]) -> Iterator[Problem]:
    messages, last_seq = numbers["messages"], numbers["last_seq"]
    stream = look.keys.get("transcript")
    if (stream is not None and stream.type != "stream") or look.size("sealed") < 0:
        return
    sealed = look.fields.get("sealed")
    parts = [number(part) for part in sealed.split(b" ")] if sealed is not None else [0, 0, 0]
    if len(parts) != len(("chunks", "messages", "last_seq")) or min(parts) < 0:
        yield Problem("record", f"no chunks, messages and sequence number of what is sealed: {sealed!r}")
        return
    chunks, sealed_messages, sealed_last = parts
    if look.size("sealed") != 2 * chunks or (sealed is not None and not chunks):
        yield Problem("sealed", f"the record says {chunks} chunks, there are {look.size('sealed') / 2:g}")
        return
    tail = look.size("transcript")
    if tail + sealed_messages != messages:
        text = f"the record counts {messages} messages, there are {tail + sealed_messages}"
        yield Problem("messages", f"{text}, {sealed_messages} of them sealed")
        return
    entries = [number(entry.partition(b"-")[0]) if entry else 0 for entry in (look.first_entry, look.last_entry)]
    first, last = entries
    if chunks:
        try:
            place, newest = ChunkPlace.parse(look.first_place), ChunkPlace.parse(look.last_place)
        except ValueError:
            yield Problem("place", f"the first is {look.first_place!r}, the last {look.last_place!r}")
            return
        if newest.last_seq != sealed_last or (first and first <= sealed_last):
            text = f"the last chunk ends at {newest.last_seq}, the record says {sealed_last}"
            yield Problem("seam", f"{text}, the stream begins at {first or 'nothing'}")
            return
        first, last = place.first_seq, last or sealed_last
    if (numbers["first_seq"], last_seq) != (first, last) or last > numbers["seq"]:
        text = f"the record says {numbers['first_seq']} to {last_seq}, given out up to {numbers['seq']}"
        yield Problem("ends", f"{text}; the messages are {first} to {last}")
    if not messages and numbers["bytes"]:
        yield Problem("bytes", f"the record counts {numbers['bytes']} bytes of no messages")


def _rooms(look: SessionLook) -> Iterator[Problem]:
    for room, suffixes in ROOMS.items():
        counted = number(look.fields.get(f"n:{room}", b"0"))
        if look.size(suffixes[0]) != counted:
            if look.size(suffixes[0]) >= 0:
                yield Problem("room", f"the record counts {counted} {room}, there are {look.size(suffixes[0])}")
            continue
        wanted = counted
        if room == "relationships":
            wanted = look.size("entities") + 2 * counted
        if len(suffixes) > 1 and room != "usage" and 0 <= look.size(suffixes[1]) != wanted:
            text = f"{room}: its index has {look.size(suffixes[1])} rows, {wanted} are needed"
            yield Problem("room-index", text)
    appended = look.size("usage") + max(number(look.fields.get("x:usage", b"0")), 0)
    if look.size("usage") >= 0 and max(number(look.usage_lines), 0) != appended:
        yield Problem("usage-sums", f"{appended} lines were appended, the sums speak of {number(look.usage_lines)}")


def _lists(look: SessionLook, numbers: Mapping[str, int], users: Sequence[str]) -> Iterator[Problem]:
    own = look.fields["user"].decode("utf-8", "backslashreplace")
    deadline = str(numbers["deadline_ms"]) if numbers["deadline_ms"] else ""
    if not (look.updated_ms or look.deadline_ms or look.listed or any(look.also_listed)):
        yield Problem("unlisted", "its record is there, and no list names it")
        return
    if look.updated_ms != str(numbers["updated_ms"]):
        yield Problem("by-updated", f"listed at {look.updated_ms or 'no time'}, last written {numbers['updated_ms']}")
    if look.deadline_ms != deadline:
        yield Problem("deadlines", f"listed at {look.deadline_ms or 'no time'}, its deadline is {deadline or 'never'}")
    if not look.listed:
        yield Problem("by-user", f"not listed under its user {own!r}")
    for user, is_there in zip(users, look.also_listed, strict=True):
        if is_there and user != own:
            yield Problem("by-user", f"listed under {user!r}, its user is {own!r}")


def _expiries(look: SessionLook, numbers: Mapping[str, int]) -> Iterator[Problem]:
    """All keys of a session expire together, a grace behind its deadline. What is earlier was told already."""
    deadline = numbers["deadline_ms"]
    mine = {suffix: key.expires_at_ms for suffix, key in look.keys.items() if suffix not in BESIDE}
    if not deadline or min(mine.values()) < deadline:
        return
    apart = [suffix for suffix, expires in mine.items() if abs(expires - mine[""]) > MOVED_MS_MAX]
    if apart:
        yield Problem("expiry", f"{', '.join(apart)}: does not expire when the record does")
        return
    grace = mine[""] - deadline
    is_waiting = look.now_ms >= deadline and WAITING_MS <= grace <= WAITING_MS * (1 + GRACE_SHARE_MAX) + MOVED_MS_MAX
    longest_ms = max(GRACE_MS_MIN, numbers["ttl_ms"] * GRACE_SHARE_MAX) + MOVED_MS_MAX
    if not is_waiting and not GRACE_MS_MIN <= grace <= longest_ms:
        yield Problem(
            "expiry", f"all its keys expire {grace} ms after the deadline, with a TTL of {numbers['ttl_ms']} ms"
        )


def _operations(look: SessionLook) -> Iterator[Problem]:
    for suffix in ("operations", "tombstone"):
        size = look.size(suffix)
        if size % 2 or (suffix == "operations" and size > OPERATIONS_MAX):
            yield Problem("operations", f"{suffix}: {size} items")
