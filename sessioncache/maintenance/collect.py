"""Collecting: what was left behind, and what nobody needs any more.

The rule of this module: nothing goes that anybody could still need. A dictionary goes when it was unneeded twice, ten
minutes apart, and no message was compressed with it in between:

```
 first run   take the lease of compact ─ read "used n times" ─ look at all sessions: not needed ─ note n, and when
 10 min …    readers that met it in a chunk which is gone by now have read it
 next run    the same again; still n?  ─ the script compares n once more, and removes it
```

Whoever seals under a lease is kept out meanwhile; whoever seals without one counts, and so is seen.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, Unpack

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import AccessDenied, BackendError, SessionCacheError
from sessioncache.maintenance import compact
from sessioncache.maintenance.batch import BATCH, LEASE_TTL_MS, Batches, RunOptions, chunks, number_of
from sessioncache.maintenance.links import remove_dead_links
from sessioncache.maintenance.report import Report
from sessioncache.upkeep import ShardLease
from sessioncache.wire.keys import CATALOGUE, Key, kind_of

__all__ = ["run"]

JOB: Final = "collect"
SCAN_COUNT: Final = 1_000

READERS_MS: Final = 600_000
"""How long a dictionary stays that nothing needs: so long nobody takes between reading a chunk and its dictionary."""

BOUNDED: Final = {kind.name: kind.expires_within_ms for kind in CATALOGUE if kind.expiry == "bounded"}


async def run(cache: AsyncSessionCache, shard: int, **options: Unpack[RunOptions]) -> Report:
    """Remove a shard's dead links and unneeded dictionaries, and have leftovers expire that never would.

    Tombstones, parts of imports and leases of sessions expire by themselves, unless something else has taken that from
    them: then they get their time anew. To find them, the keys of the shard's whole server are scanned, in bounded
    steps; `limit` keys of sessions are looked at, and the next run goes on.

    Raises:
        LeaseLost: somebody else has taken the shard over; what was removed stays removed.
        BackendError: the server is away; running it again goes on.
    """
    batches = Batches(cache, Report(JOB, shard), **options)
    with batches.timed() as report:
        await remove_dead_links(cache, shard, batches)
        try:
            await _dictionaries(cache, shard, batches)
            report.done = await _leftovers(cache, shard, batches)
        except AccessDenied as error:
            report.note(f"leftovers and dictionaries stay, for this user may not look at all keys (+scan): {error}")
        return report


async def _leftovers(cache: AsyncSessionCache, shard: int, batches: Batches) -> bool:
    """Keys that should expire and do not; whether the end was reached."""
    cursor = number_of(await batches.resumed())
    report = batches.report
    while batches.room:
        cursor, found = await cache.upkeep.session_keys(shard, cursor=cursor, limit=SCAN_COUNT)
        report.examined += len(found)
        leftovers = [(key, ttl_ms) for key in found if (ttl_ms := _bound_of(key))]
        for chunk in chunks(leftovers):
            results = await cache.upkeep.bound(chunk, dry_run=batches.dry_run)
            for _key, had_none in batches.sound([key for key, _ttl_ms in chunk], results):
                report.changed += had_none
                report.add("leftovers", int(had_none))
        await batches.ended()
        if not cursor:
            await batches.reached("")
            return True
        await batches.reached(str(cursor))
    return False


def _bound_of(key: Key) -> int:
    """How long a key of its kind may live at most, in milliseconds; 0: that is for its session to say."""
    kind = kind_of(key)
    return 0 if kind is None else BOUNDED.get(kind.name, 0)


async def _dictionaries(cache: AsyncSessionCache, shard: int, batches: Batches) -> None:
    """Remove dictionaries that no chunk of the shard needs, and that is not sealed with."""
    upkeep = cache.upkeep
    current = (await upkeep.current_dictionary_name()) or ""
    old = [name for name in await upkeep.kept_dictionaries(shard) if name != current]
    if not old:
        return
    sealing: ShardLease | None = None
    if not batches.dry_run:
        holder = f"{JOB}-{shard}" if batches.lease is None else batches.lease.holder
        sealing = await upkeep.acquire(shard, compact.JOB, holder=holder, ttl_ms=LEASE_TTL_MS)
        if sealing is None:
            # Somebody seals: another time.
            return
    try:
        used = dict(zip(old, await upkeep.used(shard, old), strict=True))
        try:
            needed = await _needed(cache, shard, batches, sealing)
        except SessionCacheError as error:
            if isinstance(error, BackendError | AccessDenied):
                raise
            batches.report.note(f"no dictionary of shard {shard} was removed, for a session cannot be read: {error}")
            return
        for name in old:
            await _judge(cache, shard, batches, (name, used[name], name in needed), sealing)
    finally:
        if sealing is not None:
            with suppress(BackendError):
                await upkeep.release(sealing)


async def _judge(
    cache: AsyncSessionCache, shard: int, batches: Batches, seen: tuple[str, int, bool], sealing: ShardLease | None
) -> None:
    """Remove a dictionary that was unneeded the last time, too; else note that it is, or is not."""
    name, used, is_needed = seen
    field = f"unneeded:{name}"
    [noted] = await cache.upkeep.noted(shard, JOB, [field])
    now_ms = await cache.upkeep.clock(shard)
    before, _, at_ms = noted.partition(" ")
    is_over = before == str(used) and number_of(at_ms) > 0 and now_ms - number_of(at_ms) >= READERS_MS
    if is_over and not is_needed:
        if sealing is not None and not await cache.upkeep.forget(shard, name, used=used, lease=sealing):
            is_over = False
        batches.report.changed += is_over
        batches.report.add("dictionaries", int(is_over))
    if batches.dry_run:
        return
    stands = noted if before == str(used) and number_of(at_ms) else f"{used} {now_ms}"
    noted_now = "" if is_needed or is_over else stands
    if noted_now != noted:
        await cache.upkeep.note(shard, JOB, {field: noted_now}, lease=batches.lease)


async def _needed(cache: AsyncSessionCache, shard: int, batches: Batches, sealing: ShardLease | None) -> set[str]:
    """The dictionaries that chunks of the shard need, in whatever lists their sessions stand, or in none."""
    upkeep = cache.upkeep
    needed: set[str] = set()
    after = ""
    while entries := await upkeep.by_user(shard, after=after, limit=BATCH):
        after = entries[-1][0]
        mine = [session_id for _, _, session_id in entries if cache.keys.shard_of(session_id) == shard]
        needed |= await upkeep.dictionaries_of([cache.keys.session(session_id).sealed for session_id in mine])
        await _hold(cache, batches, sealing)
    cursor = 0
    while True:
        cursor, found = await upkeep.session_keys(shard, cursor=cursor, limit=SCAN_COUNT)
        for chunk in chunks(key for key in found if key.endswith(":sealed")):
            needed |= await upkeep.dictionaries_of(chunk)
        await _hold(cache, batches, sealing)
        if not cursor:
            return needed


async def _hold(cache: AsyncSessionCache, batches: Batches, sealing: ShardLease | None) -> None:
    await batches.ended()
    if sealing is not None:
        await cache.upkeep.renew(sealing, ttl_ms=LEASE_TTL_MS)
