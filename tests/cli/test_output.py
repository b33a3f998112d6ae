"""What is printed: safe on a terminal, short for people, plain JSON for programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sessioncache import RetentionPolicy
from sessioncache.cli.findings import Finding, Level
from sessioncache.cli.output import ago_text, bytes_text, duration_text, plain, safe


@pytest.mark.parametrize(
    "text,shown",
    [
        ("plain 日本 é", "plain 日本 é"),
        ("\x1b[31m\x00", "\\x1b[31m\\x00"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202e\u200b\u2028", "\\u202e\\u200b\\u2028"),
        ("\udc80", "\\udc80"),
    ],
)
def test_text_is_made_safe(text: str, shown: str) -> None:
    """Whatever could move the cursor, reorder text or hide is shown as an escape."""
    assert safe(text) == shown


def test_text_is_cut() -> None:
    """What is cut off is marked."""
    assert safe("abcdef", limit=4) == "abc…"
    assert safe("abcd", limit=4) == "abcd"


@pytest.mark.parametrize(
    "value,text",
    [(0, "0 ms"), (999, "999 ms"), (1_500, "1.5 s"), (90_000, "1.5 min"), (86_400_000, "1 d"), (10**15, "11574074 d")],
)
def test_durations(value: int, text: str) -> None:
    """A length of time stands in the largest unit that it fills."""
    assert duration_text(value) == text


@pytest.mark.parametrize("value,text", [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (5 * 2**30, "5.0 GiB")])
def test_sizes(value: int, text: str) -> None:
    """A size stands in the unit that keeps it short."""
    assert bytes_text(value) == text


def test_distances() -> None:
    """A time is told as its distance from now, in either direction."""
    now = datetime.now(UTC)
    assert ago_text(None) == "never"
    assert ago_text(now - timedelta(days=400)) == "400 d ago"
    assert ago_text(now + timedelta(days=7, hours=1)) == "in 7 d"


def test_plain_values() -> None:
    """Models, dataclasses, times, bytes and words of enumerations become JSON."""
    at = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert plain({"at": at, "raw": b"x", "path": Path("a"), "list": (1, None)}) == {
        "at": "2025-01-02T03:04:05.000+00:00",
        "raw": "x",
        "path": "a",
        "list": [1, None],
    }
    assert plain(Finding("clock", Level.ok, "fine")) == {
        "check": "clock",
        "level": "ok",
        "text": "fine",
        "remedy": None,
    }
    assert plain(RetentionPolicy(ttl_ms=5))["ttl_ms"] == 5
