"""Messages that are parsed together, by the parser of the extra `speed` and by the one that is always there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessioncache.errors import DecodeError
from sessioncache.types import JSONObject
from sessioncache.wire import messages, parsing
from sessioncache.wire.messages import MessageEncoder

WHOLE = [
    "0",
    "-0",
    "7",
    "255",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(-(2**63) - 1),
    str(2**64),
    "9" * 40,
    "01",
    "-",
]
ENDS = ["", ".0", ".5", ".", "e5", "E+3", "e-400", "e400", ".1e-5", ".00000000000000011102230246251565", ".9" * 2]
PARTS = ["a", "role", '\\"', "\\\\", "\\/", "\\n", "\\u0000", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\udc00x", "\\x"]
RAW = [b"", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\x01", b"\x7f", b"\t", b"k" * 40]
DEEP = [1, 3, 150, 199, 200, 201, 400, 5000]
WORDS = [b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity", b"nul", b""]

numbers = st.one_of(
    st.builds(str.__add__, st.sampled_from(WHOLE), st.sampled_from(ENDS)).map(str.encode),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number).encode()),
    st.from_regex(rb"\A-?[1-9][0-9]{0,30}\.[0-9]{1,30}(e-?[0-9]{1,3})?\Z"),
    st.integers().map(lambda number: b"%d" % number),
)
strings = st.one_of(
    st.builds(
        lambda escaped, raw: b'"' + "".join(escaped).encode() + b"".join(raw) + b'"',
        st.lists(st.sampled_from(PARTS), max_size=3),
        st.lists(st.sampled_from(RAW), max_size=2),
    ),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
spaces = st.sampled_from([b"", b" ", b"\n\t", b"\r", b"\x0c"])
nests = st.sampled_from(DEEP).map(lambda depth: b"[" * depth + b"]" * depth)


def objects(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Objects, as text; their keys may be there twice."""
    pairs = st.builds(lambda key, space, value: key + b":" + space + value, strings, spaces, values)
    return st.lists(pairs, max_size=4).map(lambda pairs: b"{" + b",".join(pairs) + b"}")


values = st.recursive(
    numbers | strings | st.sampled_from(WORDS) | nests,
    lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda found: b"[" + b",".join(found) + b"]"),
    max_leaves=5,
)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """A message's JSON, mostly; now and then another value, two of them, or one that somebody has damaged."""
    text = draw(st.one_of(objects(values), objects(values), objects(values), values))
    if draw(st.integers(0, 7)) == 0:
        text += b"," + draw(objects(values))
    if text and draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.binary(max_size=2)) + text[at + draw(st.integers(0, 2)) :]
    # Nothing is stored with whitespace in front: most of it would pass for the header byte of a codec.
    return text.lstrip()


def seen(parser: Callable[[bytes], list[JSONObject]], found: list[bytes]) -> str:
    """What a reader sees of payloads: types, the order of keys and each digit, or that it is told of damage."""
    encoder = MessageEncoder(entry_bytes_max=1_000_000)
    with patch.object(messages, "objects_in", parser):
        together = encoder.decode_together(found, len(found))
    try:
        return repr(together if together is not None else [encoder.decode(one, seq=1) for one in found])
    except (DecodeError, RecursionError) as error:
        return type(error).__name__


@pytest.fixture(autouse=True)
def _chosen_anew() -> Iterator[None]:
    parsing._parser.cache_clear()
    yield
    parsing._parser.cache_clear()


@settings(max_examples=150, deadline=None)
@given(st.lists(payloads(), min_size=1, max_size=3))
@example([b'{"a":1e400,"b":NaN,"c":-Infinity}'])
@example([b'{"a":123456789012345678901234567890,"a":18446744073709551616}'])
@example([b'{"a":"\\ud800"}', b"{}"])
@example([b'{"a":"\xff"}'])
@example([b'{"a":' + b"9" * 4_301 + b"}"])
@example([b'{"a":' + b"9" * 4_300 + b"}"])
@example([b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"])
@example([b"1", b"{}"])
@example([b"{},{}"])
@example([b"{}]", b"[{}"])
def test_readers_see_the_same_with_and_without_the_extra(found: list[bytes]) -> None:
    """Whatever lies there, sound or damaged, both parsers show readers the same values, or the same error."""
    pytest.importorskip("msgspec")
    assert seen(parsing.objects_in, found) == seen(parsing.objects_in_any_case, found)


def test_the_quicker_parser_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra the other parser is asked only for what the quicker one refuses."""
    pytest.importorskip("msgspec")
    asked: list[bytes] = []

    def ask(text: bytes) -> list[JSONObject]:
        asked.append(text)
        return []

    monkeypatch.setattr(parsing, "objects_in_any_case", ask)
    assert parsing.objects_in(b'[{"a":1}]') == [{"a": 1}]
    assert asked == []
    parsing.objects_in(b'[{"a":1e400}]')
    assert asked == [b'[{"a":1e400}]']


def test_messages_are_read_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where msgspec is not installed, messages are parsed together all the same."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert MessageEncoder(entry_bytes_max=100).decode_together([b'{"a":1}', b'{"b":2}'], 2) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("texts", [[], [b"{}"], [memoryview(b"{},{}")], [b"{}", memoryview(b"{},{}"), b"{}"]])
def test_parts_of_an_array_are_joined(texts: list[bytes | memoryview]) -> None:
    """Payloads, and parts of chunks with several of them, become one array."""
    count = sum(bytes(text).count(b"{") for text in texts)
    assert MessageEncoder(entry_bytes_max=100).decode_together(texts, count) == [{}] * count
