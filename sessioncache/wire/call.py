"""A request as a value: what to send, where to, and how to read the answer.

The rule of this module: building a `Call` sends nothing. Only a transport sends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from sessioncache.errors import InvalidArgument
from sessioncache.types import NO_BASE, Base
from sessioncache.wire.keys import Key, Keyspace, SessionKeys
from sessioncache.wire.script import Script

__all__ = ["Arg", "Call", "Watch", "Write", "digits", "new_operation_id", "operation_id_for", "optional", "spelt_out"]

Arg: TypeAlias = bytes | str | int
T = TypeVar("T")


class Watch(Protocol):
    """Who wants to know over which connection a call was answered, and has something asked in front of it."""

    def send(self, line: Any) -> Sequence[tuple[Any, ...]]:  # noqa: ANN401 - a connection, of whatever kind
        """The commands to send in front of the call, with nothing between them."""

    def answered(self, replies: Sequence[Any]) -> None:
        """Their replies, errors among them. Not called where none came."""

    def doubt(self) -> None:
        """They were not sent."""


@dataclass(frozen=True, slots=True, init=False)
class Call(Generic[T]):
    """One request to one slot."""

    name: str
    """`<noun>.<verb>`: the metric label, span name and log field."""

    target: Script | str
    """A script, or the name of a plain command."""

    keys: tuple[Key, ...]
    """Keys, all in one slot; the first one decides where the call goes."""

    args: tuple[Arg, ...]
    """Arguments after the keys."""

    decode: Callable[[Any], T]
    """Reads the reply. Raises DataError if it cannot."""

    writes: bool = False
    """Whether it may change something. A write carries an operation id, so that sending it again is safe."""

    routed_by: Key | None = None
    """Where a command without keys goes."""

    outcome: Callable[[T], str] | None = None
    """What to tell the telemetry hook about a successful answer."""

    watch: Watch | None = None
    """For an answer that may be kept. Only connections that hear of changes look at it."""

    def __init__(  # noqa: PLR0917 - what a request consists of
        self,
        name: str,
        target: Script | str,
        keys: tuple[Key, ...],
        args: tuple[Arg, ...],
        decode: Callable[[Any], T],
        writes: bool = False,  # noqa: FBT001, FBT002 - as the dataclass would make it
        routed_by: Key | None = None,
        outcome: Callable[[T], str] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Made for every call: so it takes half of what a frozen dataclass takes by itself."""
        _set_name(self, name)
        _set_target(self, target)
        _set_keys(self, keys)
        _set_args(self, args)
        _set_decode(self, decode)
        _set_writes(self, writes)
        _set_routed_by(self, routed_by)
        _set_outcome(self, outcome)
        _set_watch(self, watch)

    def watched(self, watch: Watch | None) -> Call[T]:
        """The same, for an answer that may be kept."""
        return self if watch is None else replace(self, watch=watch)

    def undecoded(self) -> Call[Any]:
        """The same, answering the reply as it came."""
        call: Call[Any] = self
        return replace(call, decode=_as_it_came, outcome=None)

    def again(self, since_ms: int, anchor: str) -> Call[T]:
        """The same write, sent once more: the script is told since when it may have been done.

        Args:
            since_ms: a time by the server's clock, before the write was first sent.
            anchor: operation id of a write to the session that was answered before that; empty: none is known.
        """
        escaped, operation, terms, *rest = self.args
        now, revision, fence, _, _, gen = str(terms or "     ").split(" ", 5)
        marked = " ".join((now, revision, fence, str(since_ms), anchor, gen))
        return replace(self, args=(escaped, operation, marked, *rest))

    @property
    def route(self) -> Key:
        """The key whose slot decides where this call goes."""
        return self.keys[0] if self.routed_by is None else self.routed_by


(
    _set_name,
    _set_target,
    _set_keys,
    _set_args,
    _set_decode,
    _set_writes,
    _set_routed_by,
    _set_outcome,
    _set_watch,
) = [vars(Call)[name].__set__ for name in Call.__slots__]


def _as_it_came(reply: object) -> object:
    return reply


def spelt_out(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Parts of a command with their whole numbers as text.

    hiredis packs them, too, but crashes where a signal's handler raises in that moment (Ctrl-C, a time limit).
    """
    if int not in map(type, parts):
        return parts
    return tuple(str(part) if type(part) is int else part for part in parts)


def optional(value: int | None) -> Arg:
    """An `integer` argument that may be missing: empty, which scripts read as nil."""
    return "" if value is None else value


def digits(number: int) -> str:
    """A number as scripts read it; one of a subclass may say of itself what it likes, as those of enumerations do."""
    return str(int(number))


def new_operation_id() -> str:
    """A random operation id: 16 hexadecimal characters, 64 bits."""
    return os.urandom(8).hex()


def operation_id_for(name: str, given: str | None) -> str:
    """The operation id of one write: the caller's own, made 16 hexadecimal characters long, or a random one.

    The name of the call is mixed in, so that one id used for two different calls does not answer one with the other's
    reply.
    """
    if given is None:
        return new_operation_id()
    if not isinstance(given, str):
        raise InvalidArgument(f"operation_id must be a string or None, not {type(given).__name__}")
    if not given:
        raise InvalidArgument("operation_id is empty; give a non-empty string, or None for a random one")
    return blake2b(f"{name}\0{given}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Write:
    """What every mutation of a session carries: the values of the ARGV group `@write`."""

    operation: str
    base: Base = NO_BASE
    now_override_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse a base that is none.

        Raises:
            InvalidArgument: something else was given as base.
        """
        if not isinstance(self.base, Base):
            raise InvalidArgument(f"base must be a Base, not {type(self.base).__name__}")

    @classmethod
    def of(cls, keys: Keyspace, name: str, base: Base, operation_id: str | None) -> Write:
        """What the call of that name carries in this namespace, under the caller's operation id or a random one."""
        return cls(operation_id_for(name, operation_id), base, keys.now_override_ms)

    def args(self, keys: SessionKeys) -> tuple[Arg, ...]:
        """The values, in the group's order (`WRITE_GROUP`)."""
        base = self.base
        terms = ""
        if base.gen is not None and base.revision is None and base.fence is None and self.now_override_ms is None:
            terms = f"     {base.gen}"
        elif base is not NO_BASE or self.now_override_ms is not None:
            numbers = (self.now_override_ms, base.revision, base.fence)
            terms = " ".join(
                ["" if number is None else digits(number) for number in numbers] + ["", "", base.gen or ""]
            )
        return (keys.escaped, self.operation, "" if terms == "     " else terms)
