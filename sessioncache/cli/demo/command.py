"""The command `sessioncache demo`: options, stages, progress, and the table at the end.

The rule of this module: it ends with exit code 0 only if every stage has proven its part.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sessioncache.cli.children import Worker, start_workers, wait_until_ready
from sessioncache.cli.demo.conversations import Conversation, bundled_conversations, read_conversations
from sessioncache.cli.demo.progress import Stages
from sessioncache.cli.demo.proof import collect, judge
from sessioncache.cli.demo.replay import AgentProcess, Replay, Tally
from sessioncache.cli.demo.sweep import watch_the_sweep
from sessioncache.cli.output import Output, bytes_text, hide_password
from sessioncache.cli.root import NegativeAnswer, WrongUsage, run, state_of
from sessioncache.cli.up import free_ports
from sessioncache.client._async import AsyncSessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache.settings import Settings
from sessioncache.types import check_limit

__all__ = ["command"]

REAL_CONVERSATIONS: Final = Path("..", "shared", "transcripts", "airline.jsonl")
"""Where conversations lie beside a clone, if they do."""

HEALTH_PORT: Final = 9_564
TICK_EVERY_S: Final = 1
"""Somebody watches: the worker looks every second for what is due."""

PROBLEMS_SHOWN: Final = 20
AGENTS_MAX: Final = 1_000
PROCESSES_MAX: Final = 64


@dataclass
class Outcome:
    """What is told at the end."""

    facts: dict[str, Any]
    problems: list[str]


def command(
    context: typer.Context,
    *,
    agents: Annotated[int, typer.Option(help="Concurrent agents.")] = 32,
    processes: Annotated[int, typer.Option(help="Processes they are spread over.")] = 2,
    transcripts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="JSON lines with session_id and messages, or a JSON array of messages; repeatable."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Replay only so many conversations.")] = None,
    seed: Annotated[int, typer.Option(help="Of the order of events.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="With --url: leave the sessions there.")] = False,
) -> None:
    """Prove with many agents at once that nothing is lost.

    Replays conversations, and reads everything back. Runs on a server of its own in a temporary folder, or with --url
    on yours, in a namespace of its own.
    """
    state = state_of(context)
    output = state.output
    check_limit(agents, what="--agents", at_least=1, at_most=AGENTS_MAX)
    check_limit(processes, what="--processes", at_least=1, at_most=PROCESSES_MAX)
    if limit is not None:
        check_limit(limit, what="--limit", at_least=1)
    if agents < processes:
        raise WrongUsage(f"{agents} agents cannot be spread over {processes} processes; give at least one a process")
    conversations, source = _conversations(transcripts)
    if limit is not None:
        conversations = conversations[:limit]
    with ExitStack() as stack:
        url = state.url or os.environ.get("SESSIONCACHE_URL")
        own_server = url is None
        if own_server and keep:
            raise WrongUsage("--keep needs --url: the demo's own server goes, and its data with it")
        if own_server:
            state.url = stack.enter_context(EmbeddedServer()).url
        state.namespace = state.namespace or f"demo-{secrets.token_hex(4)}"
        settings = state.settings()
        output.say(
            f"{len(conversations)} conversations from {source}, {agents} agents in {processes} processes, "
            f"{hide_password(settings.url)}, namespace {settings.namespace}",
            "bold",
        )
        plan = Plan(conversations, agents, processes, seed, clean_up=not own_server and not keep)
        outcome = run(_demonstrate(settings, plan, output))
    _report(output, outcome)


@dataclass
class Plan:
    """What to do."""

    conversations: list[Conversation]
    agents: int
    processes: int
    seed: int
    clean_up: bool


def _conversations(paths: list[Path] | None) -> tuple[list[Conversation], str]:
    if paths:
        return read_conversations(paths), ", ".join(map(str, paths))
    if REAL_CONVERSATIONS.is_file():
        return read_conversations([REAL_CONVERSATIONS]), str(REAL_CONVERSATIONS)
    return bundled_conversations(), "the project"


async def _demonstrate(settings: Settings, plan: Plan, output: Output) -> Outcome:
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"namespace": settings.namespace, "shards": settings.shards}
        cache = await stack.enter_async_context(AsyncSessionCache.from_url(settings.url, **options))
        there = await cache.sessions.count()
        if there:
            raise WrongUsage(
                f"namespace {settings.namespace!r} holds {there} sessions; give --namespace one that is empty, or none"
            )
        if plan.clean_up:
            stack.push_async_callback(_clean_up, cache)
        workers = await stack.enter_async_context(_workers(settings))
        processes = await stack.enter_async_context(_agents(settings, plan.processes))
        stages = stack.enter_context(Stages(output))
        total = sum(len(conversation.messages) for conversation in plan.conversations)
        replay = Replay(
            cache,
            plan.conversations,
            agents=plan.agents,
            seed=plan.seed,
            tell=lambda tally: stages.replayed(tally.messages, total, tally.edits),
        )
        await replay.run(processes)
        problems = list(replay.tally.problems)
        # A client that took no part in the writing: nothing it says can come from memory.
        fresh = await stack.enter_async_context(AsyncSessionCache.from_url(settings.url, **options))
        stages.reading()
        problems += judge(replay.expected, await collect(fresh, list(replay.expected)))
        stats = await fresh.stats.get()
        await asyncio.to_thread(wait_until_ready, workers)
        swept, sweep_problems = await watch_the_sweep(fresh, workers, stages.swept)
        problems += sweep_problems
        memory = fresh.server.memory_used if fresh.server else None
        facts = {
            "sessions": stats.sessions,
            "messages": stats.messages,
            **_speed(replay.tally),
            "edits": replay.tally.edits,
            "turns": replay.tally.turns,
            "handovers": replay.tally.handovers,
            "saves": replay.tally.saves,
            "merges_stored_won": replay.tally.counts["stored"],
            "edits_protected": replay.tally.counts["rescued"],
            "retries": replay.tally.retries,
            "swept": swept,
            "message_bytes": stats.bytes,
            "server_memory_bytes": memory,
            "processes": plan.processes,
            "agents": plan.agents,
        }
    return Outcome(facts, problems)


def _speed(tally: Tally) -> dict[str, Any]:
    durations = sorted(tally.appends_s)
    enough = len(durations) > 1
    cuts = statistics.quantiles(durations, n=100, method="inclusive") if enough else [*durations, 0.0] * 99
    return {
        "duration_s": round(tally.duration_s, 3),
        "appends": len(durations),
        "appends_per_s": round(len(durations) / tally.duration_s) if tally.duration_s else 0,
        "append_p50_ms": round(cuts[49] * 1000, 2),
        "append_p99_ms": round(cuts[98] * 1000, 2),
    }


@asynccontextmanager
async def _workers(settings: Settings) -> AsyncIterator[list[Worker]]:
    """A worker beside the agents, its log in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sessioncache-demo-") as folder:
        workers = start_workers(
            settings, ports=free_ports(HEALTH_PORT, 1), folder=Path(folder), tick_every_s=TICK_EVERY_S
        )
        try:
            yield workers
        finally:
            for worker in workers:
                worker.stop()


@asynccontextmanager
async def _agents(settings: Settings, count: int) -> AsyncIterator[list[AgentProcess]]:
    started = await asyncio.gather(*(AgentProcess.start(settings) for _ in range(count)), return_exceptions=True)
    processes = [process for process in started if isinstance(process, AgentProcess)]
    try:
        for process in started:
            if isinstance(process, BaseException):
                raise process
        yield processes
    finally:
        for process in processes:
            await process.kill()


async def _clean_up(cache: AsyncSessionCache) -> None:
    """On somebody's own server: take away what was put there."""
    ids = [session.id async for session in cache.sessions.each()]
    await asyncio.gather(*map(cache.sessions.delete, ids))


def _report(output: Output, outcome: Outcome) -> None:
    facts, problems = outcome.facts, outcome.problems
    if output.as_json:
        output.emit({**facts, "ok": not problems, "problems": problems})
    else:
        memory = facts["server_memory_bytes"]
        rows = {
            "sessions": f"{facts['sessions']:,}",
            "messages": f"{facts['messages']:,}",
            "agents": f"{facts['agents']} in {facts['processes']} processes",
            "turns": f"{facts['turns']:,}, {facts['handovers']:,} taken over from another process",
            "appends": f"{facts['appends']:,} in {facts['duration_s']:.1f} s: {facts['appends_per_s']:,} a second",
            "append latency": f"p50 {facts['append_p50_ms']:.1f} ms, p99 {facts['append_p99_ms']:.1f} ms, "
            "with all agents at once",
            "edits": f"{facts['edits']:,} by the person",
            "merges": f"{facts['merges_stored_won']:,} of {facts['saves']:,} saves in which the stored group won; "
            f"{facts['edits_protected']:,} would have undone an edit",
            "retries": f"{facts['retries']:,}",
            "swept": f"{facts['swept']:,} expired sessions, by the worker",
            "bytes in Redis": f"{bytes_text(facts['message_bytes'])} of messages"
            + (f"; the server uses {bytes_text(memory)}" if memory else ""),
        }
        output.table(("", ""), rows.items())
    if problems:
        shown = "\n".join(f"  {text}" for text in problems[:PROBLEMS_SHOWN])
        more = f"\n  … and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        raise NegativeAnswer(f"the proof failed, {len(problems)} problems:\n{shown}{more}")
    output.say(
        "\nProven with a new client: every message is there once, in order, byte for byte; every edit survived; "
        "lists, counts and totals agree with the records.",
        "bold green",
    )
