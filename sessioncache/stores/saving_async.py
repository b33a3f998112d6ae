"""Saving an object whose messages are a log: only what is new is sent, and nobody else's messages are taken away.

The rule of this module: the object remembers what is stored only after the server has said so. A write whose outcome is
not known is sent again, under its operation id, before anything else is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import (
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    NotReplicated,
    OutcomeUnknown,
    SessionCacheError,
    SessionGone,
    VersionConflict,
)
from sessioncache.sessions.models import Session
from sessioncache.stores.kept_message import Dumps, fingerprint
from sessioncache.stores.message_log import (
    LogBase,
    Plan,
    Remembering,
    memory_of,
    only_in,
    plan_append,
    plan_meeting,
    plan_rewrite,
)
from sessioncache.stores.read_models import ReadTranscript
from sessioncache.stores.reading_async import read_transcript
from sessioncache.transcripts.models import Entry
from sessioncache.types import Base, JSONObject

__all__ = ["AsyncMessageSaver"]

AT_ONCE = 500
"""Messages that one script takes."""

TRIES = 20

UNKNOWN_OUTCOME = (BackendTimeout, BackendUnavailable, NotReplicated)
"""After these, and whatever is not ours, a cancellation among it, the write may have been made."""


@dataclass(slots=True)
class AsyncMessageSaver:
    """One save of one object."""

    cache: AsyncSessionCache
    target: Remembering
    record: Session
    """Is saved, and takes the merged values."""
    dumps: Dumps
    """Its messages, as they are stored."""
    documents: Mapping[str, Any]
    as_loaded: Callable[[Entry], JSONObject]
    """How a stored message reads after it went through the object's model."""
    updated_at: datetime | None = None
    keep_runtime: bool = False
    """Whether status, parent and metadata stay as they are stored."""
    unchanged: bool = False
    """Whether record and documents are as the last save gave and left them."""

    async def save(self) -> None:
        """Save record, documents and new messages in one write, where these are not more than 500.

        More new messages follow 500 at a time. Where the object changed or lost messages that are stored, the whole
        transcript is swapped, those of others included, if nobody writes in between; more than 500 are staged first.

        Raises:
            SessionGone: the session that the object was loaded from, or saved to, is no longer there.
            Conflict: others wrote each time that the transcript was to be swapped.
        """
        memory = memory_of(self.target)
        if memory.unanswered is not None:
            await self._settle(memory.unanswered)
        for _ in range(TRIES):
            known = memory.log
            try:
                if known is None:
                    await self._meet()
                    return
                plan = plan_append(self.dumps, known, base=only_in(known.gen), most=AT_ONCE)
                if plan is None:
                    plan = await self._rewriting(known)
                await self._send(plan)
                if len(plan.prints) < len(self.dumps.kept):
                    await self._append_rest()
                return
            except VersionConflict:
                continue
        raise Conflict(
            f"others wrote to session {self.record.id!r} each of the {TRIES} times it was to be saved; try again"
        )

    async def _settle(self, unanswered: Plan) -> None:
        """Send a write again whose outcome is not known: it is answered, or made now."""
        known, _ = self.target.remembered()
        if unanswered.is_forgotten and known is not None:
            found = await self._read(known)
            stored = [(entry.seq, fingerprint(self.as_loaded(entry))) for entry in found.entries]
            self.target.remember(unanswered.found_in(known, stored))
            return
        try:
            # The answer tells what was stored then; what the object holds by now is still to be saved.
            await self._send(unanswered, self.record.model_copy(deep=True))
        except VersionConflict:
            # It was not made, and somebody has written since.
            self.target.remember(known)

    async def _meet(self) -> None:
        """Save an object of unknown origin: create the session, or add to it what it does not have."""
        first, prints = self.dumps.values(0, AT_ONCE), self.dumps.prints
        start = Plan(first, prints.first(AT_ONCE), range(0, -len(first), -1), Base(revision=0))
        try:
            await self._send(start)
        except VersionConflict:
            found = await read_transcript(self.cache, self.record.id)
            if found.gen is None:
                raise
            stored = [(entry.seq, fingerprint(self.as_loaded(entry))) for entry in found.entries]
            log, new = plan_meeting(prints, stored, gen=found.gen)
            await self._add(log, new, Base(found.gen, found.revision))
            return
        await self._append_rest()

    async def _add(self, log: LogBase, new: Sequence[int], base: Base) -> None:
        """Append the messages at these positions; the object knows them all once the last one is stored."""
        prints, messages = self.dumps.prints, self.dumps.values()
        fresh = set(new)
        stored = iter(log.seqs)
        seqs = [0 if index in fresh else next(stored) for index in range(len(prints))]
        for start in range(0, max(len(new), 1), AT_ONCE):
            part = new[start : start + AT_ONCE]
            if start + AT_ONCE >= len(new):
                at = {index: -offset for offset, index in enumerate(part)}
                places = tuple(at.get(index, seqs[index]) for index in range(len(prints)))
                plan = Plan([messages[index] for index in part], prints, places, base)
                await self._send(plan)
                return
            appended = await self.cache.transcripts.append(
                self.record.id, [messages[index] for index in part], base=base
            )
            for offset, index in enumerate(part):
                seqs[index] = appended.first_seq + offset
            base = Base(appended.gen)

    async def _append_rest(self) -> None:
        while True:
            known, _ = self.target.remembered()
            if known is None or len(known.prints) >= len(self.dumps.prints):
                return
            plan = plan_append(self.dumps, known, base=only_in(known.gen), most=AT_ONCE)
            if plan is None:
                return
            await self._send(plan)

    async def _read(self, known: LogBase) -> ReadTranscript:
        found = await read_transcript(self.cache, self.record.id)
        if found.gen != known.gen:
            raise SessionGone(
                f"session {self.record.id!r} was deleted, or has expired, since it was loaded or saved; load it anew"
            )
        return found

    async def _rewriting(self, known: LogBase) -> Plan:
        found = await self._read(known)
        stored = [(entry.seq, fingerprint(self.as_loaded(entry)), entry.message) for entry in found.entries]
        return plan_rewrite(
            self.dumps.values(), self.dumps.prints, known, stored=stored, base=Base(found.gen, found.revision)
        )

    async def _send(self, plan: Plan, record: Session | None = None) -> None:
        unchanged = self.unchanged and record is None
        record = record or self.record
        memory = memory_of(self.target)
        known = memory.log
        try:
            if len(plan.messages) > AT_ONCE:
                replaced = await self.cache.transcripts.save(
                    self.record.id, plan.messages, base=plan.base, operation_id=plan.operation_id
                )
                known = plan.done(replaced.gen, replaced.first_seq)
                self.target.remember(known)
                plan = _record_only(plan, replaced.gen, replaced.first_seq)
            saved = await self.cache.sessions.save(
                record,
                messages=plan.messages,
                through=plan.through,
                documents=self.documents,
                updated_at=self.updated_at,
                keep_runtime=self.keep_runtime,
                base=plan.base,
                operation_id=plan.operation_id,
                known=memory.known,
                unchanged=unchanged,
            )
        except OutcomeUnknown:
            # Whether it was made is never answered: the next save looks at what is stored.
            self.target.remember(known, replace(plan, is_forgotten=True) if known else None)
            raise
        except BaseException as error:
            if not isinstance(error, SessionCacheError) or isinstance(error, UNKNOWN_OUTCOME):
                self.target.remember(known, plan)
            raise
        memory.log, memory.unanswered = plan.done(record.gen or "", saved.first_seq or 0), None
        memory.known = saved.known


def _record_only(plan: Plan, gen: str, first_seq: int) -> Plan:
    """What is left to write once the messages are stored."""
    log = plan.done(gen, first_seq)
    return Plan([], log.prints, (), Base(gen=gen), log.seqs)
