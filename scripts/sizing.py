"""The tables of docs/sizing.md, computed from what the benchmarks have measured and published.

The rule of this module: no number of its own but the two that it says: how busy a core may be, and how many agents.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/README.md"
BUSY_MAX = 0.6
"""Share of a core beyond which waiting grows faster than work: two thirds, with room for a failover's reconnects."""
AGENTS = 1_000
SUBJECT = "sessioncache"

WORK = {
    "append, 64 tasks": "a message appended, among many agents",
    "append, 1 task": "a message appended, by one agent alone",
    "last 50, 64 tasks": "the last 50 messages read",
    "last 50, 64 tasks, sealed": "the last 50 messages read, sealed",
    "all of 1,000": "a transcript of 1,000 messages read whole",
    "save with 1 new message, 500 old, 64 tasks": "an object of 500 messages saved with one new one",
}
"""Rows of the published table, and what they are called here. A run that left one out has no such row."""

SESSIONS = {
    "memory, the transcripts": "a conversation of 25 messages, 16 kB of JSON",
    "memory, 10,000 sessions of 2 short messages": "two short messages",
}
SEALED = ", idle and sealed"


def published(text: str) -> dict[str, list[str]]:
    """Our rows of the published tables by their first cell; a row without one continues the one above it."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        name = first or name
        if cells[:1] == [SUBJECT]:
            found.setdefault(name, cells[1:])
    return found


def number(text: str) -> float:
    """A number as the tables write it."""
    return float(re.sub(r"[^\d.]", "", text))


def cores(rows: dict[str, list[str]]) -> list[tuple[str, str, str, str]]:
    """For each kind of work: server CPU, the share of a core for 1,000 agents at one a second, and a core's most."""
    made = []
    for row, name in WORK.items():
        if row not in rows:
            continue
        spent_us = number(rows[row][4])
        made.append(
            (
                name,
                f"{spent_us:,.0f} µs",
                f"{AGENTS * spent_us / 1e6:.2f} cores",
                f"{BUSY_MAX * 1e6 / spent_us:,.0f} a second",
            )
        )
    return made


def memory(rows: dict[str, list[str]]) -> list[tuple[str, str, str, str]]:
    """For each kind of session: bytes as written and sealed, lists and feed included, and a million of them."""
    made = []
    for row, name in SESSIONS.items():
        if row not in rows or row + SEALED not in rows:
            continue
        written, sealed = (_bytes_a_session(rows[which]) for which in (row, row + SEALED))
        made.append((name, f"{written:,.0f} B", f"{sealed:,.0f} B", f"{written / 1e3:,.1f} GB; {sealed / 1e3:,.1f} GB"))
    return made


def _bytes_a_session(cells: list[str]) -> float:
    """Of the session's own keys. What sessions share is bounded, or small beside them, and is told in the text."""
    return number(cells[1])
