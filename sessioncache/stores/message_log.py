"""Which messages of an object are stored already, and what a save of the object has to send.

The rule of this module: no I/O. A message is known by a fingerprint of its content and the sequence number that the
server gave it. Messages in the store that the object never knew are other writers': no plan takes them away.
"""

from __future__ import annotations

import json
import marshal
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TypeAlias

from pydantic import BaseModel, PrivateAttr

from sessioncache.stores.stored_model import StoredModel, as_list, dumped_message
from sessioncache.types import Base, JSONObject
from sessioncache.wire.call import new_operation_id

__all__ = ["Dumped", "LogBase", "Plan", "Remembering", "fingerprint", "plan_append", "plan_meeting", "plan_rewrite"]


Dumped: TypeAlias = tuple[JSONObject, bytes]
"""What is stored of a message, and its fingerprint."""


def fingerprint(message: JSONObject) -> bytes:
    """Eight bytes that tell a message from every other content."""
    text = json.dumps(message, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class LogBase:
    """The messages of an object as they were loaded or saved last."""

    gen: str
    """Incarnation of the session."""
    prints: tuple[bytes, ...] = ()
    """Fingerprints of the object's messages, in its order."""
    seqs: tuple[int, ...] = ()
    """Where each of them is stored."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One write of messages."""

    messages: Sequence[JSONObject]
    """What to send."""
    prints: tuple[bytes, ...]
    """The object's messages that are stored once this is done."""
    places: tuple[int, ...]
    """For each of those: its sequence number, or, not above 0, minus its index in `messages`."""
    base: Base
    through: int | None = None
    """The messages replace what is stored up to this number; None: they are appended."""
    operation_id: str = field(default_factory=new_operation_id)

    def done(self, gen: str, first_seq: int) -> LogBase:
        """The base after this write, whose first message got that number."""
        seqs = tuple(place if place > 0 else first_seq - place for place in self.places)
        return LogBase(gen, self.prints, seqs)


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What an object remembers. Objects that differ in nothing else are equal."""

    log: LogBase | None = None
    unanswered: Plan | None = None
    dumps: Mapping[bytes, Dumped] = field(default_factory=dict)
    """What messages were dumped as, by what they held; so that a save costs little for those that are as they were."""

    def __eq__(self, other: object) -> bool:
        """Whether the other is a memory too."""
        return isinstance(other, Memory)

    def __hash__(self) -> int:
        """The same for all."""
        return hash(Memory)


class Remembering(StoredModel):
    """A model that remembers privately which of its messages are stored.

    A copy remembers the same; one that went through JSON remembers nothing.
    """

    _memory: Memory = PrivateAttr(default_factory=Memory)

    def remembered(self) -> tuple[LogBase | None, Plan | None]:
        """What is stored, and a write whose outcome is not known."""
        return self._memory.log, self._memory.unanswered

    def remember(self, log: LogBase | None, unanswered: Plan | None = None) -> None:
        """Take what is stored now."""
        self._memory = Memory(log, unanswered, self._memory.dumps)

    def dump_messages(self, kind: type[BaseModel], messages: object, *, what: str) -> list[Dumped]:
        """What is stored of the object's messages, and the fingerprint of each.

        Raises:
            InvalidArgument: one is none, or could not be read back.
        """
        before = self._memory.dumps
        now: dict[bytes, Dumped] = {}
        found: list[Dumped] = []
        for position, message in enumerate(as_list(messages, what=what)):
            held = _held(message)
            dump = before.get(held) if held is not None else None
            if dump is None:
                value = dumped_message(kind, message, what=f"{what} {position}")
                dump = (value, fingerprint(value))
            if held is not None:
                now[held] = dump
            found.append(dump)
        self._memory = replace(self._memory, dumps=now)
        return found


def _held(message: object) -> bytes | None:
    """All that a message holds, told apart by kind as well; None where it holds more than plain values."""
    if not isinstance(message, BaseModel):
        return None
    try:
        return marshal.dumps((type(message).__qualname__, [*message.__dict__.values()], message.__pydantic_extra__), 2)
    except ValueError:
        return None


def plan_append(
    messages: Sequence[JSONObject], prints: Sequence[bytes], known: LogBase, *, base: Base, most: int
) -> Plan | None:
    """What follows the known messages, `most` at once; None where a known one is no longer there as it was."""
    start = len(known.prints)
    if tuple(prints[:start]) != known.prints:
        return None
    new = messages[start : start + most]
    places = known.seqs + tuple(-index for index in range(len(new)))
    return Plan(new, tuple(prints[: start + len(new)]), places, base)


def plan_meeting(
    messages: Sequence[JSONObject], prints: Sequence[bytes], stored: Sequence[tuple[int, bytes]], *, gen: str
) -> tuple[LogBase, list[int]]:
    """How messages of unknown origin meet a stored transcript: those found in it, in order, are the stored ones.

    Returns:
        the base made of those, and the positions of the others, which are new.
    """
    where: dict[bytes, list[int]] = {}
    for position, (_, stored_print) in enumerate(stored):
        where.setdefault(stored_print, []).append(position)
    after, found, new = 0, [], []
    for index in range(len(messages)):
        positions = where.get(prints[index], [])
        place = bisect_left(positions, after)
        if place == len(positions):
            new.append(index)
        else:
            found.append((prints[index], stored[positions[place]][0]))
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
