"""`run`: one audit of a namespace, or of some of its shards.

The rule of this module: it reads and never writes, keeps to its pace, and works beside those who write.

```
the namespace ─▶ keys of every server ─▶ shard by shard: own keys ─ lists and sessions ─ contents ─ links ─ totals
                 what no list knows ───────────────────────────────▶
```
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Final

from sessioncache.audit.keyspace import routes, walk_keys
from sessioncache.audit.records import number
from sessioncache.audit.report import AuditReport, Problem
from sessioncache.audit.rooms import fields_of
from sessioncache.audit.shards import audit_shard
from sessioncache.audit.work import Pace, Progress, Work
from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import AccessDenied, DecodeError
from sessioncache.namespaces.server import advice_on_eviction
from sessioncache.sealing.chunks import dictionary_id
from sessioncache.types import check_limit
from sessioncache.wire.values import unpack_fields

__all__ = ["PACE", "run"]

PACE: Final = 1_000
"""Sessions a second, unless told otherwise."""


async def run(
    cache: AsyncSessionCache,
    *,
    shards: Iterable[int] | None = None,
    limit: int | None = None,
    pace: int = PACE,
    contents: bool = True,
    scan: bool = True,
    progress: Progress | None = None,
) -> AuditReport:
    """Hold a namespace against what the data model promises. Changes nothing.

    Agents and workers may go on: a session is judged as it stands at one moment, and its contents only where nobody
    wrote while they were read.

    Args:
        cache: whose namespace; with the codec that its payloads were written with, else they are counted, not decoded.
        shards: which; None: all of them. After an audit that did not come to its end, go on from `report.next_shard`.
        limit: most sessions to look at; None: all.
        pace: most sessions a second, 500 messages counting as one; 0: as quickly as it can.
        contents: whether messages and entries are read, or only counted.
        scan: whether to walk over all keys of the servers, to find what no list knows and what does not belong.
        progress: called after every batch, and before the first.

    Raises:
        InvalidArgument: a shard that there is not, or a limit or pace below its least.
        BackendError: the server is away; the report that `progress` was given holds what was found until then.
    """
    keys = cache.keys
    chosen = [
        check_limit(shard, what="shard", at_most=keys.shards - 1)
        for shard in (range(keys.shards) if shards is None else sorted(set(shards)))
    ]
    if limit is not None:
        check_limit(limit, what="limit", at_least=1)
    report = AuditReport(keys.namespace, keys.shards, next_shard=chosen[0] if chosen else None)
    work = Work(cache, report, Pace(check_limit(pace, what="pace")), limit, contents, progress)
    started = perf_counter()
    try:
        await work.ended(0)
        await _namespace(work)
        await _evidence(work, chosen)
        walked = not scan or await _walk(work, set(chosen))
        for at, shard in enumerate(chosen):
            if not await audit_shard(work, shard):
                report.note(f"the limit of {limit} sessions was reached in shard {shard}")
                return report
            report.audited.append(shard)
            report.next_shard = chosen[at + 1] if at + 1 < len(chosen) else None
            await work.ended(0)
        report.finished = walked and not report.unsettled
        if report.unread:
            report.note(
                f"{report.unread} payloads of another codec were not decoded: audit with the codec that wrote them"
            )
        return report
    finally:
        report.duration_s = perf_counter() - started


async def _walk(work: Work, shards: set[int]) -> bool:
    """Walk over the keys; False where this user may not."""
    try:
        await walk_keys(work, shards)
    except AccessDenied as error:
        work.report.note(f"the keys were not walked over, so that foreign and unlisted ones are not known: {error}")
        return False
    return True


async def _namespace(work: Work) -> None:
    """What is stored of the namespace itself."""
    report, config = work.report, await work.cache.inspection.config()
    wrong = [name for name in ("shards", "schema") if number(config.get(name)) < 1]
    if wrong:
        report.add(Problem("config", f"no number: {', '.join(wrong)}"), shard=None)
    try:
        await work.cache.retention.get()
    except DecodeError as error:
        report.add(Problem("config", str(error)), shard=None)
    try:
        current = await work.cache.upkeep.current_dictionary()
        is_right = current.data is None or dictionary_id(current.data) == current.name
    except ValueError:
        is_right = False
    if not is_right:
        report.add(Problem("dictionary", "the one that is sealed with now is not what its name says"), shard=None)
    (seen,) = await work.cache.inspection.names([work.cache.keys.workspace_list])
    if seen.type == "hash":
        async for found in fields_of(work.cache.inspection, work.cache.keys.workspace_list):
            for name, value in found.items():
                what = f"workspace {name.decode('utf-8', 'backslashreplace')!r}"
                try:
                    unpack_fields(what, value)
                except DecodeError as error:
                    report.add(Problem("workspace", str(error)), shard=None)


async def _evidence(work: Work, shards: list[int]) -> None:
    """What the servers tell that explains findings."""
    advice = advice_on_eviction(work.cache.server) if work.cache.server is not None else None
    if advice is not None:
        work.report.note(advice)
    asked = await routes(work, shards)
    for route, stats in zip(asked, await work.cache.inspection.servers(asked, "stats"), strict=True):
        evicted = max(number(stats.get("evicted_keys", "0")), 0)
        if evicted:
            work.report.note(f"the server that has shard {route} has evicted {evicted} keys since it was started")
