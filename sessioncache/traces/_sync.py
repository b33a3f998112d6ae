# Generated from sessioncache/traces/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.traces`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sessioncache.errors import DecodeError, InvalidArgument, LimitExceeded
from sessioncache.rooms.logs import LOG_BATCH_MAX, LogAppended, LogEntry, LogWindow
from sessioncache.traces import lua
from sessioncache.traces.models import TraceEntry, TracePage, TraceStep
from sessioncache.transport.base import Transport
from sessioncache.types import NO_BASE, Base, SessionId, check_limit, check_session_id, check_user
from sessioncache.wire.call import Write
from sessioncache.wire.keys import Keyspace
from sessioncache.wire.values import ValueEncoder

__all__ = ["Traces"]

CALL: Final = "traces.list"


class Traces:
    """The trace of sessions: append steps, read them."""

    def __init__(self, transport: Transport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values

    def append(
        self,
        session_id: SessionId,
        steps: TraceStep | Mapping[str, Any] | Sequence[TraceStep | Mapping[str, Any]],
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> LogAppended:
        """Add one step or several to the end, in one block that nobody else's steps come between.

        Unknown session: it is created. Atomic, one round trip; slides the expiry. Where the policy keeps only so many
        steps, the oldest are dropped.

        Args:
            session_id: whose trace.
            steps: a TraceStep or a JSON object, or a list of them, 1 to 500. `make_trace_step` makes a fit one.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: bad id, no step, or something that is no JSON object; nothing is written.
            LimitExceeded: a step, their number or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        payloads = [self._encode(number, step) for number, step in enumerate(_batch(steps))]
        write = Write.of(self._keys, "traces.append", base, operation_id)
        (traces,) = keys.room("traces")
        return self._transport.call(
            lua.append(session=keys, traces=traces, write=write, user=check_user(user), payloads=payloads)
        )

    def _encode(self, number: int, step: object) -> bytes:
        if isinstance(step, TraceStep):
            step = step.model_dump()
        if not isinstance(step, Mapping):
            raise InvalidArgument(f"step {number} is a {type(step).__name__}; it must be a JSON object")
        return self._values.encode(f"step {number}", dict(step))

    def list(
        self,
        session_id: SessionId,
        *,
        last: int | None = None,
        start: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TracePage:
        """A page of steps, oldest first: the last n, those from a position on, or the next page of either.

        Unknown session: an empty page whose `exists` is False. One round trip; costs what it answers, however long the
        trace is. Does not slide the expiry, unless the policy says so.

        Args:
            session_id: whose trace.
            last: the newest n steps, 0 to 5000; its cursor leads to older ones.
            start: first position of a range; its cursor leads to newer ones. Without anything: from the oldest.
            limit: most steps of a page of a range, 0 to 5000; 500 unless given.
            cursor: of the page before; nothing else may be given with it but `limit`.

        Raises:
            InvalidArgument: a negative number, `last` together with a range, or a foreign cursor.
            DecodeError: a step cannot be decoded; `.seq` says which.
            SessionTorn: the record and the trace disagree.
        """
        keys = self._keys.session(check_session_id(session_id))
        window = LogWindow.of(CALL, last=last, start=start, limit=limit, cursor=cursor)
        (traces,) = keys.room("traces")
        raw = self._transport.call(
            lua.list_(
                session=keys,
                traces=traces,
                now_override_ms=self._keys.now_override_ms,
                start=window.start,
                stop=window.stop,
                limit=window.limit,
                newest=window.newest,
            )
        )
        return window.page(raw, self._decode)

    def _decode(self, entry: LogEntry) -> TraceEntry:
        try:
            step = self._values.decode(f"step {entry.position}", entry.payload)
        except DecodeError as error:
            raise DecodeError(str(error), seq=entry.position) from error
        if not isinstance(step, dict):
            raise DecodeError(f"step {entry.position} is a {type(step).__name__}, no JSON object", seq=entry.position)
        return TraceEntry(entry.position, entry.ms, entry.payload, step)

    def each(self, session_id: SessionId, *, start: int = 1, batch: int = 500) -> Iterator[TraceEntry]:
        """Every step from a position on, oldest first, read a page at a time.

        Unknown session: nothing. Steps that are appended meanwhile are answered too.

        Raises:
            SessionTorn, DecodeError: as `list`.
        """
        check_limit(batch, what="batch", at_least=1)
        page = self.list(session_id, start=start, limit=batch)
        while True:
            for entry in page:
                yield entry
            if page.cursor is None:
                return
            page = self.list(session_id, cursor=page.cursor)

    def count(self, session_id: SessionId) -> int:
        """How many steps there are; 0 for an unknown session. One round trip.

        Raises:
            SessionTorn: the record and the trace disagree.
        """
        return (self.list(session_id, last=0)).count


def _batch(steps: object) -> Sequence[Any]:
    """The steps as a sequence, a single one as a sequence of one."""
    if isinstance(steps, TraceStep | Mapping):
        return (steps,)
    if isinstance(steps, str | bytes) or not isinstance(steps, Sequence):
        raise InvalidArgument(f"steps must be a JSON object or a list of them, not {type(steps).__name__}")
    if not steps:
        raise InvalidArgument("there is no step to append; give at least one")
    if len(steps) > LOG_BATCH_MAX:
        raise LimitExceeded(f"{len(steps)} steps in one call; the limit is {LOG_BATCH_MAX}: send them in parts")
    return steps
