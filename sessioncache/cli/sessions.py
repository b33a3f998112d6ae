"""`sessioncache sessions list|show|delete`."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from sessioncache.cli.output import Output, ago_text, bytes_text, duration_text, safe, time_text
from sessioncache.cli.root import NegativeAnswer, State, WrongUsage, run, state_of
from sessioncache.sessions.models import Session, SessionSummary
from sessioncache.types import UNSET, Page, check_session_id

__all__ = ["group"]

group = typer.Typer(no_args_is_help=True, help="List, show and delete sessions.")


class Order(StrEnum):
    """The two orders of a list."""

    newest = "newest"
    oldest = "oldest"


@group.command("list")
def list_(
    context: typer.Context,
    *,
    order: Annotated[Order, typer.Option(help="By the time of the last write.")] = Order.newest,
    limit: Annotated[int, typer.Option(help="Sessions a page, 0 to 1000.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Of the page before.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
) -> None:
    """List a page of sessions."""
    state = state_of(context)
    page = run(_list(state, order, limit, cursor, user))
    if state.output.as_json:
        for session in page:
            state.output.emit(session)
    else:
        _show_page(state.output, page)
    if page.cursor is not None:
        state.output.note(f"next page: --cursor {page.cursor}")


async def _list(state: State, order: Order, limit: int, cursor: str | None, user: str | None) -> Page[SessionSummary]:
    async with state.found() as cache:
        return await cache.sessions.list(
            order=order.value, limit=limit, cursor=cursor, user=UNSET if user is None else user
        )


def _show_page(output: Output, page: Page[SessionSummary]) -> None:
    if not page.items:
        output.say("no sessions")
        return
    rows = [
        (
            session.id,
            safe(session.title or "", limit=40),
            "pinned" if session.pinned else "",
            session.user,
            session.status or "",
            session.messages,
            bytes_text(session.bytes),
            ago_text(session.updated_at),
            ago_text(session.deadline_at),
        )
        for session in page
    ]
    output.table(
        ("session", "title", "", "user", "status", "#messages", "#size", "updated", "expires"),
        rows,
    )


@group.command()
def show(context: typer.Context, session_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show a session's record."""
    state = state_of(context)
    session = run(_get(state, session_id))
    if session is None:
        raise NegativeAnswer(missing_text(session_id))
    if state.output.as_json:
        state.output.emit(session)
    else:
        _show_record(state.output, session)


def missing_text(session_id: str) -> str:
    """The sentence about a session that is not there."""
    return f"there is no session {session_id!r} in this namespace; `sessioncache sessions list` shows those there are"


async def _get(state: State, session_id: str) -> Session | None:
    check_session_id(session_id)
    async with state.found() as cache:
        return await cache.sessions.get(session_id)


def _show_record(output: Output, session: Session) -> None:
    pairs: dict[str, object] = {
        "id": session.id,
        "title": "(none)" if session.title is None else session.title,
        "pinned": "yes" if session.pinned else "no",
        "user": session.user,
        "status": session.status or "(none)",
        "parent": session.parent or "(none)",
        "messages": f"{session.messages}, {bytes_text(session.bytes)}, "
        f"numbers {session.first_seq} to {session.last_seq}",
        "versions": f"title {session.title_version}, metadata {session.metadata_version}, revision {session.revision}",
        "created": time_text(session.created_at),
        "updated": time_text(session.updated_at),
        "expires": f"{time_text(session.deadline_at)}"
        + (f" ({duration_text(session.ttl_ms)} after the last write)" if session.deadline_at else ""),
    }
    for name, values in (
        ("authoritative", session.authoritative),
        ("host", session.host),
        ("metadata", session.metadata),
    ):
        pairs |= {f"{name}.{safe(field)}": value for field, value in values.items()}
    output.pairs(pairs)


@group.command()
def delete(
    context: typer.Context,
    session_ids: Annotated[list[str], typer.Argument(metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete sessions with everything they have; also damaged ones."""
    state = state_of(context)
    for session_id in session_ids:
        check_session_id(session_id)
    if not yes:
        if state.output.as_json:
            raise WrongUsage("nothing was done: under --json nobody is asked; confirm with --yes")
        names = ", ".join(repr(session_id) for session_id in session_ids)
        typer.confirm(f"Delete {safe(names)} for good?", abort=True, err=True)
    deleted = run(_delete(state, session_ids))
    for session_id, existed in deleted.items():
        if state.output.as_json:
            state.output.emit({"id": session_id, "deleted": existed})
        elif existed:
            state.output.say(f"deleted {safe(session_id)}")
    missing = [session_id for session_id, existed in deleted.items() if not existed]
    if missing:
        raise NegativeAnswer("; ".join(missing_text(session_id) for session_id in missing))


async def _delete(state: State, session_ids: list[str]) -> dict[str, bool]:
    async with state.found() as cache:
        answers = await asyncio.gather(*(cache.sessions.delete(session_id) for session_id in session_ids))
    return dict(zip(session_ids, answers, strict=True))
