"""The tables of docs/sizing.md: what is computed from published rows."""

from __future__ import annotations

from scripts import sizing

PUBLISHED = """\
|  | subject | ops/s | ours is × | p50 ms | p99 ms | server CPU µs | core busy |
| --- | --- | --: | --: | --: | --: | --: | --: |
| append, 64 tasks | sessioncache | 12,645 |  | 4.73 | 8.96 | 50.0 | 95% |
|  | redis-py | 11,120 | 1.14 | 5.70 | 7.08 | 31.1 | 35% |
| last 50, 64 tasks | openai-agents | 2,109 | 0.97 | 0.46 | 0.71 | 72.4 | 17% |
|  | sessioncache | 2,298 |  | 0.42 | 0.92 | 100 | 36% |
| memory, 10,000 sessions of 2 short messages | sessioncache | 10,000 | 4,832 | 48,315,632 |
| memory, 10,000 sessions of 2 short messages, idle and sealed | sessioncache | 10,000 | 522 | 5,220,224 |
"""


def test_our_rows_are_found() -> None:
    """Rows are known by their work, also where the name stands in a line above; those of others are left out."""
    rows = sizing.published(PUBLISHED)
    assert rows["append, 64 tasks"][0] == "12,645"
    assert rows["last 50, 64 tasks"][0] == "2,298"


def test_cores() -> None:
    """The share of a core is agents times time; a core that may be 60 % busy does the rest."""
    assert sizing.cores(sizing.published(PUBLISHED)) == [
        ("a message appended, among many agents", "50 µs", "0.05 cores", "12,000 a second"),
        ("the last 50 messages read", "100 µs", "0.10 cores", "6,000 a second"),
    ]


def test_memory() -> None:
    """A session's bytes as written and sealed, and a million of them; what a run left out is left out."""
    assert sizing.memory(sizing.published(PUBLISHED)) == [("two short messages", "4,832 B", "522 B", "4.8 GB; 0.5 GB")]


def test_the_published_run_has_all_rows() -> None:
    """What is published now gives every line of both tables."""
    rows = sizing.published(sizing.RESULTS.read_text(encoding="utf-8"))
    assert len(sizing.memory(rows)) == len(sizing.SESSIONS)
    assert len(sizing.cores(rows)) >= 4
