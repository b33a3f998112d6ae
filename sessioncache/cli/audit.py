"""`sessioncache audit`: a namespace held against every promise of the data model.

The rule of this module: it changes nothing, not even by opening a namespace that nobody has used, and what was found
until somebody stopped it is shown.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.progress import TextColumn
from rich.text import Text

from sessioncache.audit import KINDS, PACE, AuditReport, Finding, run
from sessioncache.cli.output import Output, duration_text, plain, safe
from sessioncache.cli.root import Incomplete, NegativeAnswer, State, state_of
from sessioncache.cli.root import run as run_coroutine
from sessioncache.errors import SessionCacheError
from sessioncache.types import check_limit

__all__ = ["command"]

SHOWN: Final = 5
"""Examples of a kind that a person is shown."""


def command(
    context: typer.Context,
    *,
    shard: Annotated[list[int] | None, typer.Option(help="Only this shard; may be given several times.", min=0)] = None,
    first: Annotated[int, typer.Option("--from", help="The first shard: where an earlier audit stopped.", min=0)] = 0,
    limit: Annotated[int | None, typer.Option(help="Most sessions to look at; else all.")] = None,
    pace: Annotated[int, typer.Option(help="Most sessions a second; 0: as quickly as it can.")] = PACE,
    contents: Annotated[
        bool, typer.Option("--contents/--no-contents", help="Read messages and entries, or only count them.")
    ] = True,
    scan: Annotated[
        bool, typer.Option("--scan/--no-scan", help="Walk over all keys, for what no list knows and what is foreign.")
    ] = True,
) -> None:
    """Check every session, list, link, total and key. Changes nothing. A finding is exit code 1."""
    state = state_of(context)
    if limit is not None:
        check_limit(limit, what="--limit", at_least=1)
    check_limit(pace, what="--pace")
    shown: list[AuditReport] = []
    try:
        report = run_coroutine(_audit(state, shard, first, (limit, pace, contents, scan), shown))
    except (SessionCacheError, KeyboardInterrupt):
        if shown:
            _show(state, shown[-1])
        raise
    _show(state, report)
    if report.findings:
        raise NegativeAnswer(f"{report.findings} findings of {len(report.found)} kinds: {', '.join(report.found)}")
    if not report.finished:
        raise Incomplete(f"nothing wrong was found, but not all was looked at; {_onwards(report)}")


async def _audit(
    state: State,
    shards: list[int] | None,
    first: int,
    options: tuple[int | None, int, bool, bool],
    shown: list[AuditReport],
) -> AuditReport:
    """Run it, behind a bar where somebody watches."""
    limit, pace, contents, scan = options
    async with state.found() as cache:
        await cache.open()
        check_limit(first, what="--from", at_most=cache.keys.shards - 1)
        chosen = [number for number in shards or range(cache.keys.shards) if number >= first]
        behind = TextColumn("{task.completed} of {task.total} shards, {task.fields[told]}")
        with state.output.bar(behind) as bar:
            task = bar.add_task("audit", total=len(chosen), told="")

            def progress(report: AuditReport) -> None:
                shown[:] = [report]
                told = f"{report.sessions:,} sessions, {report.keys:,} keys, {report.findings} findings"
                bar.update(task, completed=len(report.audited), told=told)

            return await run(
                cache, shards=chosen, limit=limit, pace=pace, contents=contents, scan=scan, progress=progress
            )


def _onwards(report: AuditReport) -> str:
    """How to look at the rest."""
    if report.next_shard is not None:
        return f"go on with --from {report.next_shard}"
    if not report.unsettled:
        return "the notes above say why"
    return f"look again with {' '.join(f'--shard {number}' for number in report.unsettled)}"


def _show(state: State, report: AuditReport) -> None:
    output = state.output
    if output.as_json:
        for name, found in report.found.items():
            kind = KINDS[name]
            told = {"kind": name, "count": found.count, "meaning": kind.meaning, "remedy": kind.remedy}
            output.emit({**told, "examples": plain(found.examples)})
        summary = {name: value for name, value in plain(report).items() if name != "found"}
        output.emit({**summary, "findings": report.findings, "clean": report.clean})
        return
    looked = f"{report.sessions:,} sessions, {report.messages:,} messages and {report.keys:,} keys"
    shards = f"{len(report.audited)} of {report.shards} shards"
    spent = duration_text(round(report.duration_s * 1000))
    output.say(f"namespace {report.namespace}: {looked} in {shards} were looked at in {spent}", "bold")
    for name, found in report.found.items():
        _show_kind(output, name, found.count, found.examples)
    for text in report.notes:
        output.console.print(Text.assemble(("! ", "yellow"), safe(text)))
    waiting = {
        "are overdue": report.overdue,
        "have vanished and wait for the sweep": report.vanished,
        "were written to too often to read them whole": report.busy,
    }
    for what, count in waiting.items():
        if count:
            output.say(f"  {count:,} sessions {what}: no finding", "dim")
    if report.clean:
        output.console.print(Text("✓ nothing is wrong", style="green"))


def _show_kind(output: Output, name: str, count: int, examples: list[Finding]) -> None:
    kind = KINDS[name]
    output.console.print(Text.assemble((f"✗ {name}: {count:,}", "bold red"), f"  {kind.meaning}"))
    for finding in examples[:SHOWN]:
        where = [f"shard {finding.shard}"] if finding.shard is not None else []
        where += [f"session {finding.session!r}"] if finding.session is not None else []
        output.console.print(Text(f"    {safe(', '.join(where) or 'the namespace')}: {safe(finding.text, limit=200)}"))
    if count > SHOWN:
        output.console.print(Text(f"    … and {count - min(count, SHOWN):,} more", style="dim"))
    output.console.print(Text(f"  → {kind.remedy}", style="italic"))
