"""The proof: what was read back, beside what was written.

The rule of this module: `judge` is a plain function of two values, so that tests can hand it damage; `collect` only
reads.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import DataError
from sessioncache.sessions.models import Session, SessionSummary
from sessioncache.stats.models import NamespaceStats
from sessioncache.types import Order

__all__ = ["Evidence", "Expected", "collect", "judge"]

READERS = 16


@dataclass
class Expected:
    """What must be in Redis of one session."""

    id: str
    user: str | None
    messages: Sequence[bytes]
    title: str | None = None
    title_version: int = 0
    pinned: bool = False
    metadata_version: int = 0


@dataclass
class Evidence:
    """What was found."""

    transcripts: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    """Sequence number and stored bytes of every message."""
    records: dict[str, Session] = field(default_factory=dict)
    newest: list[SessionSummary] = field(default_factory=list)
    oldest: list[SessionSummary] = field(default_factory=list)
    count: int = 0
    stats: NamespaceStats | None = None
    damaged: list[str] = field(default_factory=list)
    """Sessions that cannot be read, and why."""


async def collect(cache: AsyncSessionCache, session_ids: Sequence[str]) -> Evidence:
    """Read everything back."""
    evidence = Evidence()
    gate = asyncio.Semaphore(READERS)

    async def read(session_id: str) -> None:
        async with gate:
            try:
                session = await cache.sessions.get(session_id)
                entries = [(entry.seq, entry.payload) async for entry in cache.transcripts.each(session_id)]
            except DataError as error:
                evidence.damaged.append(f"{session_id}: cannot be read: {error}")
                return
            if session is not None:
                evidence.records[session_id] = session
                evidence.transcripts[session_id] = entries

    await asyncio.gather(*map(read, session_ids))
    evidence.newest = await _list(cache, "newest")
    evidence.oldest = await _list(cache, "oldest")
    evidence.count = await cache.sessions.count()
    evidence.stats = await cache.stats.get()
    return evidence


async def _list(cache: AsyncSessionCache, order: Order) -> list[SessionSummary]:
    """All pages of a list."""
    found: list[SessionSummary] = []
    cursor: str | None = None
    while True:
        page = await cache.sessions.list(order=order, limit=50, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def judge(expected: Mapping[str, Expected], evidence: Evidence) -> list[str]:
    """What is missing, doubled, out of order, altered, or does not add up; empty if all is well."""
    problems = list(evidence.damaged)
    for session_id, item in expected.items():
        record = evidence.records.get(session_id)
        if record is None:
            if not any(text.startswith(f"{session_id}: ") for text in evidence.damaged):
                problems.append(f"{session_id}: the session is missing")
            continue
        problems += [f"{session_id}: {text}" for text in _messages(item, evidence.transcripts[session_id])]
        problems += [f"{session_id}: {text}" for text in _record(item, record)]
    problems += _lists(expected, evidence)
    problems += _totals(expected, evidence)
    return problems


def _messages(item: Expected, found: Sequence[tuple[int, bytes]]) -> list[str]:
    payloads = [payload for _, payload in found]
    numbers = [number for number, _ in found]
    problems: list[str] = []
    if numbers != list(range(1, len(numbers) + 1)):
        problems.append("the messages are not numbered 1, 2, 3 …")
    if payloads == list(item.messages):
        return problems
    wanted, there = Counter(item.messages), Counter(payloads)
    missing, extra = (wanted - there).total(), there - wanted
    doubled = sum(number for payload, number in extra.items() if payload in wanted)
    foreign = extra.total() - doubled
    if missing:
        problems.append(f"{missing} of {len(item.messages)} messages are missing")
    if doubled:
        problems.append(f"{doubled} messages are there more than once")
    if foreign:
        problems.append(f"{foreign} messages are there that nobody wrote so: altered or foreign")
    if not missing and not extra:
        problems.append("the messages are out of order")
    return problems


def _record(item: Expected, record: Session) -> list[str]:
    wanted = {
        "title": item.title,
        "pinned": item.pinned,
        "title_version": item.title_version,
        "metadata_version": item.metadata_version,
        "status": "done",
        "messages": len(item.messages),
        "bytes": sum(map(len, item.messages)),
    }
    if item.user is not None:
        wanted["user"] = item.user
    found = {name: getattr(record, name) for name in wanted}
    return [
        f"{name} is {found[name]!r}, it should be {value!r}" for name, value in wanted.items() if found[name] != value
    ]


def _lists(expected: Mapping[str, Expected], evidence: Evidence) -> list[str]:
    problems: list[str] = []
    for order, found in (("newest", evidence.newest), ("oldest", evidence.oldest)):
        ids = Counter(summary.id for summary in found)
        problems += [f"the list, {order} first, lacks {session_id}" for session_id in expected if session_id not in ids]
        problems += [f"the list, {order} first, has {name} {times} times" for name, times in ids.items() if times > 1]
        problems += [f"the list, {order} first, has the foreign session {name}" for name in ids if name not in expected]
        times = [summary.updated_at for summary in found]
        if times != sorted(times, reverse=order == "newest"):
            problems.append(f"the list, {order} first, is not in the order of its times")
        for summary in found:
            record = evidence.records.get(summary.id)
            if record is not None and (summary.title, summary.pinned, summary.messages, summary.bytes) != (
                record.title,
                record.pinned,
                record.messages,
                record.bytes,
            ):
                problems.append(f"the list, {order} first, and the record of {summary.id} disagree")
    return problems


def _totals(expected: Mapping[str, Expected], evidence: Evidence) -> list[str]:
    wanted = {
        "sessions": len(expected),
        "messages": sum(len(item.messages) for item in expected.values()),
        "bytes": sum(sum(map(len, item.messages)) for item in expected.values()),
    }
    problems: list[str] = []
    if evidence.count != wanted["sessions"]:
        problems.append(f"the count says {evidence.count} sessions, there should be {wanted['sessions']}")
    for name, value in wanted.items():
        found = getattr(evidence.stats, name, None)
        if found != value:
            problems.append(f"the totals say {found} {name}, there should be {value}")
    return problems
