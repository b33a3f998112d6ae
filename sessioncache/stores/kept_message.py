"""Messages that remember what they were dumped as, and tell at next to no cost whether they still are that.

The rule of this module: whatever changes a message is noticed, also deep inside it. A field that is set is noticed as
it is set; lists and objects in fields are compared with copies, those of all messages in one go. A subclass may be
dumped as anything (computed fields, serializers of its own), so it is dumped each time. Only what is written past the
model, into `vars(message)`, goes unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, overload

from pydantic import BaseModel

from sessioncache.stores.stored_model import StoredModel, as_list, dumped, dumped_message, dumped_plain
from sessioncache.types import JSONObject

__all__ = ["Dumps", "Kept", "KeptMessage", "Prints", "dump_again", "dump_loaded", "fingerprint"]

UNCHANGING: Final = frozenset({str, int, float, bool, type(None), datetime})
"""Values that cannot change themselves. Their subclasses may be anything."""

TEXT: Final = frozenset({str})

_quote: Final = json.encoder.encode_basestring_ascii
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class KeptMessage(StoredModel):
    """A message of an object that remembers what is stored."""

    __slots__ = ("_kept", "_lent")

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - any field's value
        """Set a field; the message is dumped anew."""
        self._changes()
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        """Remove a field; the message is dumped anew."""
        self._changes()
        super().__delattr__(name)

    @property
    def model_extra(self) -> dict[str, Any] | None:
        """The fields that nobody declared. Whoever has them may write into them, so they are compared from now on."""
        self._changes()
        _newest.lent = True
        _set_lent(self, True)  # noqa: FBT003 - a slot's setter
        return self.__pydantic_extra__

    def __eq__(self, other: object) -> bool:
        """Whether the other one has the same fields."""
        _newest.compared = object()
        return super().__eq__(other)

    __hash__ = StoredModel.__hash__

    def _changes(self) -> None:
        if _slot(_get_kept, self) is not None:
            _set_kept(self, None)
            _newest.change = object()


def _slot(get: Callable[[Any], Any], message: object) -> Any:  # noqa: ANN401 - what is in it
    """What is in a message's slot, or None; pydantic takes ten times as long to say that there is nothing."""
    try:
        return get(message)
    except (AttributeError, TypeError):
        return None


_get_kept: Final[Callable[[Any], Any]] = vars(KeptMessage)["_kept"].__get__
_get_lent: Final[Callable[[Any], Any]] = vars(KeptMessage)["_lent"].__get__
_set_kept: Final[Callable[[Any, Any], None]] = vars(KeptMessage)["_kept"].__set__
_set_lent: Final[Callable[[Any, Any], None]] = vars(KeptMessage)["_lent"].__set__


class Kept:
    """What a message was dumped as. A message has another one after each change."""

    __slots__ = ("_fingerprint", "copies", "inner", "parts", "value")

    def __init__(
        self, value: JSONObject, inner: Sequence[Any] = (), copies: Sequence[Any] = (), parts: Sequence[Any] = ()
    ) -> None:
        self.value = value
        """What is stored of it."""
        self.inner = inner
        """The lists and objects in its fields."""
        self.copies = copies
        """What they were then."""
        self.parts = parts
        """All that comparing the two goes through, at every depth."""
        self._fingerprint: bytes | None = None

    @property
    def fingerprint(self) -> bytes:
        """Made when it is asked for: most messages only ever follow those that are stored."""
        made = self._fingerprint
        if made is None:
            made = self._fingerprint = fingerprint(self.value)
        return made


class Prints(Sequence[bytes]):
    """The fingerprints of an object's first messages. They stay the same: the list that they are in only grows."""

    __slots__ = ("_kept", "_size")

    def __init__(self, kept: list[Kept], size: int) -> None:
        self._kept = kept
        self._size = min(size, len(kept))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return (one.fingerprint for one in islice(self._kept, self._size))

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        places = range(self._size)[place]
        if isinstance(places, int):
            return self._kept[places].fingerprint
        return tuple([self._kept[at].fingerprint for at in places])

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as lists

    def __reduce__(self) -> tuple[type[tuple[bytes, ...]], tuple[tuple[bytes, ...]]]:
        """Pickled as plain fingerprints, without the messages."""
        return tuple, (tuple(self),)

    def first(self, size: int) -> Prints:
        """Those of fewer messages."""
        return Prints(self._kept, min(size, self._size))

    def begin_with(self, known: Sequence[bytes]) -> bool:
        """Whether the first ones are those; nothing is compared where they are of the same list, or message."""
        size = len(known)
        if size > self._size:
            return False
        if not isinstance(known, Prints):
            return all(one == other for one, other in zip(known, self, strict=False))
        kept = known._kept  # noqa: SLF001 - of the same class
        if kept is self._kept:
            return True
        pairs = zip(islice(self._kept, size), kept, strict=False)
        return all(one is other or one.fingerprint == other.fingerprint for one, other in pairs)


class _Newest:
    """The last change of a kept message, anywhere in the process: where there was none, no message is looked at."""

    change: object = None
    compared: object = None
    """The last time that two of them were compared."""
    lent: bool = False
    """Whether somebody asked for the undeclared fields of one."""


_newest: Final = _Newest()


@dataclass(slots=True, eq=False)
class Dumps:
    """What the messages of one object were dumped as, in its order. They only ever grow.

    Lists that are made anew are looked through by the garbage collector, message by message: hence in place.
    """

    messages: list[object]
    kept: list[Kept]
    inner: list[Any]
    copies: list[Any]
    parts: list[Any]
    change: object
    """The last one when they were dumped; of its own, where one does not remember what it was dumped as."""

    @classmethod
    def of(cls, messages: list[object], kept: list[Kept], change: object) -> Dumps:
        """These together."""
        found = cls([], [], [], [], [], change)
        found.extend(messages, kept, change)
        return found

    def extend(self, messages: list[object], kept: list[Kept], change: object) -> None:
        """Put more behind them."""
        self.messages += messages
        self.kept += kept
        for one in kept:
            self.inner += one.inner
            self.copies += one.copies
            self.parts += one.parts
        self.change = change if _remember(messages, kept) else object()

    @property
    def prints(self) -> Prints:
        """Their fingerprints."""
        return Prints(self.kept, len(self.kept))

    def values(self, start: int = 0, stop: int | None = None) -> list[JSONObject]:
        """What is stored of the messages from one position to before another."""
        return [one.value for one in self.kept[start:stop]]

    def begin(self, messages: Sequence[object], change: object) -> bool:
        """Whether these messages begin with them, as they were then."""
        if not _begin_with(messages, self.messages):
            return False
        if self.change is not change and not _remember(self.messages, self.kept):
            return False
        # Copying this list touches all that is to be compared: it is fetched from memory at once, not one by one.
        self.parts.copy()
        return _are_equal(self.inner, self.copies)


def _begin_with(messages: Sequence[object], known: list[object]) -> bool:
    """Whether these objects are the first ones.

    Lists compare what is identical without looking into it, in a tenth of the time that it takes to ask for each. Where
    one was looked into, it is another object.
    """
    compared = _newest.compared
    try:
        return known <= messages and compared is _newest.compared  # type: ignore[operator]  # else a TypeError
    except Exception:  # noqa: BLE001 - another message follows, and does not like to be compared
        return False


class _Exactly:
    """Equal to one value only: without it True would be 1, and 1.0 as well."""

    __slots__ = ("_kind", "_text")

    def __init__(self, value: object) -> None:
        self._kind, self._text = type(value), repr(value)

    def __eq__(self, other: object) -> bool:
        return type(other) is self._kind and repr(other) == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class _NotPlainError(Exception):
    """A value is something that may change without being unequal."""


def fingerprint(message: JSONObject) -> bytes:
    """Eight bytes that tell a message from every other content."""
    if TEXT.issuperset(map(type, message.values())) and TEXT.issuperset(map(type, message)):
        # As the encoder writes it, in half the time.
        text = "{" + ",".join([f"{_quote(name)}:{_quote(message[name])}" for name in sorted(message)]) + "}"
    else:
        text = _encode(message)
    return blake2b(text.encode(), digest_size=8).digest()


def dump_again(before: Dumps | None, kind: type[BaseModel], messages: object, *, what: str) -> Dumps:
    """What is stored of an object's messages; those that are as they were before are not dumped once more.

    Raises:
        InvalidArgument: one is none, or could not be read back.
    """
    change = _newest.change
    listed = as_list(messages, what=what)
    known = before if before is not None and before.begin(listed, change) else None
    start = 0 if known is None else len(known.messages)
    fresh = list(listed[start:])
    found = [_dump(kind, message, f"{what} {at}") for at, message in enumerate(fresh, start)]
    kept = _keep_all(fresh, found)
    if known is None:
        return Dumps.of(fresh, kept, change)
    known.extend(fresh, kept, change)
    return known


def dump_loaded(messages: Sequence[KeptMessage]) -> Dumps:
    """What messages that were just read are dumped as. Nobody could save one whose role is no text."""
    change = _newest.change
    found: list[Kept | JSONObject] = []
    for message in messages:
        value = dumped(message)
        found.append(value if isinstance(value.get("role"), str) else Kept(value))
    return Dumps.of(list(messages), _keep_all(messages, found), change)


def _dump(kind: type[BaseModel], message: object, what: str) -> Kept | JSONObject:
    """What a message was dumped as, if that is to be kept as it is; else what it is dumped as now."""
    if type(message) is not kind or not isinstance(message, KeptMessage):
        return Kept(dumped_message(kind, message, what=what))
    kept: Kept | None = _slot(_get_kept, message)
    if kept is not None and _are_equal(kept.inner, kept.copies):
        return kept
    plain = dumped_plain(message)
    if plain is not None and type(plain.get("role")) is str:
        return plain
    return dumped_message(kind, message, what=what)


def _keep_all(messages: Sequence[Any], found: Sequence[Kept | JSONObject]) -> list[Kept]:
    """Keep what was dumped, once all is: copies that lie side by side are compared in a third of the time."""
    return [one if isinstance(one, Kept) else _keep(message, one) for message, one in zip(messages, found, strict=True)]


def _keep(message: KeptMessage, value: JSONObject) -> Kept:
    """Note what a message was dumped as, and let it remember that, if each change of it can be noticed."""
    inner = tuple([field for field in message.__dict__.values() if type(field) not in UNCHANGING])
    if message.__pydantic_extra__:
        inner += tuple([field for field in message.__pydantic_extra__.values() if type(field) not in UNCHANGING])
    if _newest.lent and _slot(_get_lent, message):
        inner = (*inner, message.__pydantic_extra__)
    if inner:
        parts: list[Any] = []
        try:
            kept = Kept(value, inner, tuple([_copy(part, parts) for part in inner]), tuple(parts))
        except _NotPlainError:
            return Kept(value)
    else:
        kept = Kept(value)
    _set_kept(message, kept)
    return kept


def _remember(messages: Sequence[object], kept: list[Kept]) -> bool:
    """Whether each of the messages was dumped as that, and no field of it was set since."""
    return [_slot(_get_kept, message) for message in messages] == kept


def _copy(value: Any, parts: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
    """What is equal to a list or an object for as long as nothing in it changes.

    Args:
        value: the list or object.
        parts: takes those in it, itself among them, and their copies.

    Raises:
        _NotPlainError: it holds something that may change unseen.
    """
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind in UNCHANGING:
        return _Exactly(value)
    copied: Any
    if kind is list:
        copied = [_copy(part, parts) for part in value]
    elif kind is dict and all(type(name) is str for name in value):
        copied = {name: _copy(part, parts) for name, part in value.items()}
    else:
        raise _NotPlainError
    parts += (value, copied)
    return copied


def _are_equal(values: Sequence[Any], copies: Sequence[Any]) -> bool:
    try:
        return values == copies
    except Exception:  # noqa: BLE001 - what somebody put in does not like to be compared: so it is not what was there
        return False
