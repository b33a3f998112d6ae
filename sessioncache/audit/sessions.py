"""Looking at sessions: record, keys and lists at one moment, contents between two looks.

The rule of this module: nothing is reported that was seen once. A session that looks wrong is looked at again, and its
contents count only where nobody wrote between the look before and the look behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sessioncache.audit.kinds import KINDS
from sessioncache.audit.records import counters_of, has_keys, is_overdue, judge_look, number
from sessioncache.audit.report import Problem
from sessioncache.audit.rooms import fields_of, judge_rooms, things_of
from sessioncache.audit.transcripts import Tally, judge_transcript
from sessioncache.audit.work import Work
from sessioncache.errors import SessionCacheError
from sessioncache.inspection import SessionLook
from sessioncache.maintenance.batch import chunks
from sessioncache.maintenance.counting import ShardCount
from sessioncache.types import SessionId
from sessioncache.upkeep.models import LINKED_ROOMS

__all__ = ["SIDE_BY_SIDE", "ShardSessions", "judge_sessions"]

SIDE_BY_SIDE: Final = 32
"""Sessions whose contents are read at a time."""

CONTENT_TRIES: Final = 5
"""How often contents are read anew where others write meanwhile."""

LINKS_PAGE: Final = 250

HARMLESS: Final = frozenset(
    {"by-updated", "by-user", "deadlines", "unlisted", "expiry", "operations", "session-lease", "misplaced"}
)
"""What says nothing about a session's contents, so that these are worth reading."""


@dataclass(slots=True)
class ShardSessions:
    """What is known of a shard's sessions."""

    shard: int
    count: ShardCount
    vanished: set[SessionId] = field(default_factory=set)
    """Those that the server expired by itself."""
    is_torn: bool = False
    """Whether there are some of which nobody knows what they count for."""


async def judge_sessions(work: Work, known: ShardSessions, users: Mapping[SessionId, Sequence[str]]) -> None:
    """Look at sessions of a shard.

    Args:
        work: the audit.
        known: what is known of the shard; added to.
        users: ids, each with users under whom it was found listed.
    """
    keys, shard = work.cache.keys, known.shard
    work.report.sessions += len(users)
    mine = {name: users[name] for name in users if keys.shard_of(name) == shard}
    await _misplaced(work, shard, {name: users[name] for name in users if name not in mine})
    looks = await _looks(work, shard, mine)
    sound: list[tuple[SessionId, SessionLook]] = []
    for name, look in looks.items():
        problems = await _confirmed(work, shard, name, look, mine[name])
        for problem in problems:
            work.report.add(problem, shard=shard, session=name)
        known.is_torn |= any(KINDS[problem.kind].is_torn for problem in problems)
        _count(work, known, name, look)
        if "gen" in look.fields and all(problem.kind in HARMLESS for problem in problems):
            sound.append((name, look))
    for part in chunks(sound, SIDE_BY_SIDE):
        await asyncio.gather(*(_contents(work, known, name, look) for name, look in part))


def _count(work: Work, known: ShardSessions, name: SessionId, look: SessionLook) -> None:
    """Note what the session counts for."""
    if has_keys(look):
        if not look.fields:
            known.count.torn.add(name)
        known.count.take(name, counters_of(look))
        work.report.overdue += is_overdue(look)
        return
    known.count.take(name, None)
    if 0 < number(look.deadline_ms) <= look.now_ms:
        known.vanished.add(name)
        work.report.vanished += 1


async def _looks(work: Work, shard: int, users: Mapping[SessionId, Sequence[str]]) -> dict[SessionId, SessionLook]:
    found = await work.cache.inspection.look(shard, users) if users else []
    for look in found:
        if isinstance(look, SessionCacheError):
            raise look
    return {name: look for name, look in zip(users, found, strict=True) if isinstance(look, SessionLook)}


async def _confirmed(work: Work, shard: int, name: SessionId, look: SessionLook, users: Sequence[str]) -> list[Problem]:
    """What is wrong with a session, and still is at a second look."""
    keys, shards = work.cache.inspection.keys_of(shard, name), work.cache.keys.shards
    problems = list(judge_look(look, keys, shards=shards, users=users))
    if not problems:
        return []
    again = (await _looks(work, shard, {name: users}))[name]
    lasting = {problem.kind for problem in judge_look(again, keys, shards=shards, users=users)}
    return [problem for problem in problems if problem.kind in lasting]


async def _misplaced(work: Work, shard: int, users: Mapping[SessionId, Sequence[str]]) -> None:
    """Ids that a list of this shard has, or keys that lie in it, of sessions of another one."""
    for name, look in (await _looks(work, shard, users)).items():
        if has_keys(look) or look.updated_ms or look.deadline_ms or any(look.also_listed):
            where = "its keys lie" if has_keys(look) else "it is listed"
            text = f"{where} in shard {shard}, it belongs in shard {work.cache.keys.shard_of(name)}"
            work.report.add(Problem("misplaced", text), shard=shard, session=name)


async def _contents(work: Work, known: ShardSessions, name: SessionId, look: SessionLook) -> None:
    """Read all that a session holds, and judge it if nobody wrote meanwhile."""
    keys = work.cache.inspection.keys_of(known.shard, name)
    if work.contents:
        for _ in range(CONTENT_TRIES):
            tally = Tally()
            await judge_transcript(work.cache.inspection, keys, look, tally)
            await judge_rooms(work.cache.inspection, keys, look, tally)
            if await work.cache.inspection.stamp(keys) == look.stamp:
                _take(work, known, name, tally)
                break
            look = (await _looks(work, known.shard, {name: ()}))[name]
            if "gen" not in look.fields:
                return
        else:
            work.report.busy += 1
    await _no_links(work, known.shard, name, look)


def _take(work: Work, known: ShardSessions, name: SessionId, tally: Tally) -> None:
    work.report.messages += tally.messages
    work.report.unread += tally.unread
    # A payload may be damaged in many places; a person needs to know of the session, once for each kind.
    for problem in {problem.kind: problem for problem in reversed(tally.problems)}.values():
        work.report.add(problem, shard=known.shard, session=name)
        known.is_torn |= KINDS[problem.kind].is_torn


async def _no_links(work: Work, shard: int, name: SessionId, look: SessionLook) -> None:
    """Entries that the shard's links have no row for, though the session has them at the moment of the question."""
    keys = work.cache.inspection.keys_of(shard, name)
    missing: list[str] = []
    for room in LINKED_ROOMS:
        if look.size(room) <= 0:
            continue
        async for fields in fields_of(work.cache.inspection, keys.room(room)[0]):
            for rows in chunks([row + keys.escaped for row in things_of(room, fields)], LINKS_PAGE):
                (states,) = await work.cache.inspection.links(shard, {name: rows})
                if isinstance(states, SessionCacheError):
                    raise states
                missing += [row for row, state in zip(rows, states, strict=True) if state == HAS_WITHOUT_ROW]
    if missing:
        shown = missing[0].replace("\0", " ")
        work.report.add(
            Problem("no-link", f"{len(missing)} rows are missing, the first: {shown}"), shard=shard, session=name
        )


HAS_WITHOUT_ROW: Final = 2
"""As `inspection/links.lua` answers."""
