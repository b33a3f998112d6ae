"""The newest messages of a transcript, as they are kept in memory, and the pages that are made of them.

The rule of this module: what is given out is never what is kept. Messages are copied for each page, all else cannot be
changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from sys import getsizeof
from typing import Final, overload

from sessioncache.sealing.models import NO_ROWS, RawEntry, Rows
from sessioncache.transcripts.lua import RawPage
from sessioncache.transcripts.models import Entries, TranscriptPage
from sessioncache.transcripts.paging import Window, with_entries
from sessioncache.types import JSONObject
from sessioncache.wire.copies import Plan, TooDeepError, copied, plan_of
from sessioncache.wire.messages import MessageEncoder

__all__ = ["Tail", "page_again"]

TAIL_BYTES: Final = 700
"""What a tail costs besides its entries."""

ENTRY_BYTES: Final = 96
"""What an entry costs besides its payload: two numbers, and its places in three rows."""


class KeptRows(Rows):
    """Messages of a tail, each made when it is asked for."""

    __slots__ = ("_payloads", "_seqs", "_times_ms")

    def __init__(self, seqs: tuple[int, ...], times_ms: tuple[int, ...], payloads: tuple[bytes, ...]) -> None:
        self._seqs = seqs
        self._times_ms = times_ms
        self._payloads = payloads

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def ends(self) -> tuple[int, int]:
        """The sequence numbers of the first and the last."""
        return self._seqs[0], self._seqs[-1]

    @property
    def texts(self) -> tuple[bytes, ...]:
        """What is stored of them."""
        return self._payloads

    def entries(self) -> list[RawEntry]:
        """All of them."""
        return list(map(RawEntry, self._seqs, self._times_ms, self._payloads))

    @overload
    def __getitem__(self, index: int) -> RawEntry: ...
    @overload
    def __getitem__(self, index: slice) -> KeptRows: ...
    def __getitem__(self, index: int | slice) -> RawEntry | KeptRows:
        """One of them, or some of them."""
        if isinstance(index, slice):
            return KeptRows(self._seqs[index], self._times_ms[index], self._payloads[index])
        return RawEntry(self._seqs[index], self._times_ms[index], self._payloads[index])


@dataclass(slots=True)
class Tail:
    """A page without messages, and its entries in rows, oldest first."""

    head: RawPage | None
    """None: there is no such session."""
    seqs: tuple[int, ...]
    times_ms: tuple[int, ...]
    payloads: tuple[bytes, ...]
    cursor: tuple[int, str | None] | None = None
    """What leads to older ones from a page of so many messages: the last one that was asked for."""
    messages: list[JSONObject] | None = None
    """Never given out, only copies of them; None: `prepare` comes first. None
    of them, where they are not for copying."""
    plans: list[Plan] = field(default_factory=list)

    @classmethod
    def of(cls, raw: RawPage | None) -> Tail:
        """What to keep of a page."""
        if raw is None:
            return cls(None, (), (), ())
        shown = raw.entries.entries()
        return cls(
            with_entries(raw, NO_ROWS, None),
            tuple([entry.seq for entry in shown]),
            tuple([entry.ms for entry in shown]),
            tuple([entry.payload for entry in shown]),
        )

    def prepare(self, encoder: MessageEncoder) -> int:
        """Decode the messages, once for all pages; answers the bytes that they take.

        Not done before the first page is made: most of what is kept may never be asked for.
        """
        self.messages = messages = self._decoded(encoder, 0)
        size = 0
        try:
            for message, payload in zip(messages, self.payloads, strict=True):
                plan, more = plan_of(message)
                self.plans.append(plan)
                # One character beyond ASCII can make a text of one byte a character one of four.
                size += more + len(payload) * (1 if payload.isascii() and b"\\u" not in payload else 4)
        except TooDeepError:
            self.messages, self.plans = [], []
            return 0
        return size

    def copies(self, first: int, encoder: MessageEncoder) -> list[JSONObject]:
        """New copies of the messages from this one on."""
        if not self.messages:
            return self._decoded(encoder, first)
        return list(map(copied, self.messages[first:], self.plans[first:]))

    def _decoded(self, encoder: MessageEncoder, first: int) -> list[JSONObject]:
        payloads = self.payloads[first:]
        together = encoder.decode_together(payloads, len(payloads))
        if together is not None:
            return together
        return [encoder.decode(payload, seq=seq) for payload, seq in zip(payloads, self.seqs[first:], strict=True)]

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return TAIL_BYTES + len(self.payloads) * ENTRY_BYTES + sum(map(getsizeof, self.payloads))

    @property
    def extent(self) -> float:
        """How many of the last messages it has; infinite: all that there are."""
        return inf if self.head is None or len(self.seqs) >= self.head.count else len(self.seqs)


def page_again(tail: Tail, window: Window, encoder: MessageEncoder) -> TranscriptPage:
    """The page of the last messages."""
    head = tail.head
    if head is None:
        return TranscriptPage((), exists=False, gen=None, revision=0, count=0, cursor=None)
    first = max(len(tail.seqs) - window.limit, 0)
    seqs = tail.seqs[first:]
    if tail.cursor is None or tail.cursor[0] != window.limit:
        tail.cursor = window.limit, window.after((seqs[0], seqs[-1]) if seqs else None, head)
    return TranscriptPage(
        Entries(KeptRows(seqs, tail.times_ms[first:], tail.payloads[first:]), tail.copies(first, encoder)),
        exists=True,
        gen=head.gen,
        revision=head.revision,
        count=head.count,
        cursor=tail.cursor[1],
    )
