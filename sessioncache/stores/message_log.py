"""Which messages of an object are stored already, and what a save of the object has to send.

The rule of this module: no I/O. A message is known by a fingerprint of its content and the sequence number that the
server gave it. Messages in the store that the object never knew are other writers': no plan takes them away.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, Self, overload

from pydantic import BaseModel, PrivateAttr

from sessioncache.sessions.models import KnownSave, Session
from sessioncache.stores.kept_message import Dumps, KeptMessage, dump_again, dump_loaded
from sessioncache.stores.stored_model import StoredModel
from sessioncache.types import Base, JSONObject
from sessioncache.wire.call import new_operation_id

__all__ = ["LogBase", "Plan", "Remembering", "memory_of", "only_in", "plan_append", "plan_meeting", "plan_rewrite"]


class Numbers(Sequence[int]):
    """Sequence numbers that never change. Most follow each other: kept are the rows of those that do."""

    __slots__ = ("_rows", "_size")

    def __init__(self, rows: tuple[range, ...] = (), size: int = 0) -> None:
        self._rows = rows
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._rows)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        return tuple(self)[place]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as lists

    def __reduce__(self) -> tuple[type[tuple[int, ...]], tuple[tuple[int, ...]]]:
        """Pickled as plain numbers."""
        return tuple, (tuple(self),)

    def followed_by_row(self, first: int, count: int) -> Numbers:
        """These, and so many behind them that follow each other."""
        rows = self._rows
        if not count:
            return self
        if rows and rows[-1].stop == first:
            rows = (*rows[:-1], range(rows[-1].start, first + count))
        else:
            rows = (*rows, range(first, first + count))
        return Numbers(rows, self._size + count)

    def followed_by(self, more: Iterable[int]) -> Numbers:
        """These, and more behind them."""
        rows, size = self._rows, self._size
        for number in more:
            if rows and rows[-1].stop == number:
                rows = (*rows[:-1], range(rows[-1].start, number + 1))
            else:
                rows = (*rows, range(number, number + 1))
            size += 1
        return Numbers(rows, size)


@dataclass(slots=True)
class LogBase:
    """The messages of an object as they were loaded or saved last. It never changes."""

    gen: str
    """Incarnation of the session."""
    prints: Sequence[bytes] = ()
    """Fingerprints of the object's messages, in its order."""
    seqs: Sequence[int] = ()
    """Where each of them is stored."""


@dataclass(slots=True)
class Plan:
    """One write of messages. It never changes."""

    messages: Sequence[JSONObject]
    """What to send."""
    prints: Sequence[bytes]
    """The object's messages that are stored once this is done."""
    places: Sequence[int]
    """For each of those behind `stored`: its sequence number, or, not above 0, minus its index in `messages`. A range:
    they are the messages."""
    base: Base
    stored: Sequence[int] = ()
    """The sequence numbers of the first ones."""
    through: int | None = None
    """The messages replace what is stored up to this number; None: they are appended."""
    operation_id: str = field(default_factory=new_operation_id)
    is_forgotten: bool = False
    """Whether the server cannot tell any more if it was made: then it is looked for, and not sent again."""

    def done(self, gen: str, first_seq: int) -> LogBase:
        """The base after this write, whose first message got that number."""
        seqs = self.stored if isinstance(self.stored, Numbers) else Numbers().followed_by(self.stored)
        if isinstance(self.places, range):
            return LogBase(gen, self.prints, seqs.followed_by_row(first_seq, len(self.places)))
        new = [place if place > 0 else first_seq - place for place in self.places]
        return LogBase(gen, self.prints, seqs.followed_by(new))

    def found_in(self, known: LogBase, stored: Sequence[tuple[int, bytes]]) -> LogBase:
        """The base after this write if all that it sent is stored, beside what was known before; else `known`."""
        sent = [
            (-place, one) for place, one in zip(self.places, self.prints[len(self.stored) :], strict=True) if place <= 0
        ]
        if not sent:
            return self.done(known.gen, 0)
        new = dict(stored)
        for seq, one in zip(known.seqs, known.prints, strict=True):
            if new.get(seq) == one:
                del new[seq]
        for seq in new:
            first_seq = seq - sent[0][0]
            if all(new.get(first_seq + at) == one for at, one in sent):
                return self.done(known.gen, first_seq)
        return known


@dataclass(slots=True, eq=False)
class Memory:
    """What an object remembers. Objects that differ in nothing else are equal."""

    log: LogBase | None = None
    unanswered: Plan | None = None
    dumps: Dumps | None = None
    """What the messages were dumped as, so that a save costs little for those that are as they were."""
    document: tuple[bytes, JSONObject] | None = None
    """What all else was when it was dumped last, and as what."""
    known: KnownSave | None = None
    """What the server answered to the last save."""
    settled: tuple[JSONObject, Session, KnownSave] | None = None
    """Document, record and answer of the last save, if it left the object as it was."""

    def __eq__(self, other: object) -> bool:
        """Whether the other is a memory too."""
        return isinstance(other, Memory)

    def __hash__(self) -> int:
        """The same for all."""
        return hash(Memory)

    def __copy__(self) -> Self:
        """What is stored is the same. What messages were dumped as belongs to one object."""
        return type(self)(self.log, self.unanswered)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """As `__copy__`: nothing in it changes."""
        return self.__copy__()

    def __reduce__(self) -> tuple[type[Self], tuple[LogBase | None, Plan | None]]:
        """As `__copy__`: messages that were pickled do not remember what they were dumped as."""
        return type(self), (self.log, self.unanswered)


class Remembering(StoredModel):
    """A model that remembers privately which of its messages are stored.

    A copy remembers the same; one that went through JSON remembers nothing.
    """

    _memory: Memory = PrivateAttr(default_factory=Memory)

    def __copy__(self) -> Self:
        """A copy, which remembers for itself from now on."""
        made = super().__copy__()
        (made.__pydantic_private__ or {})["_memory"] = copy(memory_of(self))
        return made

    def remembered(self) -> tuple[LogBase | None, Plan | None]:
        """What is stored, and a write whose outcome is not known."""
        memory = memory_of(self)
        return memory.log, memory.unanswered

    def remember(self, log: LogBase | None, unanswered: Plan | None = None) -> None:
        """Take what is stored now."""
        memory = memory_of(self)
        memory.log, memory.unanswered = log, unanswered

    def remember_loaded(self, gen: str, messages: Sequence[KeptMessage], seqs: tuple[int, ...]) -> None:
        """Take the messages that were loaded, and where they are stored."""
        dumps = dump_loaded(messages)
        self._memory = Memory(LogBase(gen, dumps.prints, seqs), None, dumps)

    def dump_messages(self, kind: type[BaseModel], messages: object, *, what: str) -> Dumps:
        """What is stored of the object's messages.

        Raises:
            InvalidArgument: one is none, or could not be read back.
        """
        memory = memory_of(self)
        memory.dumps = dump_again(memory.dumps, kind, messages, what=what)
        return memory.dumps


def memory_of(model: Remembering) -> Memory:
    """Its memory, without the way that pydantic takes to an attribute, which is ten times as long."""
    memory: Memory = (model.__pydantic_private__ or {})["_memory"]
    return memory


@lru_cache(maxsize=1024)
def only_in(gen: str) -> Base:
    """What a write is based on that is for this incarnation of the session."""
    return Base(gen=gen)


def plan_append(dumps: Dumps, known: LogBase, *, base: Base, most: int) -> Plan | None:
    """What follows the known messages, `most` at once; None where a known one is no longer there as it was."""
    start = len(known.prints)
    prints = dumps.prints
    if not prints.begin_with(known.prints):
        return None
    new = dumps.values(start, start + most)
    return Plan(new, prints.first(start + len(new)), range(0, -len(new), -1), base, known.seqs)


def plan_meeting(
    prints: Sequence[bytes], stored: Sequence[tuple[int, bytes]], *, gen: str
) -> tuple[LogBase, list[int]]:
    """How messages of unknown origin meet a stored transcript: those found in it, in order, are the stored ones.

    Returns:
        the base made of those, and the positions of the others, which are new.
    """
    where: dict[bytes, list[int]] = {}
    for position, (_, stored_print) in enumerate(stored):
        where.setdefault(stored_print, []).append(position)
    after, found, new = 0, [], []
    for index, one in enumerate(prints):
        positions = where.get(one, [])
        place = bisect_left(positions, after)
        if place == len(positions):
            new.append(index)
        else:
            found.append((one, stored[positions[place]][0]))
            after = positions[place] + 1
    return LogBase(gen, tuple(one for one, _ in found), tuple(seq for _, seq in found)), new


def plan_rewrite(
    messages: Sequence[JSONObject],
    prints: Sequence[bytes],
    known: LogBase,
    *,
    stored: Sequence[tuple[int, bytes, JSONObject]],
    base: Base,
) -> Plan:
    """The whole transcript anew: the object's messages, and those of others.

    What others wrote follows the last of the object's messages that was known before, or, where the object has none of
    them any more, everything. A known message that the object left as it was, and others took away, stays away.
    """
    others, there = _of_others(known, stored)
    old_seqs: dict[bytes, list[int]] = {}
    for one, seq in zip(known.prints, known.seqs, strict=True):
        old_seqs.setdefault(one, []).append(seq)
    sent: list[int] = []
    gone: dict[int, int] = {}
    old = 0
    for index, one in enumerate(prints):
        if not old_seqs.get(one):
            sent.append(index)
            continue
        seq = old_seqs[one].pop(0)
        if there[one] > 0:
            there[one] -= 1
            sent.append(index)
            old = len(sent)
        else:
            gone[index] = seq
    old = old or len(sent)
    at = {index: -(place if place < old else place + len(others)) for place, index in enumerate(sent)}
    new = [messages[index] for index in sent]
    return Plan(
        [*new[:old], *others, *new[old:]],
        tuple(prints),
        tuple(gone[index] if index in gone else at[index] for index in range(len(prints))),
        base,
        through=stored[-1][0] if stored else 0,
    )


def _of_others(
    known: LogBase, stored: Sequence[tuple[int, bytes, JSONObject]]
) -> tuple[list[JSONObject], Counter[bytes]]:
    """The stored messages that are not the known ones, and how often each content of a known one is there.

    A known message is where it was, or, if somebody else has swapped the transcript since, anywhere with its content.
    """
    own = set(zip(known.seqs, known.prints, strict=True))
    here = {(seq, stored_print) for seq, stored_print, _ in stored}
    moved = Counter(stored_print for seq, stored_print in own if (seq, stored_print) not in here)
    there: Counter[bytes] = Counter()
    others = []
    for seq, stored_print, message in stored:
        if (seq, stored_print) not in own:
            if moved[stored_print] == 0:
                others.append(message)
                continue
            moved[stored_print] -= 1
        there[stored_print] += 1
    return others, there
