"""`sessioncache import FORMAT SOURCE`: bring the sessions of another store over."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from sessioncache.cli.output import Output, hide_password
from sessioncache.cli.root import NegativeAnswer, State, UnusableFile, WrongUsage, run, state_of
from sessioncache.client._async import AsyncSessionCache
from sessioncache.client.build import make_settings
from sessioncache.importers.formats import Format, source_of, target_of
from sessioncache.importers.models import Problem, Source
from sessioncache.importers.report import Report
from sessioncache.importers.run import Existing, Import, ImportStopped, OnError
from sessioncache.importers.sources.reading import Malformed
from sessioncache.namespaces import questions
from sessioncache.transport.connect_async import connect
from sessioncache.transport.endpoint import parse_url

__all__ = ["command"]


def command(
    context: typer.Context,
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="Whose sessions they are.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Path of the file or folder; of an archive also a bucket's URL; for cognee the URL of its Redis.",
        ),
    ],
    *,
    existing: Annotated[
        Existing, typer.Option(help="What happens to sessions that are there already and not from this import.")
    ] = Existing.skip,
    on_error: Annotated[
        OnError, typer.Option(help="What happens at something that cannot be imported.")
    ] = OnError.stop,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
) -> None:
    """Import sessions of another store, or of an archive.

    Interrupted and run again, it finishes; nothing is there twice.
    """
    state = state_of(context)
    try:
        run(_import(state, form, source, existing, on_error, dry_run=dry_run))
    except Malformed as error:
        raise UnusableFile(str(error)) from error
    except ImportStopped as stopped:
        raise UnusableFile(str(stopped)) from stopped


async def _import(
    state: State, form: Format, given: str, existing: Existing, on_error: OnError, *, dry_run: bool
) -> None:
    # Not left to Python's own handler: a shell that starts it in the background has SIGINT ignored.
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else sys.exit)
    async with aclosing(_open(form, given)) as source, _cache(state, dry_run=dry_run) as (cache, exists):
        work: Import[Any] = Import(
            source,
            target_of(form, cache),
            cache if exists else None,
            form=form,
            existing=existing,
            on_error=on_error,
            dry_run=dry_run,
        )
        total = await source.count()
        try:
            await _watched(state.output, work, total, form)
        finally:
            _show(state.output, work.report)
    if not work.report.whole:
        report = work.report
        raise NegativeAnswer(
            f"not everything of {given if form is not Format.cognee else hide_password(given)} is in the store: "
            f"{len(report.problems)} parts could not be imported, {len(report.conflicts)} sessions were there already"
        )


def _open(form: Format, given: str) -> Source[Any]:
    if form is Format.archive:
        return source_of(form, given if "://" in given else Path(given).expanduser())
    if form is not Format.cognee:
        return source_of(form, Path(given).expanduser())
    if "://" not in given:
        raise WrongUsage(f"{given!r} is no URL; sessions of cognee are on a Redis, such as redis://localhost:6379/0")
    settings = make_settings(given, None, {"client_name": "sessioncache-import"})
    if parse_url(settings).kind == "cluster":
        raise WrongUsage("cognee writes to one server; give the URL of that, redis://host:6379/0")
    return source_of(form, None, server=(connect(settings), hide_password(given)))


@asynccontextmanager
async def _cache(state: State, *, dry_run: bool) -> AsyncIterator[tuple[AsyncSessionCache, bool]]:
    """The cache, and whether its namespace is there; a dry run does not open one that is not, for that writes."""
    settings = state.settings()
    exists = True
    if dry_run:
        transport = connect(settings)
        cache = state.cache()
        try:
            stored = await transport.call(questions.namespace_config(config=cache.keys.config))
            exists = bool(stored)
        finally:
            await transport.aclose()
    else:
        cache = state.cache()
    async with aclosing(cache):
        yield cache, exists


async def _watched(output: Output, work: Import[Any], total: int | None, form: Format) -> None:
    with output.bar() as progress:
        task = progress.add_task(f"{form.value}, sessions", total=total)
        await work.run(lambda: progress.advance(task))


def _show(output: Output, report: Report) -> None:
    if output.as_json:
        output.emit({**_plain(report), "whole": report.whole})
        return
    head = "dry run, nothing is written; would be imported" if report.dry_run else "imported"
    rows = [
        (kind.replace("_", " "), line["imported"], line["already_there"], line["skipped"], line["failed"])
        for kind, line in report.tally.items()
    ]
    if rows:
        output.table(("", f"#{head}", "#already there", "#skipped", "#failed"), rows)
    else:
        output.say("no sessions")
    if report.verified:
        output.say(
            f"{report.verified} sessions verified, {report.resumed} of them left unfinished by an earlier import, "
            f"{report.updated} brought up to date"
        )
    for note in report.notes:
        output.note(note)
    for problem in [*report.conflicts, *report.problems]:
        output.warn(f"{problem.name}: {problem.why}")


def _plain(report: Report) -> dict[str, Any]:
    def told(problems: list[Problem]) -> list[dict[str, str]]:
        return [{"name": problem.name, "kind": problem.kind, "why": problem.why} for problem in problems]

    return {
        "format": report.format,
        "source": report.source,
        "dry_run": report.dry_run,
        "counts": report.tally,
        "verified": report.verified,
        "resumed": report.resumed,
        "updated": report.updated,
        "conflicts": told(report.conflicts),
        "problems": told(report.problems),
        "notes": report.notes,
    }
