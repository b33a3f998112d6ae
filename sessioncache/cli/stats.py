"""`sessioncache stats`."""

from __future__ import annotations

from typing import Annotated

import typer

from sessioncache.cli.output import bytes_text, duration_text
from sessioncache.cli.root import State, run, state_of
from sessioncache.stats.models import NamespaceStats, ShardStats

__all__ = ["command"]


def command(
    context: typer.Context,
    by_shard: Annotated[bool, typer.Option("--by-shard", help="One line a shard.")] = False,
) -> None:
    """Show a namespace's totals."""
    state = state_of(context)
    if by_shard:
        shards = run(_shards(state))
        if state.output.as_json:
            for shard in shards:
                state.output.emit(shard)
            return
        columns = ("#shard", "#sessions", "#messages", "#size", "#changes", "#overdue")
        state.output.table(
            columns,
            [(s.shard, s.sessions - s.overdue, s.messages, bytes_text(s.bytes), s.feed_seq, s.overdue) for s in shards],
        )
        return
    totals = run(_totals(state))
    if state.output.as_json:
        state.output.emit(totals)
        return
    state.output.pairs(
        {
            "namespace": totals.namespace,
            "shards": totals.shards,
            "sessions": totals.sessions,
            "messages": totals.messages,
            "size": bytes_text(totals.bytes),
            "entries": ", ".join(f"{count} {room}" for room, count in totals.rooms.items() if count) or "none in rooms",
            "changes": f"{totals.changes} ever published in the feed",
            "overdue": f"{totals.overdue} past their deadline and not swept yet"
            + (f", the oldest for {duration_text(totals.lag_ms)}" if totals.overdue else ""),
        }
    )


async def _totals(state: State) -> NamespaceStats:
    async with state.found() as cache:
        return await cache.stats.get()


async def _shards(state: State) -> list[ShardStats]:
    async with state.found() as cache:
        return await cache.stats.shards()
