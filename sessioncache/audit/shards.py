"""Looking at a shard: its own keys, its lists with every session they name, its links, its totals.

The rule of this module: what belongs together is asked in one script, and what cannot be is asked again before it is
reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from sessioncache.audit.records import number
from sessioncache.audit.report import Problem
from sessioncache.audit.rooms import fields_of
from sessioncache.audit.sessions import ShardSessions, judge_sessions
from sessioncache.audit.work import Work
from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.inspection import ShardLook
from sessioncache.maintenance.batch import chunks
from sessioncache.maintenance.counting import ShardCount, exact_views
from sessioncache.retention.models import RetentionPolicy
from sessioncache.sealing.chunks import dictionary_id
from sessioncache.sealing.dictionaries import unpack_dictionary
from sessioncache.types import SessionId
from sessioncache.upkeep.models import ListName, Totals
from sessioncache.wire.key_rules import FoundKey, judge_keys
from sessioncache.wire.keys import unescape

__all__ = ["audit_shard"]

BATCH: Final = 200
"""Sessions in one round trip."""

ROWS: Final = 500
POLICY_TRIES: Final = 3
POLICY_PAUSE_S: Final = 0.2
LISTS: Final[dict[ListName, str]] = {"by-updated": "by_updated", "deadlines": "deadlines"}
PARTS: Final = {"c": 3, "w": 3, "f": 3, "p": 4}
"""How many parts a row of the links has, by its kind."""
DEPENDENT_PARTS: Final = 5
ROW_WITHOUT_THING: Final = 1
"""As `inspection/links.lua` answers."""


async def audit_shard(work: Work, shard: int) -> bool:
    """Look at all of a shard; whether the limit let it."""
    look = await work.cache.inspection.shard(shard)
    wrong = await _own_keys(work, shard, look)
    if wrong & {"totals", "feed"}:
        known = ShardSessions(shard, ShardCount(0), is_torn=True)
    else:
        newest, _ = await work.cache.upkeep.changes(shard, after=0, limit=0)
        known = ShardSessions(shard, ShardCount(newest))
    if not await _sessions(work, known, wrong):
        return False
    if "links" not in wrong:
        await _links(work, known)
    if "dependents" not in wrong:
        await _dependents(work, shard)
    if "dictionaries" not in wrong:
        await _dictionaries(work, shard)
    await _leases(work, shard)
    if "policy" not in wrong:
        await _policy(work, shard)
    await _totals(work, known)
    return True


async def _own_keys(work: Work, shard: int, look: ShardLook) -> set[str]:
    """Judge the shard's own keys; the names of those that are of a wrong type."""
    keys = work.cache.keys.shard(shard)
    found = [FoundKey(getattr(keys, name), kind, pttl, pttl) for name, (kind, pttl) in look.keys.items()]
    names = {str(getattr(keys, name)): name for name in look.keys}
    problems = list(judge_keys(found, shards=work.cache.keys.shards))
    for problem in problems:
        if problem.rule in {"type", "expiry"}:
            work.report.add(Problem(problem.rule, str(problem)), shard=shard)
    wrong = {names[problem.key] for problem in problems if problem.rule == "type"}
    if not wrong & {"totals", "feed"}:
        for told in _feed(look):
            work.report.add(told, shard=shard)
        for told in _numbers(look):
            work.report.add(told, shard=shard)
    return wrong


def _feed(look: ShardLook) -> Iterator[Problem]:
    counted = max(number(look.totals.get("feed_seq", b"0")), 0)
    if counted != look.feed_last:
        yield Problem("feed-head", f"change {counted} was counted last, the newest in the feed is {look.feed_last}")
    elif look.feed_last and look.feed_last - look.feed_first + 1 != look.feed_length:
        text = f"{look.feed_first} to {look.feed_last} should be {look.feed_last - look.feed_first + 1} changes"
        yield Problem("feed-gap", f"{text}, there are {look.feed_length}")


def _numbers(look: ShardLook) -> Iterator[Problem]:
    wrong = [name for name in Totals.FIELDS if number(look.totals.get(name, b"0")) < 0]
    if wrong:
        yield Problem("totals", f"no number, or less than nothing: {', '.join(wrong)}")


async def _sessions(work: Work, known: ShardSessions, wrong: set[str]) -> bool:
    """Look at every session that any list, or the walk over the keys, knows; whether the limit let it."""
    seen: set[SessionId] = set()
    if "by_user" not in wrong and not await _by_user(work, known, seen):
        return False
    for index, name in LISTS.items():
        cursor = 0
        while name not in wrong:
            cursor, found = await work.cache.upkeep.listed(known.shard, index, cursor=cursor, limit=BATCH)
            if not await _batch(work, known, seen, {session_id: () for session_id in found if session_id not in seen}):
                return False
            if cursor == 0:
                break
    extra = {session_id: () for session_id in work.extra.get(known.shard, ()) if session_id not in seen}
    return await _batch(work, known, seen, extra)


async def _by_user(work: Work, known: ShardSessions, seen: set[SessionId]) -> bool:
    after = ""
    while entries := await work.cache.upkeep.by_user(known.shard, after=after, limit=BATCH):
        after = entries[-1][0]
        users: dict[SessionId, list[str]] = {}
        for _entry, user, session_id in entries:
            users.setdefault(session_id, []).append(user)
        # One that is listed a second time, under another user, is looked at a second time for that alone.
        again = {name: named for name, named in users.items() if name in seen}
        for name, named in again.items():
            await _second_user(work, known.shard, name, named)
        if not await _batch(work, known, seen, {name: tuple(users[name]) for name in users if name not in again}):
            return False
    return True


async def _second_user(work: Work, shard: int, name: SessionId, users: list[str]) -> None:
    (look,) = await work.cache.inspection.look(shard, {name: users})
    if isinstance(look, SessionCacheError):
        raise look
    own = look.fields.get("user", b"").decode("utf-8", "replace")
    for user, is_there in zip(users, look.also_listed, strict=True):
        if is_there and user != own:
            work.report.add(
                Problem("by-user", f"listed under {user!r}, its user is {own!r}"), shard=shard, session=name
            )


async def _batch(
    work: Work, known: ShardSessions, seen: set[SessionId], users: Mapping[SessionId, tuple[str, ...]]
) -> bool:
    """Look at sessions in parts; whether the limit let it."""
    for part in chunks(users, BATCH):
        if len(part) > work.room:
            return False
        seen.update(part)
        before = work.report.messages
        await judge_sessions(work, known, {name: users[name] for name in part})
        await work.ended(len(part) + (work.report.messages - before) // ROWS)
    return True


async def _links(work: Work, known: ShardSessions) -> None:
    """Rows whose sessions are gone, or do not have what they say."""
    after, shard, keys = "", known.shard, work.cache.keys
    while rows := await work.cache.upkeep.linked(shard, after=after, limit=ROWS):
        after = rows[-1][0]
        named: dict[SessionId, list[str]] = {}
        for row, session_id in rows:
            parts = row.split("\0")
            if PARTS.get(parts[0], len(parts)) != len(parts):
                work.report.add(Problem("stale-link", f"no row of its kind: {row!r}"), shard=shard)
            elif keys.shard_of(session_id) != shard:
                work.report.add(
                    Problem("misplaced", f"a link of shard {shard} names it"), shard=shard, session=session_id
                )
            elif session_id not in known.vanished:
                named.setdefault(session_id, []).append(row)
        for (session_id, wanted), states in zip(
            named.items(), await work.cache.inspection.links(shard, named), strict=True
        ):
            if isinstance(states, SessionCacheError):
                work.report.note(f"links of {session_id!r} could not be judged: {states}")
                continue
            stale = [row for row, state in zip(wanted, states, strict=True) if state == ROW_WITHOUT_THING]
            if stale:
                text = f"{len(stale)} rows, the first: {stale[0]!r}"
                work.report.add(Problem("stale-link", text), shard=shard, session=session_id)
        await work.ended(len(rows) // 10)


async def _dependents(work: Work, shard: int) -> None:
    key, cursor = work.cache.keys.shard(shard).dependents, 0
    while True:
        cursor, rows = await work.cache.inspection.members(key, cursor=cursor, limit=ROWS)
        for row in rows:
            if row.count(b"\0") != DEPENDENT_PARTS - 1:
                work.report.add(Problem("dependents", f"{unescape(row)!r}"), shard=shard)
        if cursor == 0:
            return


async def _dictionaries(work: Work, shard: int) -> None:
    async for found in fields_of(work.cache.inspection, work.cache.keys.shard(shard).dictionaries):
        for name, stored in found.items():
            try:
                is_right = dictionary_id(unpack_dictionary(stored)).encode() == name
            except ValueError:
                is_right = False
            if not is_right:
                work.report.add(
                    Problem("dictionary", f"{name.decode('ascii', 'replace')} of shard {shard}"), shard=shard
                )


async def _leases(work: Work, shard: int) -> None:
    for key in work.leases.get(shard, ()):
        try:
            await work.cache.inspection.lease(key)
        except (ValueError, SessionCacheError) as error:
            if isinstance(error, SessionCacheError) and error.retryable:
                raise
            work.report.add(Problem("lease", f"{key}: {error}"), shard=shard)


async def _policy(work: Work, shard: int) -> None:
    """Compare the shard's copy with the namespace's policy; whoever saves one writes the two one after the other."""
    told = ""
    for tried in range(POLICY_TRIES):
        try:
            wanted = await work.cache.retention.get()
        except DecodeError:
            return
        try:
            copy: RetentionPolicy = await work.cache.upkeep.policy(shard)
        except DecodeError as error:
            told = str(error)
        else:
            if copy == wanted:
                return
            fields = [name for name in RetentionPolicy.model_fields if getattr(copy, name) != getattr(wanted, name)]
            told = ", ".join(f"{name} is {getattr(copy, name)}, not {getattr(wanted, name)}" for name in fields)
        if tried < POLICY_TRIES - 1:
            await asyncio.sleep(POLICY_PAUSE_S)
    work.report.add(Problem("policy", told), shard=shard)


async def _totals(work: Work, known: ShardSessions) -> None:
    """Compare the totals with the sum of the records, as of a moment at which both are known."""
    shard, notes = known.shard, [f"shard {known.shard} never held still"]
    if known.is_torn:
        work.report.note(
            f"the totals of shard {shard} were not judged: nobody knows what its damaged sessions count for"
        )
        return

    async def ended() -> None:
        await work.ended(1)

    async for view in exact_views(work.cache, shard, known.count, ended=ended, note=notes.append):
        lacking = known.count.lacking(view.totals)
        if known.vanished:
            # They count until they are swept, and their messages until the totals are set right.
            lacking["sessions"] = lacking.get("sessions", 0) + len(known.vanished)
            lacking = {name: value for name, value in lacking.items() if value > 0 or (name == "sessions" and value)}
        if lacking:
            text = ", ".join(f"{name} by {-value:+d}" for name, value in lacking.items())
            work.report.add(Problem("totals", f"off: {text}"), shard=shard)
        return
    work.report.unsettled.append(shard)
    work.report.note(
        f"the totals of shard {shard} could not be judged: {notes[-1]}; audit it again with --shard {shard}"
    )
