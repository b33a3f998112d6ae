"""The methods of `cache.usage`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from sessioncache.rooms.logs import LogEntry, LogWindow
from sessioncache.transport.base import AsyncTransport
from sessioncache.types import NO_BASE, Base, SessionId, check_limit, check_session_id, check_user
from sessioncache.usage import lua
from sessioncache.usage.lines import (
    add,
    buckets_of,
    check_lines,
    parse_line,
    round_of,
    sums_by_model,
    sums_from,
)
from sessioncache.usage.models import (
    CompactionEvent,
    SessionUsage,
    UsageAppended,
    UsageBucket,
    UsageEntry,
    UsagePage,
    UsageRound,
    UsageSums,
)
from sessioncache.wire.call import Arg, Write
from sessioncache.wire.keys import Keyspace

__all__ = ["AsyncUsage"]

CALL: Final = "usage.list"


class AsyncUsage:
    """The usage log of sessions: append lines, read them, read their sums."""

    def __init__(self, transport: AsyncTransport, keys: Keyspace, *, line_bytes_max: int) -> None:
        self._transport = transport
        self._keys = keys
        self._line_bytes_max = line_bytes_max

    async def append(
        self,
        session_id: SessionId,
        lines: bytes | str | Mapping[str, Any] | Sequence[bytes | str | Mapping[str, Any]],
        *,
        create: bool = True,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> UsageAppended:
        """Add one line or several to the end, and their numbers to the sums of their models.

        A line is kept byte for byte, without the newlines at its end, and is not validated: what is no JSON object is
        stored and counted, but adds nothing to the sums.

        Unknown session: it is created; with `create=False` it is left alone, and `stored` is False. Atomic, one round
        trip; slides the expiry. Where the policy keeps only so many lines, the oldest are dropped; the sums stay whole.

        Args:
            session_id: whose log.
            lines: a line as bytes, text or a JSON object, or a list of them, 1 to 500.
            create: whether an unknown session is created.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: bad id, no line, an empty one, or one with a newline inside; nothing is written.
            LimitExceeded: a line, their number or the session's quota is too large; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        checked = check_lines(lines, bytes_max=self._line_bytes_max)
        sums: list[Arg] = []
        for name, number in sums_by_model(checked).items():
            sums += [name, number]
        usage, usage_totals = keys.room("usage")
        return await self._transport.call(
            lua.append(
                session=keys,
                usage=usage,
                usage_totals=usage_totals,
                write=Write.of(self._keys, "usage.append", base, operation_id),
                user=check_user(user),
                create=create,
                sums=sums,
                lines=checked,
            )
        )

    async def list(
        self,
        session_id: SessionId,
        *,
        last: int | None = None,
        start: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> UsagePage:
        """A page of lines, oldest first: the last n, those from a position on, or the next page of either.

        Unknown session: an empty page whose `exists` is False. One round trip; costs what it answers, however long the
        log is. Does not slide the expiry, unless the policy says so.

        Args:
            session_id: whose log.
            last: the newest n lines, 0 to 5000; its cursor leads to older ones.
            start: first position of a range; its cursor leads to newer ones. Without anything: from the oldest.
            limit: most lines of a page of a range, 0 to 5000; 500 unless given.
            cursor: of the page before; nothing else may be given with it but `limit`.

        Raises:
            InvalidArgument: a negative number, `last` together with a range, or a foreign cursor.
            SessionTorn: the record and the log disagree.
        """
        keys = self._keys.session(check_session_id(session_id))
        window = LogWindow.of(CALL, last=last, start=start, limit=limit, cursor=cursor)
        raw = await self._transport.call(
            lua.list_(
                session=keys,
                usage=keys.room("usage")[0],
                now_override_ms=self._keys.now_override_ms,
                start=window.start,
                stop=window.stop,
                limit=window.limit,
                newest=window.newest,
            )
        )
        return window.page(raw, _entry)

    async def each(self, session_id: SessionId, *, start: int = 1, batch: int = 500) -> AsyncIterator[UsageEntry]:
        """Every line from a position on, oldest first, read a page at a time.

        Unknown session: nothing. Lines that are appended meanwhile are answered too.

        Raises:
            SessionTorn: as `list`.
        """
        check_limit(batch, what="batch", at_least=1)
        page = await self.list(session_id, start=start, limit=batch)
        while True:
            for entry in page:
                yield entry
            if page.cursor is None:
                return
            page = await self.list(session_id, cursor=page.cursor)

    async def count(self, session_id: SessionId) -> int:
        """How many lines there are; 0 for an unknown session. One round trip.

        Raises:
            SessionTorn: the record and the log disagree.
        """
        return (await self.list(session_id, last=0)).count

    async def totals(self, session_id: SessionId) -> SessionUsage:
        """The sums of all lines ever appended, together and by model.

        Unknown session: `exists` is False, and every sum is 0. One round trip; costs the number of models, however long
        the log is. Does not slide the expiry, unless the policy says so.

        Raises:
            SessionTorn: the record, the log and its sums disagree.
        """
        keys = self._keys.session(check_session_id(session_id))
        usage, usage_totals = keys.room("usage")
        found = await self._transport.call(
            lua.totals(session=keys, usage=usage, usage_totals=usage_totals, now_override_ms=self._keys.now_override_ms)
        )
        if found is None:
            return SessionUsage(exists=False, gen=None, revision=0, lines=0, all=UsageSums(), by_model={})
        gen, revision, fields = found
        by_model = sums_from(fields)
        return SessionUsage(
            exists=True,
            gen=gen,
            revision=revision,
            lines=fields.get("lines", 0),
            all=add(by_model.values()),
            by_model=by_model,
        )

    async def over_time(self, session_id: SessionId, bucket_ms: int) -> Sequence[UsageBucket]:
        """The sums of each span of time in which there was a line, oldest first, by the server's clock.

        Unknown session: none. Reads the whole log, a page a round trip, so lines that were dropped are not in it.

        Raises:
            InvalidArgument: the span is shorter than a millisecond.
            SessionTorn: as `list`.
        """
        check_limit(bucket_ms, what="bucket_ms", at_least=1)
        entries: list[UsageEntry] = []
        async for entry in self.each(session_id):
            entries += [entry]
        return buckets_of(entries, bucket_ms)

    async def rounds(self, session_id: SessionId) -> Sequence[UsageRound]:
        """Every model call with its share of cached input and the pause before it, oldest first.

        Unknown session: none. Reads the whole log, a page a round trip; lines that are no JSON object are passed over.

        Raises:
            SessionTorn: as `list`.
        """
        found: list[UsageRound] = []
        async for entry in self.each(session_id):
            if entry.record is not None:
                found.append(round_of(entry, entry.record, found[-1] if found else None))
        return found

    async def compactions(self, session_id: SessionId) -> Sequence[CompactionEvent]:
        """Every model call that removed segments, with the call that followed it, oldest first.

        Unknown session: none. Reads the whole log, as `rounds` does.

        Raises:
            SessionTorn: as `list`.
        """
        rounds = await self.rounds(session_id)
        following = [*rounds[1:], None]
        return [
            CompactionEvent(one, after)
            for one, after in zip(rounds, following, strict=False)
            if one.segments_removed > 0
        ]


def _entry(entry: LogEntry) -> UsageEntry:
    return UsageEntry(entry.position, entry.ms, entry.payload, parse_line(entry.payload))
