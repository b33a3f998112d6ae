"""`sessioncache keys`: the catalogue of keys, or the keys of one session as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from sessioncache.cli.output import bytes_text, duration_text
from sessioncache.cli.root import NegativeAnswer, State, run, state_of
from sessioncache.cli.sessions import missing_text
from sessioncache.errors import SessionCacheError
from sessioncache.namespaces import questions
from sessioncache.transport.connect_async import connect
from sessioncache.types import check_session_id
from sessioncache.wire.keys import CATALOGUE, ROOMS, kind_of

__all__ = ["command"]

EXPIRY = {"session": "with its session", "never": "never", "bounded": "always, within"}


@dataclass(frozen=True)
class KeySeen:
    """One key of a session."""

    key: str
    kind: str
    type: str
    ttl_ms: int | None
    bytes: int | None


def command(
    context: typer.Context,
    session: Annotated[str | None, typer.Option(metavar="ID", help="The keys that this session has.")] = None,
) -> None:
    """Show the kinds of keys, or those of one session. --session says which."""
    state = state_of(context)
    if session is None:
        _catalogue(state)
        return
    seen = run(_of_session(state, session))
    if state.output.as_json:
        for key in seen:
            state.output.emit(key)
    elif seen:
        rows = [
            (
                key.key,
                key.kind,
                key.type,
                "never" if key.ttl_ms is None else duration_text(key.ttl_ms),
                "unknown" if key.bytes is None else bytes_text(key.bytes),
            )
            for key in seen
        ]
        state.output.table(("key", "kind", "type", "#expires in", "#memory"), rows)
    if not seen:
        raise NegativeAnswer(missing_text(session))


def _catalogue(state: State) -> None:
    output = state.output
    if output.as_json:
        for kind in CATALOGUE:
            output.emit(kind)
        return
    rows = [
        (
            kind.pattern,
            kind.type,
            EXPIRY[kind.expiry] + (f" {duration_text(kind.expires_within_ms)}" if kind.expires_within_ms else ""),
            kind.about,
        )
        for kind in CATALOGUE
    ]
    output.table(("key", "type", "expires", "what it holds"), rows)


async def _of_session(state: State, session_id: str) -> list[KeySeen]:
    check_session_id(session_id)
    async with state.found() as cache:
        keys = cache.keys.session(session_id)
    transport = connect(state.settings())
    rooms = [key for room in ROOMS for key in keys.room(room)]
    candidates = (keys.record, keys.transcript, keys.sealed, keys.operations, *rooms, keys.lease, keys.tombstone)
    try:
        answers = await transport.call_many(
            [
                question(key=key)
                for key in candidates
                for question in (questions.key_type, questions.key_ttl_ms, questions.key_memory)
            ],
            return_errors=True,
        )
    finally:
        await transport.aclose()
    seen: list[KeySeen] = []
    for index, key in enumerate(candidates):
        found, ttl_ms, size = answers[3 * index : 3 * index + 3]
        if isinstance(found, SessionCacheError):
            raise found
        kind = kind_of(key)
        if found != "none" and kind is not None:
            lasting = isinstance(ttl_ms, SessionCacheError) or ttl_ms < 0
            unknown = isinstance(size, SessionCacheError)
            seen.append(KeySeen(key, kind.name, found, None if lasting else ttl_ms, None if unknown else size))
    return seen
