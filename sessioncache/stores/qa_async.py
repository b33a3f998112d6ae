"""Contract 002: questions and answers, graph context and trace of pairs of a user and a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from pydantic import ValidationError

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.qa import QAEntry, format_history, history_messages
from sessioncache.stores.qa_models import SessionQAEntry, SessionQAUpdate
from sessioncache.stores.stored_model import given, read_back
from sessioncache.stores.user_sessions import DEFAULT_USER, session_id_for
from sessioncache.traces import TraceStep
from sessioncache.types import UNSET, Unset, check_limit

__all__ = ["AsyncQAStore", "AsyncQAStoreProtocol"]

HISTORY = 10
"""Entries of a history, unless the caller says how many."""


class AsyncQAStoreProtocol(Protocol):
    """What users of contract 002 rely on."""

    async def create_qa_entry(
        self, session_id: str, user_id: str | None, question: str, answer: str, context: str | None = None
    ) -> str:
        """Add an entry and answer its id; creates the session."""

    async def get_latest_qa_entries(self, session_id: str, user_id: str | None, last_n: int) -> list[SessionQAEntry]:
        """The newest n, oldest first."""

    async def get_all_qa_entries(self, session_id: str, user_id: str | None) -> list[SessionQAEntry]:
        """All of them, oldest first."""

    async def update_qa_entry(self, session_id: str, user_id: str | None, qa_id: str, update: SessionQAUpdate) -> bool:
        """Change fields of an entry; False where there is none."""

    async def delete_qa_entry(self, session_id: str, user_id: str | None, qa_id: str) -> bool:
        """Remove an entry; False where there is none."""

    async def delete_session(self, session_id: str, user_id: str | None) -> bool:
        """Remove everything of the session; False where there is none."""

    async def prune(self) -> int:
        """Remove every session, of all users."""

    async def get_graph_context(self, session_id: str, user_id: str | None) -> str | None:
        """The graph context; None where it was never set."""

    async def set_graph_context(self, session_id: str, user_id: str | None, context: str) -> None:
        """Set the graph context, in place of what it was."""

    async def latest_qa_id(self, session_id: str, user_id: str | None) -> str | None:
        """The id of the newest entry; None where there is none."""

    async def save_trace_step(self, user_id: str | None, session_id: str, step: TraceStep) -> str:
        """Add a step to the trace and answer its id."""

    async def read_trace_steps(self, user_id: str | None, session_id: str) -> list[TraceStep]:
        """All steps, oldest first."""


class AsyncQAStore:
    """Contract 002 over a cache. Every pair of a user and a session is a session of its own.

    The user None is the user `default`, whose sessions are those of the other contracts.
    """

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache

    async def create_qa_entry(
        self, session_id: str, user_id: str | None, question: str, answer: str, context: str | None = None
    ) -> str:
        """Add an entry to the end and answer its id, a text of 36 characters.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Raises:
            InvalidArgument: a blank session or user, or a value that is no text; nothing is written.
            LimitExceeded: the entry or the session's quota is too large; nothing is written.
        """
        name = session_id_for(session_id, user_id)
        return await self._cache.qa.append(name, question, answer, context=context, user=user_id or DEFAULT_USER)

    async def get_latest_qa_entries(self, session_id: str, user_id: str | None, last_n: int) -> list[SessionQAEntry]:
        """The newest n entries, oldest first; 0: none.

        Unknown session: none. One round trip for each 500. Does not slide the expiry, unless the policy says so.

        Raises:
            InvalidArgument: a negative number, or a blank session or user.
            DecodeError: an entry cannot be decoded; the message says which.
            SessionTorn: a part of the session is gone.
        """
        name = session_id_for(session_id, user_id)
        check_limit(last_n, what="last_n")
        return [_owned(entry, session_id, user_id) for entry in await self._cache.qa.last(name, last_n)]

    async def get_all_qa_entries(self, session_id: str, user_id: str | None) -> list[SessionQAEntry]:
        """Every entry, oldest first.

        Unknown session: none. One round trip for each 500. Does not slide the expiry, unless the policy says so.

        Raises:
            InvalidArgument, DecodeError, SessionTorn: as `get_latest_qa_entries`.
        """
        found: list[SessionQAEntry] = []
        async for entry in self._cache.qa.each(session_id_for(session_id, user_id)):
            found += [_owned(entry, session_id, user_id)]
        return found

    async def update_qa_entry(
        self, session_id: str, user_id: str | None, qa_id: str | UUID, update: SessionQAUpdate | Mapping[str, Any]
    ) -> bool:
        """Change fields of an entry; answers whether it was there. What is not named stays.

        Unknown session or entry: False. Atomic, one round trip; slides the expiry, unless nothing changes.

        Args:
            session_id: the session as its user calls it.
            user_id: whose session.
            qa_id: the entry's id, as a text or a UUID.
            update: the fields to change, or a mapping of them. Flags of `memify_metadata` are set one by one.

        Raises:
            InvalidArgument: a score outside 1 to 5, a question or answer cleared, or another wrong value; nothing is
                written.
            LimitExceeded: a field is too large; nothing is written.
        """
        name = session_id_for(session_id, user_id)
        try:
            changes = (update if isinstance(update, SessionQAUpdate) else SessionQAUpdate(**update)).changes()
        except TypeError as error:
            raise InvalidArgument(f"update is no SessionQAUpdate: {error}") from error
        return (await self._cache.qa.update(name, qa_id, **changes)).found

    async def delete_qa_entry(self, session_id: str, user_id: str | None, qa_id: str | UUID) -> bool:
        """Remove an entry; answers whether it was there.

        Unknown session or entry: False. Atomic, one round trip; slides the expiry, where the entry was there.

        Raises:
            InvalidArgument: a blank session or user, or a bad id.
        """
        return await self._cache.qa.delete(session_id_for(session_id, user_id), qa_id)

    async def delete_session(self, session_id: str, user_id: str | None) -> bool:
        """Remove everything of the session: entries, graph context, trace, and whatever other contracts keep in it.

        Unknown session: False. Atomic, one round trip.

        Raises:
            InvalidArgument: a blank session or user.
        """
        return await self._cache.sessions.delete(session_id_for(session_id, user_id))

    async def prune(self) -> int:
        """Remove every session of the namespace, of all users and contracts; answers how many there were.

        Other namespaces, and foreign keys beside them, stay. Deletes in batches, so the server is never busy for long.
        """
        return await self._cache.sessions.delete_all()

    async def get_graph_context(self, session_id: str, user_id: str | None) -> str | None:
        """The graph context; None where it was never set.

        Unknown session: None. One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            InvalidArgument: a blank session or user.
            DecodeError: it is no text.
            SessionTorn: a part of the session is gone.
        """
        found = await self._cache.qa.get_graph_context(session_id_for(session_id, user_id))
        if found is not None and not isinstance(found, str):
            raise DecodeError(f"the graph context is a {type(found).__name__}, not a text")
        return found

    async def set_graph_context(self, session_id: str, user_id: str | None, context: str) -> None:
        """Set the graph context, in place of what it was.

        Unknown session: it is created. Atomic, one round trip; slides the expiry.

        Raises:
            InvalidArgument: a blank session or user, or something that is no text; nothing is written.
            LimitExceeded: it is too large; nothing is written.
        """
        name = session_id_for(session_id, user_id)
        if not isinstance(context, str):
            raise InvalidArgument(f"context must be a text, not {type(context).__name__}")
        await self._cache.qa.set_graph_context(name, context, user=user_id or DEFAULT_USER)

    async def latest_qa_id(self, session_id: str, user_id: str | None) -> str | None:
        """The id of the newest entry, as `update_qa_entry` and `delete_qa_entry` take it; None where there is none.

        Unknown session: None. One round trip. Does not slide the expiry, unless the policy says so.

        Raises:
            InvalidArgument, DecodeError, SessionTorn: as `get_latest_qa_entries`.
        """
        found = await self._cache.qa.last(session_id_for(session_id, user_id), 1)
        return found[0].id if found else None

    async def save_trace_step(self, user_id: str | None, session_id: str, step: TraceStep | Mapping[str, Any]) -> str:
        """Add a step to the end of the trace and answer its id, which is the caller's.

        Unknown session: it is created. Atomic, one round trip; slides the expiry. Every field is kept as it is given;
        `sessioncache.traces.make_trace_step` makes a step of short texts and plain JSON.

        Raises:
            InvalidArgument: a blank user, session, trace id, function or status, or no JSON; nothing is written.
            LimitExceeded: the step or the session's quota is too large; nothing is written.
        """
        name = session_id_for(session_id, user_id)
        checked = given(TraceStep, step, what="step")
        for what in ("trace_id", "origin_function", "status"):
            if not getattr(checked, what).strip():
                raise InvalidArgument(f"{what} of a trace step is blank; give it a text")
        await self._cache.traces.append(name, checked, user=user_id or DEFAULT_USER)
        return checked.trace_id

    async def read_trace_steps(self, user_id: str | None, session_id: str) -> list[TraceStep]:
        """Every step of the trace, oldest first.

        Unknown session: none. One round trip for each 500. Does not slide the expiry, unless the policy says so.

        Raises:
            InvalidArgument: a blank session or user.
            DecodeError: a step cannot be decoded; `.seq` says which.
            SessionTorn: a part of the session is gone.
        """
        found: list[TraceStep] = []
        async for entry in self._cache.traces.each(session_id_for(session_id, user_id)):
            found += [read_back(TraceStep, entry.step, what=f"step {entry.position}", seq=entry.position)]
        return found

    async def get_agent_trace_session(
        self, user_id: str | None, session_id: str, last_n: int | None = None
    ) -> list[TraceStep]:
        """The newest n steps of the trace, oldest first; all of them for None.

        Raises:
            InvalidArgument: a negative number, or one above 5000.
            DecodeError, SessionTorn: as `read_trace_steps`.
        """
        if last_n is None:
            return await self.read_trace_steps(user_id, session_id)
        page = await self._cache.traces.list(session_id_for(session_id, user_id), last=last_n)
        return [read_back(TraceStep, entry.step, what=f"step {entry.position}", seq=entry.position) for entry in page]

    async def get_history(self, session_id: str, user_id: str | None, last_n: int = HISTORY) -> list[dict[str, str]]:
        """The newest n entries as messages of a user and an assistant by turns, oldest first.

        Raises:
            InvalidArgument, DecodeError, SessionTorn: as `get_latest_qa_entries`.
        """
        return history_messages(await self.get_latest_qa_entries(session_id, user_id, last_n))

    async def get_formatted_history(
        self, session_id: str, user_id: str | None, last_n: int = HISTORY, *, include_context: bool = False
    ) -> str:
        """The newest n entries as one text for a prompt, each with its time; empty where there are none.

        Raises:
            InvalidArgument, DecodeError, SessionTorn: as `get_latest_qa_entries`.
        """
        entries = await self.get_latest_qa_entries(session_id, user_id, last_n)
        return format_history(entries, include_context=include_context)

    async def add_feedback(
        self,
        session_id: str,
        user_id: str | None,
        qa_id: str | UUID,
        *,
        feedback_text: str | Unset | None = UNSET,
        feedback_score: int | Unset | None = UNSET,
    ) -> bool:
        """Say what an answer was worth; answers whether it was there. UNSET leaves a field, None clears it.

        The flag `feedback_weights_applied` becomes False, so that the feedback is taken into account once more.

        Raises:
            InvalidArgument: a score outside 1 to 5; nothing is written.
        """
        update = SessionQAUpdate(
            feedback_text=feedback_text,
            feedback_score=feedback_score,
            memify_metadata={"feedback_weights_applied": False},
        )
        return await self.update_qa_entry(session_id, user_id, qa_id, update)

    async def delete_feedback(self, session_id: str, user_id: str | None, qa_id: str | UUID) -> bool:
        """Clear text and score; answers whether the entry was there.

        Raises:
            InvalidArgument: a blank session or user, or a bad id.
        """
        update = SessionQAUpdate(feedback_text=None, feedback_score=None)
        return await self.update_qa_entry(session_id, user_id, qa_id, update)


def _owned(entry: QAEntry, session_id: str, user_id: str | None) -> SessionQAEntry:
    fields = {**entry.model_dump(), "session_id": session_id, "user_id": user_id}
    try:
        return SessionQAEntry.model_validate(fields)
    except ValidationError as error:
        raise DecodeError(f"entry {entry.id!r} is no SessionQAEntry: {error}") from error
