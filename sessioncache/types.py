"""Types that every layer shares: session ids, bases of writes, pages, cursors and the UNSET marker.

The rule of this module: values only. Nothing here knows of keys, Redis or the network.
"""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from pydantic_core import to_json

from sessioncache.errors import InvalidArgument

__all__ = [
    "JOB_NAMES",
    "NO_BASE",
    "UNSET",
    "Base",
    "JSONObject",
    "Message",
    "Order",
    "Page",
    "SessionId",
    "Unset",
    "check_limit",
    "check_session_id",
    "check_text",
    "check_user",
    "datetime_from_ms",
    "decode_cursor",
    "encode_cursor",
    "ms_from_datetime",
]

SessionId: TypeAlias = str
"""Any non-empty UTF-8 text of at most 512 bytes without control characters."""

JSONObject: TypeAlias = dict[str, Any]
"""A decoded JSON object."""

Message: TypeAlias = Mapping[str, Any] | bytes
"""A message to store: a JSON object, or the bytes of one, which are then stored as they are."""

Order: TypeAlias = Literal["newest", "oldest"]
"""Lists are ordered by `updated_at`; the id breaks ties."""

JOB_NAMES: Final = ("expire", "prune", "reconcile", "compact", "collect", "summarise", "archive", "relieve")
"""Everything that workers do in the background."""

SESSION_ID_BYTES_MAX: Final = 512
USER_BYTES_MAX: Final = 512

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

EXACT_MAX: Final = 2**53 - 1
"""The largest number that scripts count with exactly."""


T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Unset(Enum):
    """The type of UNSET, so that `value: str | None | Unset` can say all three: leave, clear, set."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Leaves a field as it is, where None would clear it."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a write is based on. A write with a base is refused when the base is no longer current."""

    gen: str | None = None
    """Incarnation of the session (`Session.gen`); a deleted or expired one is SessionGone."""

    revision: int | None = None
    """Revision of the record (`Session.revision`); any other current one is VersionConflict."""

    fence: int | None = None
    """Fencing token of a lease; LeaseLost once a newer token has written."""

    def __post_init__(self) -> None:
        """Refuse what the server would not take for a condition, and so pass over.

        Raises:
            InvalidArgument: a part of another type, or a negative number.
        """
        if self.gen is not None:
            check_text(self.gen, what="base.gen", bytes_max=SESSION_ID_BYTES_MAX)
        for what, number in (("base.revision", self.revision), ("base.fence", self.fence)):
            if number is not None:
                check_limit(number, what=what, at_most=EXACT_MAX)


NO_BASE: Final = Base()
"""A write without a base always goes through, and creates the session where there is none."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """A part of a list, and the way to the next part."""

    items: tuple[T_co, ...]
    """The items of this page, in the order asked for."""

    cursor: str | None
    """Hand this to the same call for the next page; None: this was the last one."""

    skipped: tuple[str, ...] = ()
    """Ids of what cannot be read, left out because the caller said `on_corrupt="skip"`."""

    def __iter__(self) -> Iterator[T_co]:
        """Iterate over the items."""
        return iter(self.items)

    def __len__(self) -> int:
        """The number of items on this page."""
        return len(self.items)


def check_session_id(value: object) -> str:
    """The session id, if it is one.

    Raises:
        InvalidArgument: not a string, empty, longer than 512 bytes of UTF-8, holding control characters (Unicode
            category Cc) or lone surrogates.
    """
    return check_text(value, what="session id", bytes_max=SESSION_ID_BYTES_MAX)


def check_text(value: object, *, what: str, bytes_max: int) -> str:
    """Text that may become part of a key, checked as session ids are.

    Args:
        value: what the caller gave.
        what: what to call it in the message.
        bytes_max: its longest length, in bytes of UTF-8.
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{what} must be a string, not {type(value).__name__}")
    if value.isascii() and value.isprintable() and 0 < len(value) <= bytes_max:
        return value
    if not value:
        raise InvalidArgument(f"{what} is empty; give it at least one character")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidArgument(f"{what} {value!r} holds a lone surrogate and is not UTF-8 text") from None
    if size > bytes_max:
        raise InvalidArgument(f"{what} {value[:40]!r}… is {size} bytes long; the limit is {bytes_max}")
    for character in value:
        if unicodedata.category(character) == "Cc":
            raise InvalidArgument(f"{what} {value[:60]!r} holds the control character {character!r}; remove it")
    return value


def check_user(user: object) -> str:
    """The owner's name as writes carry it: None is the empty text, which leaves the owner to the script.

    Raises:
        InvalidArgument: not a string, empty, longer than 512 bytes, or holding control characters.
    """
    return "" if user is None else check_text(user, what="user", bytes_max=USER_BYTES_MAX)


def check_limit(value: object, *, what: str = "limit", at_most: int | None = None, at_least: int = 0) -> int:
    """A count given by the caller.

    Raises:
        InvalidArgument: not an integer (a bool is none), below `at_least` or above `at_most`.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgument(f"{what} must be a whole number, not {value!r}")
    if value < at_least:
        raise InvalidArgument(f"{what} is {value}; it must be at least {at_least}")
    if at_most is not None and value > at_most:
        raise InvalidArgument(f"{what} is {value}; it must be at most {at_most}")
    # Those of enumerations may say of themselves what they like.
    return value if type(value) is int else int(value)


def datetime_from_ms(value: int) -> datetime:
    """The UTC time of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, tz=UTC)


def ms_from_datetime(value: datetime) -> int:
    """Milliseconds since 1970 of a time.

    Raises:
        InvalidArgument: not a datetime, one without a time zone, or one before 1970.
    """
    if not isinstance(value, datetime):
        raise InvalidArgument(f"a time must be a datetime, not {type(value).__name__}")
    if value.tzinfo is None:
        raise InvalidArgument(f"the time {value.isoformat()} has no time zone; give it one, such as datetime.UTC")
    delta = value - EPOCH
    return check_limit(delta // timedelta(milliseconds=1), what="a time in milliseconds since 1970")


def encode_cursor(kind: str, state: Mapping[str, Any]) -> str:
    """An opaque cursor: `kind` and `state` as base64url of compact JSON, safe in URLs."""
    encoded = binascii.b2a_base64(to_json([kind, dict(state)]), newline=False)
    return encoded.translate(URL_SAFE, b"=").decode()


def decode_cursor(kind: str, cursor: str) -> JSONObject:
    """The state inside a cursor of this kind.

    Raises:
        InvalidArgument: not a cursor, a truncated one, or one of another call.
    """
    broken = f"cursor {cursor[:60]!r} is not one that this call gave out; start again without a cursor"
    try:
        decoded = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise InvalidArgument(broken) from None
    match decoded:
        case [str() as found, dict() as state] if found == kind:
            return state
        case [str() as found, dict()]:
            raise InvalidArgument(f"cursor {cursor[:60]!r} belongs to {found}, not to {kind}")
    raise InvalidArgument(broken)
