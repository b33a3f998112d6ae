"""Reconciling: a shard's lists, links, totals and copy of the policy are made to agree with the records.

The rule of this module: the records are the truth, and a torn session is reported, never changed. Everything else could
be computed from them anew, and is, while others go on writing:

```
feed at n ─┬─ walk by-user ── reindex ── count ─┐
           ├─ walk by-updated, deadlines: ids   ├─▶ counts as of "n or later, who knows"
           │  that by-user does not have        │
           └─ changes since n: these ids ───────┘
feed at m ─── one view: totals, these ids counted again, totals, changes since n
              nothing moved between the two looks at the totals, and nobody else was changed up to m?
              then all counts are as of m exactly: totals at m − counts = how far the totals are off,
              and that is taken off them, whatever has been added since;   else: more ids, once more
links ─────── rows that a session's rooms lack were put back when it was compared; rows without their entry go
```
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import DecodeError, SessionCacheError
from sessioncache.maintenance.batch import BATCH, LEASE_TTL_MS, Batches, Progress, chunks
from sessioncache.maintenance.report import Report
from sessioncache.types import SessionId
from sessioncache.upkeep import ShardLease
from sessioncache.upkeep.models import COUNTED, LINKED_ROOMS, Counters, ListName, Reindexed, RoomPart, Totals, View

__all__ = ["run"]

JOB = "reconcile"
SETTLE_TRIES: Final = 50
"""How often the totals are tried while others write: each costs one round trip."""

RELINK_BATCH: Final = 100
"""About so many entries of a room are compared with the links by one script."""

POLICY_TRIES: Final = 5
NOTHING: Final[Counters] = (0,) * len(COUNTED)
LISTS: Final[tuple[ListName, ...]] = ("by-updated", "deadlines")


@dataclass(slots=True)
class _Count:
    """What the records of the shard hold."""

    newest: int
    """The change up to which the count is right at least."""
    sessions: dict[SessionId, Counters | None] = field(default_factory=dict)
    """What the record of every session counts; None: known to the lists, but gone."""
    torn: set[SessionId] = field(default_factory=set)

    def take(self, session_id: SessionId, found: Counters | SessionCacheError | None) -> None:
        """Note what a record says. A torn session is in the totals as long as something of it is there."""
        is_damaged = session_id in self.torn and found is None
        self.sessions[session_id] = NOTHING if is_damaged or isinstance(found, SessionCacheError) else found


async def run(
    cache: AsyncSessionCache,
    shard: int,
    *,
    limit: int,
    lease: ShardLease | None = None,
    lease_ttl_ms: int = LEASE_TTL_MS,
    progress: Progress | None = None,
) -> Report:
    """Repair a shard's lists and totals, and its copy of the policy, looking at `limit` sessions at most.

    The totals need the whole shard: they stay as they are where the limit is reached first, or where the shard never
    holds still (`unsettled`).

    Raises:
        LeaseLost: somebody else has taken the shard over; what was repaired stays repaired.
        BackendError: the server is away; running it again begins anew.
    """
    batches = Batches(cache, Report(JOB, shard), limit=limit, lease=lease, lease_ttl_ms=lease_ttl_ms, progress=progress)
    with batches.timed() as report:
        await _copy_policy(cache, shard, report)
        newest, _ = await cache.upkeep.changes(shard, after=0, limit=0)
        count = _Count(newest)
        whole = await _walk_users(cache, shard, batches, count) and await _walk_lists(cache, shard, batches, count)
        if not whole:
            report.done = False
            report.note("the limit was reached before the end of the shard: its totals were not compared")
            return report
        await _settle(cache, shard, batches, count)
        await _walk_links(cache, shard, batches)
        return report


async def _copy_policy(cache: AsyncSessionCache, shard: int, report: Report) -> None:
    """Copy the namespace's policy to the shard. Somebody may save a newer one meanwhile, so look again afterwards."""
    for _ in range(POLICY_TRIES):
        wanted = await cache.retention.get()
        if await cache.upkeep.policy(shard) == wanted:
            return
        await cache.upkeep.save_policy(shard, wanted)
        report.changed += 1
        report.add("policy")


async def _walk_users(cache: AsyncSessionCache, shard: int, batches: Batches, count: _Count) -> bool:
    """Compare every session of the list by user; whether the end was reached."""
    after = ""
    while batches.room:
        entries = await cache.upkeep.by_user(shard, after=after, limit=batches.room)
        if not entries:
            return True
        after = entries[-1][0]
        # One id may stand there under several users; each is compared by itself.
        remaining = [(session_id, user) for _entry, user, session_id in entries]
        while remaining:
            listed = dict(remaining)
            remaining = [pair for pair in remaining if listed[pair[0]] != pair[1]]
            await _compare(cache, shard, batches, count, listed)
        await batches.ended()
    return not await cache.upkeep.by_user(shard, after=after, limit=1)


async def _walk_lists(cache: AsyncSessionCache, shard: int, batches: Batches, count: _Count) -> bool:
    """Compare sessions that the other lists have and the list by user had not; whether the end was reached."""
    for index in LISTS:
        cursor = 0
        while True:
            cursor, found = await cache.upkeep.listed(shard, index, cursor=cursor, limit=BATCH)
            unknown = dict.fromkeys(session_id for session_id in found if session_id not in count.sessions)
            for chunk in chunks(unknown):
                if len(chunk) > batches.room:
                    return False
                await _compare(cache, shard, batches, count, dict.fromkeys(chunk))
                await batches.ended()
            if cursor == 0:
                break
    return True


async def _compare(
    cache: AsyncSessionCache, shard: int, batches: Batches, count: _Count, listed: Mapping[SessionId, str | None]
) -> None:
    """Make the lists agree with these records, and count them."""
    report = batches.report
    report.examined += len(listed)
    mine = batches.own(listed, shard)
    users = {session_id: listed[session_id] for session_id in mine}
    results: Sequence[Reindexed | SessionCacheError] = await cache.upkeep.reindex(shard, users, lease=batches.lease)
    count.torn.update(mine)
    for session_id, reindexed in batches.sound(mine, results):
        if reindexed.state == "torn":
            report.add("torn")
            report.note(f"{session_id!r} is torn: its record disagrees with its transcript or a room")
            continue
        count.torn.discard(session_id)
        report.changed += bool(reindexed.repaired)
        for name in reindexed.repaired:
            report.add(name)
    await _count(cache, count, mine)
    await _relink(cache, shard, batches, count, mine)


async def _relink(
    cache: AsyncSessionCache, shard: int, batches: Batches, count: _Count, session_ids: list[SessionId]
) -> None:
    """Put back what the shard's links lack of what these sessions have, a part of each room in two round trips."""
    parts = [
        RoomPart(session_id, room)
        for session_id in session_ids
        for room in LINKED_ROOMS
        if session_id not in count.torn and (count.sessions[session_id] or NOTHING)[COUNTED.index(room)]
    ]
    while parts:
        now, later = parts[:BATCH], parts[BATCH:]
        found: list[tuple[RoomPart, list[str]]] = []
        for part, result in zip(now, await cache.upkeep.things(now, limit=RELINK_BATCH), strict=True):
            for _session_id, (following, things) in batches.sound([part.session_id], [result]):
                found.append((part, things))
                if following:
                    later.append(replace(part, cursor=following))
        named = [part.session_id for part, _things in found]
        for _session_id, added in batches.sound(named, await cache.upkeep.relink(shard, found, lease=batches.lease)):
            batches.report.add("links", added)
            batches.report.changed += bool(added)
        parts = later


async def _walk_links(cache: AsyncSessionCache, shard: int, batches: Batches) -> None:
    """Remove rows of the links whose sessions are gone, or do not have what they say; 500 rows a round trip."""
    after = ""
    while rows := await cache.upkeep.linked(shard, after=after, limit=BATCH):
        after = rows[-1][0]
        named: dict[SessionId, list[str]] = {session_id: [] for _row, session_id in rows}
        for row, session_id in rows:
            named[session_id].append(row)
        mine = batches.own(named, shard)
        results = await cache.upkeep.unlink(
            shard, {session_id: named[session_id] for session_id in mine}, lease=batches.lease
        )
        for _session_id, removed in batches.sound(mine, results):
            batches.report.add("links", removed)
            batches.report.changed += bool(removed)
        await batches.ended()


async def _count(cache: AsyncSessionCache, count: _Count, session_ids: list[SessionId]) -> None:
    for session_id, found in zip(session_ids, await cache.upkeep.counters(session_ids), strict=True):
        count.take(session_id, found)


async def _settle(cache: AsyncSessionCache, shard: int, batches: Batches, count: _Count) -> None:
    """Correct the totals by how far they are off at a moment for which the count is exact."""
    report = batches.report
    recent: dict[SessionId, None] = {}
    """Sessions that were changed lately: each view reads them again."""
    for _ in range(SETTLE_TRIES):
        try:
            view = await cache.upkeep.view(shard, list(recent), after=count.newest, limit=BATCH)
        except DecodeError as error:
            report.note(str(error))
            break
        await batches.ended()
        for session_id, found in zip(recent, view.counters, strict=True):
            count.take(session_id, found)
        if view.newest != count.newest and (not view.changes or view.changes[0].number != count.newest + 1):
            report.note("more was changed during the count than the feed remembers")
            break
        if _is_exact(view, recent) and await _correct(cache, shard, batches, count, view.totals):
            return
        changed = dict.fromkeys(change.session_id for change in view.changes)
        # Nothing but a removal changes a torn session, so what was seen of it before is not true any more.
        count.torn.difference_update(changed)
        count.newest = view.changes[-1].number if view.changes else count.newest
        # All others were read after their last change, so they may be left out where there are too many.
        recent = recent | changed if len(recent | changed) <= BATCH else changed
    report.done = False
    report.add("unsettled")


def _is_exact(view: View, recent: Container[SessionId]) -> bool:
    """Whether the count is right as of the view: what was changed before it was read in it, at one moment."""
    unread = [change for change in view.changes if change.session_id not in recent]
    seen = view.changes[-1].number if view.changes else view.newest
    return (
        view.still and seen >= view.totals.feed_seq and all(change.number > view.totals.feed_seq for change in unread)
    )


async def _correct(cache: AsyncSessionCache, shard: int, batches: Batches, count: _Count, totals: Totals) -> bool:
    """Add what the totals lack; False if somebody else has corrected them meanwhile."""
    held = [found for found in count.sessions.values() if found is not None]
    lacking = {"sessions": len(held) - totals.sessions}
    for name, total, *counts in zip(COUNTED, totals.counted, *held, strict=True):
        lacking[name] = sum(counts) - total
    lacking = {name: value for name, value in lacking.items() if value}
    if not lacking:
        return True
    if not await cache.upkeep.settle(shard, settled=totals.settled, lacking=lacking, lease=batches.lease):
        return False
    batches.report.changed += 1
    batches.report.add("totals")
    shown = ", ".join(f"{name} by {-value:+d}" for name, value in lacking.items())
    batches.report.note(f"the totals of shard {shard} were off: {shown}")
    return True
