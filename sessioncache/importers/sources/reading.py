"""Reading foreign JSON and times, with errors that say what is wrong.

The rule of this module: what is refused here is refused by our store too, so that a dry run finds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, TypeVar

from sessioncache.types import JSONObject

__all__ = [
    "WHY_NO_OBJECT",
    "Malformed",
    "digest_of",
    "object_from",
    "objects_in",
    "streamed",
    "text_in",
    "time_from_ms",
    "time_from_s",
    "time_from_text",
    "value_from",
]

T = TypeVar("T")

WHY_NO_OBJECT: Final = "is no JSON object"

YEAR_9999_S: Final = 253_402_300_799


class Malformed(ValueError):
    """Foreign data that cannot be used; the text says why."""


def value_from(data: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text.

    Raises:
        Malformed: no JSON, NaN or an infinity in it, not UTF-8, or a lone surrogate.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = json.loads(text, parse_constant=_refuse_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise Malformed(f"is no JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except UnicodeEncodeError:
        raise Malformed("holds a lone surrogate, which is no text") from None
    except RecursionError:
        raise Malformed("is nested too deeply") from None
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise Malformed(f"holds {text}, which is no JSON number")


def object_from(data: str | bytes) -> JSONObject:
    """The object of a JSON text.

    Raises:
        Malformed: no JSON, or another value than an object.
    """
    value = value_from(data)
    if not isinstance(value, dict):
        raise Malformed(WHY_NO_OBJECT)
    return value


def objects_in(owner: Mapping[str, Any], field: str) -> list[JSONObject]:
    """The objects of a field that holds a list of them; missing or null: none.

    Raises:
        Malformed: something else.
    """
    found = owner.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Malformed(f"{field} is no list")
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            raise Malformed(f"{field}[{position}] {WHY_NO_OBJECT}")
    return found


def text_in(owner: Mapping[str, Any], field: str) -> str:
    """The text of a field that has to be there.

    Raises:
        Malformed: missing, empty, or no text.
    """
    found = owner.get(field)
    if not isinstance(found, str) or not found:
        raise Malformed(f"has no {field}" if found in (None, "") else f"{field} is no text: {found!r}")
    return found


def time_from_s(value: object, field: str) -> datetime:
    """The time of a count of seconds since 1970.

    Raises:
        Malformed: no such count.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= YEAR_9999_S:
        raise Malformed(f"{field} is no count of seconds since 1970: {value!r}")
    return datetime.fromtimestamp(value, tz=UTC)


def time_from_ms(value: object, field: str) -> datetime:
    """The time of a count of milliseconds since 1970.

    Raises:
        Malformed: no such count.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= YEAR_9999_S * 1000:
        raise Malformed(f"{field} is no count of milliseconds since 1970: {value!r}")
    return datetime.fromtimestamp(value / 1000, tz=UTC)


def time_from_text(value: object, field: str) -> datetime:
    """The time of an ISO 8601 text; without a zone it is UTC.

    Raises:
        Malformed: no such text.
    """
    try:
        if not isinstance(value, str):
            raise TypeError
        # Originals write nanoseconds; a time here has microseconds.
        head, dot, tail = value.partition(".")
        digits = len(tail) - len(tail.lstrip("0123456789"))
        found = datetime.fromisoformat(f"{head}{dot}{tail[: min(digits, 6)]}{tail[digits:]}")
    except (TypeError, ValueError):
        raise Malformed(f"{field} is no ISO 8601 time: {value!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def digest_of(*parts: object) -> str:
    """A fingerprint of JSON values: the same for the same values, whatever the order of their fields."""
    state = hashlib.sha256()
    for part in parts:
        data = json.dumps(part, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()


async def streamed(items: Iterable[T]) -> AsyncIterator[T]:
    """What a plain iterable gives, for those who await it."""
    for item in items:
        yield item
