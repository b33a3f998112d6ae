"""JSON is written the same, whichever encoder writes it."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessioncache import InvalidArgument
from sessioncache.wire.codec import encode_json

FLAT = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())) | st.floats()
VALUES = FLAT | st.lists(FLAT, max_size=2) | st.dictionaries(st.text(max_size=2), FLAT, max_size=2)


class Level(IntEnum):
    """A number that is not one by its type."""

    HIGH = 3


class Name(str):
    """A text that is not one by its type."""

    __slots__ = ()


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=())) | st.integers() | st.booleans(), VALUES, max_size=4)
)
def test_messages_are_written_as_the_standard_library_writes_them(message: dict[Any, Any]) -> None:
    """Whatever a message holds, it is written byte by byte as the standard library does, or refused where that does."""
    for is_ascii in (False, True):
        try:
            text = json.dumps(message, ensure_ascii=is_ascii, allow_nan=False, separators=(",", ":"))
            expected = text.encode()
            break
        except UnicodeEncodeError:
            continue
        except ValueError:
            with pytest.raises(InvalidArgument):
                encode_json(message)
            return
    assert encode_json(message) == expected


@pytest.mark.parametrize("value", [Level.HIGH, Name("n"), 10**40, -(10**25), "\x7f\u2028\ufeff\U0001f600", "\ud800"])
def test_unusual_values_are_written_as_ever(value: object) -> None:
    """Numbers beyond 64 bits, subclasses and lone surrogates are written as the standard library does."""
    expected = json.dumps({"v": value}, ensure_ascii=value == "\ud800", separators=(",", ":")).encode()
    assert encode_json({"v": value}) == expected


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), float("nan"), 1j])
def test_what_is_no_json_is_refused(value: object) -> None:
    """What JSON has no word for is refused, at whatever depth."""
    for message in ({"v": value}, {"v": [value]}, {"v": {"w": value}}):
        with pytest.raises(InvalidArgument):
            encode_json(message)
