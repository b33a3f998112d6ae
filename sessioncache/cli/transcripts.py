"""`sessioncache transcripts show|tail`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.text import Text

from sessioncache.cli.output import Output, safe
from sessioncache.cli.root import NegativeAnswer, State, run, state_of
from sessioncache.cli.sessions import missing_text
from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import FeedGap
from sessioncache.feed.models import Change
from sessioncache.transcripts.models import Entry, TranscriptPage
from sessioncache.types import check_limit, check_session_id

__all__ = ["group", "message_text"]

group = typer.Typer(no_args_is_help=True, help="Show transcripts, or follow them live.")

STYLES = {"user": "green", "human": "green", "assistant": "cyan", "ai": "cyan", "tool": "yellow", "system": "magenta"}


@group.command()
def show(
    context: typer.Context,
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    last: Annotated[int | None, typer.Option(help="Only the newest so many.")] = None,
    start: Annotated[int | None, typer.Option(help="First sequence number.")] = None,
    stop: Annotated[int | None, typer.Option(help="Last sequence number.")] = None,
    cursor: Annotated[str | None, typer.Option(help="Of the page before.")] = None,
    skip_damaged: Annotated[bool, typer.Option("--skip-damaged", help="Leave out what cannot be decoded.")] = False,
) -> None:
    """Show messages, oldest first; without options the newest 50."""
    state = state_of(context)
    if last is None and start is None and stop is None and cursor is None:
        last = 50
    page = run(_page(state, session_id, last=last, start=start, stop=stop, cursor=cursor, skip_damaged=skip_damaged))
    if not page.exists:
        raise NegativeAnswer(missing_text(session_id))
    for entry in page:
        show_entry(state.output, entry)
    if not page.items:
        state.output.say("no messages there")
    if page.skipped:
        state.output.warn(f"left out messages that cannot be decoded: {', '.join(map(str, page.skipped))}")
    if page.cursor is not None:
        state.output.note(f"{page.count} messages in all; more: --cursor {page.cursor}")


async def _page(
    state: State,
    session_id: str,
    *,
    last: int | None,
    start: int | None,
    stop: int | None,
    cursor: str | None,
    skip_damaged: bool,
) -> TranscriptPage:
    check_session_id(session_id)
    async with state.found() as cache:
        return await cache.transcripts.list(
            session_id,
            last=last,
            start=start,
            stop=stop,
            cursor=cursor,
            on_corrupt="skip" if skip_damaged else "raise",
        )


@group.command()
def tail(
    context: typer.Context,
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    last: Annotated[int, typer.Option(help="Begin with the newest so many.")] = 10,
) -> None:
    """Follow a transcript live, until Ctrl-C. The session need not exist yet."""
    state = state_of(context)
    check_session_id(session_id)
    check_limit(last, what="--last", at_most=10_000)
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        run(_tail(state, session_id, last))


async def _tail(state: State, session_id: str, last: int) -> None:
    # Not left to Python's own handler: a shell that starts it in the background has SIGINT ignored.
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else sys.exit)
    async with state.found() as cache, cache.feed.subscribe(session_id) as changes:
        page = await cache.transcripts.list(session_id, last=last)
        for entry in page:
            show_entry(state.output, entry)
        newest = page.items[-1].seq if page.items else (await _newest(cache, session_id))
        if not state.output.as_json:
            state.output.note(f"following {safe(session_id)}; Ctrl-C ends it")
        while True:
            try:
                found = await changes.read()
            except FeedGap as gap:
                state.output.warn(str(gap))
                found = []
            for change in found:
                _show_change(state.output, change)
                newest = 0 if change.kind in {"session.deleted", "session.evicted", "session.expired"} else newest
            if found:
                newest = await _show_new(cache, state.output, session_id, newest)


async def _newest(cache: AsyncSessionCache, session_id: str) -> int:
    session = await cache.sessions.get(session_id)
    return 0 if session is None else session.last_seq


async def _show_new(cache: AsyncSessionCache, output: Output, session_id: str, newest: int) -> int:
    """Print what was appended after `newest`; the last number printed."""
    async for entry in cache.transcripts.each(session_id, start=newest + 1, on_corrupt="skip"):
        show_entry(output, entry)
        newest = entry.seq
    return newest


def _show_change(output: Output, change: Change) -> None:
    """A change that is no message: an edit, a deletion, a replacement."""
    if change.kind == "transcript.appended":
        return
    if output.as_json:
        output.emit({"kind": change.kind, "at": change.at, "revision": change.revision, "details": change.details})
    else:
        told = ", ".join(f"{name}={value}" for name, value in change.details.items())
        output.say(f"* {change.kind} {safe(told)}", "dim")


def show_entry(output: Output, entry: Entry) -> None:
    """Print one message."""
    if output.as_json:
        output.emit({"seq": entry.seq, "at": entry.at, "message": entry.message})
        return
    role, text = message_text(entry.message)
    output.console.print(
        Text.assemble(
            (f"{entry.seq:>5} {entry.at.astimezone():%H:%M:%S} ", "dim"),
            (f"{safe(role):<10} ", STYLES.get(role, "bold")),
            "\n".join(safe(part) for part in text.splitlines()),
        )
    )


def message_text(message: Mapping[str, Any]) -> tuple[str, str]:
    """Who speaks and what, for OpenAI, Anthropic and LangChain messages; JSON for any other."""
    role = message.get("role") or message.get("type")
    data = message.get("data")
    if isinstance(data, Mapping) and "content" in data:
        message = data
    parts = _parts(message.get("content"))
    for call in message.get("tool_calls") or ():
        function = call.get("function", call) if isinstance(call, Mapping) else {}
        name, given = function.get("name"), function.get("arguments", function.get("args"))
        parts.append(f"→ {name}({given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)})")
    if not parts:
        parts = [json.dumps(dict(message), ensure_ascii=False)]
    return str(role or "message"), "\n".join(parts)


def _parts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content] if content else []
    parts: list[str] = []
    for block in content if isinstance(content, list) else ():
        match block:
            case {"type": "text", "text": text}:
                parts.append(str(text))
            case {"type": "tool_use", "name": name, "input": given}:
                parts.append(f"→ {name}({json.dumps(given, ensure_ascii=False)})")
            case {"type": "tool_result", "content": result}:
                parts.append("← " + (" ".join(_parts(result)) or json.dumps(result, ensure_ascii=False)))
            case _:
                parts.append(json.dumps(block, ensure_ascii=False))
    return parts
