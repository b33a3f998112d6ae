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

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import AccessDenied, DecodeError, ScriptFailure, SessionCacheError
from sessioncache.maintenance.batch import BATCH, Batches, RunOptions, number_of
from sessioncache.maintenance.counting import NOTHING, ShardCount, exact_views
from sessioncache.maintenance.links import remove_dead_links
from sessioncache.maintenance.report import Report
from sessioncache.maintenance.tally import LINKS, USERS, Place, ShardTally
from sessioncache.types import SessionId
from sessioncache.upkeep.models import COUNTED, LINKED_ROOMS, ListName, Reindexed, RoomPart, SealedSize, Totals

__all__ = ["run"]

JOB = "reconcile"
RELINK_BATCH: Final = 100
"""About so many entries of a room are compared with the links by one script."""

POLICY_TRIES: Final = 5
NO_CHANGE: Final = 2**53 - 2
"""No change has a number beyond this one."""
PAGES: Final = 20
"""After so many pages of a list it is kept how far the walk has come."""

TOTALS: Final = "totals"
LISTS: Final[tuple[ListName, ...]] = ("by-updated", "deadlines")


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """Repair a shard's lists and totals, and its copy of the policy, looking at `limit` sessions at most.

    The totals need the whole shard: they stay as they are where the limit is reached first, or where the shard never
    holds still (`unsettled`).

    Raises:
        LeaseLost: somebody else has taken the shard over; what was repaired stays repaired.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        await _copy_policy(cache, shard, batches)
        await _mend_totals(cache, shard, batches)
        tally = ShardTally(cache, shard, batches)
        await tally.begin()
        count = tally.count
        if not await _walk(cache, shard, batches, tally):
            report.done = False
            report.note("the limit was reached before the end of the shard: its totals were not compared")
            return report
        sealed = sum(count.sealed.values(), start=SealedSize())
        report.seen = {"torn": len(count.torn), "sealed": sealed.messages}
        report.seen |= {"sealed_from_bytes": sealed.from_bytes, "sealed_bytes": sealed.bytes}
        begun = tally.place
        if begun.list != LINKS:
            await _settle(cache, shard, batches, count)
            await tally.passed(Place(LINKS))
        await remove_dead_links(
            cache,
            shard,
            batches,
            after=begun.at if begun.list == LINKS else "",
            reached=lambda row: tally.keep(Place(LINKS, row)),
        )
        await tally.end()
        return report


async def _copy_policy(cache: AsyncSessionCache, shard: int, batches: Batches) -> None:
    """Copy the namespace's policy to the shard. Somebody may save a newer one meanwhile, so look again afterwards."""
    for _ in range(POLICY_TRIES):
        wanted = await cache.retention.get()
        try:
            copy = await cache.upkeep.policy(shard)
        except DecodeError:
            copy = None
        if copy == wanted:
            return
        batches.report.changed += 1
        batches.report.add("policy")
        if batches.dry_run:
            return
        await cache.upkeep.save_policy(shard, wanted)


async def _mend_totals(cache: AsyncSessionCache, shard: int, batches: Batches) -> None:
    """Have totals that hold no number begin anew, for nothing can be added to them; they are counted afterwards."""
    totals = (await cache.upkeep.view(shard, after=NO_CHANGE, limit=1)).totals
    if not totals.damaged:
        return
    batches.report.changed += 1
    batches.report.add("totals")
    batches.report.note(f"totals of shard {shard} held no number: {', '.join(totals.damaged)}")
    if not batches.dry_run:
        lacking = dict.fromkeys(totals.damaged, 0)
        await cache.upkeep.settle(shard, settled=totals.settled, lacking=lacking, lease=batches.lease)


async def _walk(cache: AsyncSessionCache, shard: int, batches: Batches, tally: ShardTally) -> bool:
    """Compare and count every session that any list has, from where the run began; whether the end was reached."""
    begun = tally.place
    if begun.list == USERS and not await _walk_users(cache, shard, batches, tally):
        return False
    if begun.list in (USERS, *LISTS):
        node = "" if batches.dry_run else await _node_of(cache, shard)
        for index in LISTS[LISTS.index(begun.list) if begun.list in LISTS else 0 :]:
            # Another server goes through its lists in another order.
            is_here = begun.list == index and node and begun.node == node
            cursor = number_of(begun.at) if is_here else 0
            if not await _walk_list(cache, shard, batches, tally, Place(index, str(cursor), node)):
                return False
        await tally.passed(Place(TOTALS))
    return True


async def _node_of(cache: AsyncSessionCache, shard: int) -> str:
    """Which server has the shard; empty: it does not say."""
    try:
        return (await cache.upkeep.memory(shard)).node
    except (AccessDenied, ScriptFailure):
        return ""


async def _walk_users(cache: AsyncSessionCache, shard: int, batches: Batches, tally: ShardTally) -> bool:
    """Compare every session of the list by user behind where the run began; whether the end was reached."""
    after = tally.place.at
    while size := batches.room:
        entries = await cache.upkeep.by_user(shard, after=after, limit=size)
        if not entries:
            return True
        after = entries[-1][0]
        # One id may stand there under several users; each is compared by itself.
        remaining = [(session_id, user) for _entry, user, session_id in entries]
        while remaining:
            listed = dict(remaining)
            remaining = [pair for pair in remaining if listed[pair[0]] != pair[1]]
            await _compare(cache, shard, batches, tally.count, listed)
        await batches.ended()
        if len(entries) < size:
            return True
        await tally.reached(Place(USERS, after))
    await tally.keep(Place(USERS, after))
    return not await cache.upkeep.by_user(shard, after=after, limit=1)


async def _walk_list(cache: AsyncSessionCache, shard: int, batches: Batches, tally: ShardTally, place: Place) -> bool:
    """Compare sessions that another list has and no list before had; whether its end was reached."""
    index: ListName = "by-updated" if place.list == "by-updated" else "deadlines"
    cursor = number_of(place.at)
    for page in itertools.count(1):
        before = cursor
        cursor, found = await cache.upkeep.listed(shard, index, cursor=cursor, limit=BATCH)
        unknown = list(dict.fromkeys(session_id for session_id in found if session_id not in tally.count.compared))
        while unknown:
            size = batches.room
            if not size:
                await tally.keep(replace(place, at=str(before)))
                return False
            await _compare(cache, shard, batches, tally.count, dict.fromkeys(unknown[:size]))
            await batches.ended()
            unknown = unknown[size:]
        if cursor == 0:
            break
        if page % PAGES == 0:
            await batches.ended()
            await tally.keep(replace(place, at=str(cursor)))
    return True


async def _compare(
    cache: AsyncSessionCache, shard: int, batches: Batches, count: ShardCount, listed: Mapping[SessionId, str | None]
) -> None:
    """Make the lists agree with these records, and count them."""
    report = batches.report
    report.examined += len(listed)
    mine = batches.own(listed, shard)
    users = {session_id: listed[session_id] for session_id in mine}
    results: Sequence[Reindexed | SessionCacheError] = await cache.upkeep.reindex(
        shard, users, lease=batches.lease, dry_run=batches.dry_run
    )
    count.torn.update(mine)
    count.compared.update(mine)
    for session_id, reindexed in batches.sound(mine, results):
        if reindexed.state == "torn":
            report.add("torn")
            report.note(f"{session_id!r} is torn: its record disagrees with its transcript or a room")
            continue
        count.torn.discard(session_id)
        if reindexed.sealed.messages:
            count.sealed[session_id] = reindexed.sealed
        report.changed += bool(reindexed.repaired)
        for name in reindexed.repaired:
            report.add(name)
    await _count(cache, count, mine)
    await _relink(cache, shard, batches, count, mine)


async def _relink(
    cache: AsyncSessionCache, shard: int, batches: Batches, count: ShardCount, session_ids: list[SessionId]
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
        results = await cache.upkeep.relink(shard, found, lease=batches.lease, dry_run=batches.dry_run)
        for _session_id, added in batches.sound(named, results):
            batches.report.add("links", added)
            batches.report.changed += bool(added)
        parts = later


async def _count(cache: AsyncSessionCache, count: ShardCount, session_ids: list[SessionId]) -> None:
    for session_id, found in zip(session_ids, await cache.upkeep.counters(session_ids), strict=True):
        count.take(session_id, found)


async def _settle(cache: AsyncSessionCache, shard: int, batches: Batches, count: ShardCount) -> None:
    """Correct the totals by how far they are off at a moment for which the count is exact."""
    report = batches.report
    async for view in exact_views(cache, shard, count, ended=batches.ended, note=report.note):
        if await _correct(cache, shard, batches, count, view.totals):
            return
    report.done = False
    report.add("unsettled")


async def _correct(cache: AsyncSessionCache, shard: int, batches: Batches, count: ShardCount, totals: Totals) -> bool:
    """Add what the totals lack; False if somebody else has corrected them meanwhile."""
    lacking = count.lacking(totals)
    if not lacking:
        return True
    if not batches.dry_run and not await cache.upkeep.settle(
        shard, settled=totals.settled, lacking=lacking, lease=batches.lease
    ):
        return False
    batches.report.changed += 1
    batches.report.add("totals")
    shown = ", ".join(f"{name} by {-value:+d}" for name, value in lacking.items())
    batches.report.note(f"the totals of shard {shard} were off: {shown}")
    return True
