"""What the numbers are held against, and by how much they meet it or miss it.

The rule of this module: a bar is data, and is judged by the median over the rounds of the ratios within each round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.results import Ratio, Results
from benchmarks.subject import BARE, OPENAI, OURS, REDIS_PY
from benchmarks.workloads import DELAY_MS, PROCESSES, Workload

__all__ = ["BARS", "BUSY_AT_LEAST", "Bar", "Verdict", "choose", "judge"]

RATE: Final = "operations_per_s"
TIME: Final = "us_per_operation"
SESSION_BYTES: Final = "session_bytes"
BUSY: Final = "server_busy"
P99: Final = "p99_us"
SESSIONS_RATE: Final = "sessions_per_s"
BUSY_AT_LEAST: Final = 0.9
ALONE: Final = "-base"
"""How keys of stages end that were measured without workers."""

FAR: Final = 0.5
"""Under this share of a bar from above, a percentage says less than how many times it is over."""


@dataclass(frozen=True)
class Bar:
    """One row of the table."""

    row: str
    """The name by which it is chosen, as a workload's."""

    name: str
    ours: str
    """Key of the workload."""

    number: str = RATE
    theirs: tuple[str, str] | None = None
    """Workload and subject that ours is divided by; None: the number itself is told."""

    at_least: float | None = None
    at_most: float | None = None
    """Neither: a number to know, without a bar."""

    or_busy: bool = False
    """Whether a server that is busy all the time meets it as well: then the client is not what holds it up."""

    @property
    def text(self) -> str:
        """The bar in words."""
        if self.at_least is None and self.at_most is None:
            return "-"
        sign, limit = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        whom = "" if self.theirs is None else f" × {_whom(self)}"
        busy = f", or its core ≥ {BUSY_AT_LEAST:.0%} busy" if self.or_busy else ""
        return f"{sign} {limit:g}{whom}{busy}"


def _whom(bar: Bar) -> str:
    if bar.theirs is None:
        return ""
    workload, subject = bar.theirs
    if workload.endswith(ALONE):
        return "without workers"
    return NAMES.get((workload, subject)) or subject


NAMES: Final = {
    ("append-1", OURS): "append",
    ("append-64", OURS): "append",
    ("whole", OURS): "unsealed",
    ("list-small", OURS): "far fewer sessions",
    ("sweep-1", OURS): "1 worker",
}


def _vs(ours: str, subject: str) -> tuple[str, str]:
    return ours, subject


BARS: Final = (
    Bar("append", "append, 64 tasks", "append-64", RATE, _vs("append-64", OPENAI), at_least=15),
    Bar("append", "append, 64 tasks", "append-64", RATE, _vs("append-64", BARE), at_least=0.6),
    Bar("append", "append, 1 task", "append-1", RATE, _vs("append-1", REDIS_PY), at_least=1),
    Bar(
        "append",
        f"append, 64 tasks, +{DELAY_MS} ms",
        "append-64-delayed",
        RATE,
        _vs("append-64-delayed", OPENAI),
        at_least=15,
    ),
    Bar("append", "server CPU µs an append", "append-64", "server_cpu_us"),
    Bar("append", "server CPU µs an append", "append-64", "server_cpu_us", _vs("append-64", OPENAI)),
    Bar("append", "bytes sent an append", "append-64", "bytes_sent"),
    Bar("append", "bytes sent an append", "append-64", "bytes_sent", _vs("append-64", OPENAI)),
    Bar("load", "last 50, 64 tasks", "load-64", RATE, _vs("load-64", OPENAI), at_least=1.6),
    Bar("load", "last 50, 64 tasks, sealed", "load-64-sealed", RATE, _vs("load-64", OPENAI), at_least=3),
    Bar("load", "last 50, near-cache hit", "load-64-near", RATE, _vs("load-64", OPENAI), at_least=6),
    Bar("save", "save, 1 new message, 500 old, 1 task", "save-1", TIME, _vs("append-1", OURS), at_most=1.5),
    Bar("save", "save, 1 new message, 500 old, 64 tasks", "save-64", TIME, _vs("append-64", OURS), at_most=1.5),
    Bar("memory", "transcripts, as written", "memory", SESSION_BYTES, _vs("memory", OPENAI)),
    Bar("memory", "transcripts, idle and sealed", "memory-sealed", SESSION_BYTES, _vs("memory", OPENAI), at_most=0.25),
    Bar("memory", "transcripts: bytes of dictionaries", "memory-sealed", "dictionary_bytes"),
    Bar("memory", "transcripts: bytes of lists and feeds", "memory", "shared_bytes"),
    Bar("memory", "2 short messages, as written", "memory-short", SESSION_BYTES, _vs("memory-short", OPENAI)),
    Bar(
        "memory",
        "2 short messages, idle",
        "memory-short-sealed",
        SESSION_BYTES,
        _vs("memory-short", OPENAI),
        at_most=1.5,
    ),
    Bar("memory", "2 short messages: bytes of lists and feeds", "memory-short", "shared_bytes"),
    Bar("whole", "all of 1,000 messages, sealed", "whole-sealed", RATE, _vs("whole", OURS), at_least=1),
    Bar("list", "newest 50 of very many sessions", "list-large", TIME, _vs("list-small", OURS), at_most=3),
    Bar(
        "processes",
        f"append, {PROCESSES} processes × 64 tasks",
        "append-processes",
        RATE,
        _vs("append-64", OURS),
        at_least=1.3,
        or_busy=True,
    ),
    *(
        Bar("workers", f"agents' p99 beside {name}", key, P99, (f"{key}{ALONE}", OURS), at_most=2)
        for key, name in (
            ("sweep-1", "1 worker that sweeps"),
            ("sweep-2", "2 workers that sweep"),
            ("sweep-4", "4 workers that sweep"),
            ("reconcile", "4 workers that reconcile"),
            ("seal", "4 workers that seal"),
        )
    ),
    Bar("workers", "server CPU, 4 workers, nothing to do", "idle", "server_percent", at_most=1),
    Bar("workers", "sweep, 1 worker: sessions", "sweep-1", SESSIONS_RATE),
    Bar("workers", "sweep, 2 workers: sessions", "sweep-2", SESSIONS_RATE, _vs("sweep-1", OURS)),
    Bar("workers", "sweep, 4 workers: sessions", "sweep-4", SESSIONS_RATE, _vs("sweep-1", OURS)),
    Bar("workers", "reconcile, 4 workers: sessions", "reconcile", SESSIONS_RATE),
    Bar("workers", "reconcile, 4 workers: all of it", "reconcile", "seconds"),
    Bar("workers", "seal, 4 workers: memory reclaimed", "seal", "freed_bytes_per_s"),
)


@dataclass(frozen=True)
class Verdict:
    """A bar, judged."""

    bar: Bar
    value: float | None
    """Ours, in the bar's number; None: not measured."""

    ratio: Ratio | None
    meets: bool | None
    """None: there is no bar, or nothing to judge."""

    text: str


def judge(results: Results, bars: Sequence[Bar] = BARS) -> list[Verdict]:
    """Those bars that the run was to tell about."""
    wanted = set(results.facts.get("rows", {bar.row for bar in bars}))
    return [_judge(results, bar) for bar in bars if bar.row in wanted]


def _judge(results: Results, bar: Bar) -> Verdict:
    ours = results.median(bar.ours, OURS, bar.number)
    ratio = None
    if bar.theirs is not None:
        ratio = results.ratio((bar.ours, OURS), bar.theirs, bar.number)
    if ours is None:
        return Verdict(bar, ours, ratio, None, results.why(bar.ours, OURS))
    if bar.theirs is None:
        return Verdict(bar, ours, None, *_judge_number(bar, ours))
    if ratio is None:
        return Verdict(bar, ours, None, None, results.why(*bar.theirs))
    if bar.at_least is None and bar.at_most is None:
        return Verdict(bar, ours, ratio, None, "-")
    meets, text = _compare(bar, ratio.median, results.median(bar.ours, OURS, BUSY))
    return Verdict(bar, ours, ratio, meets, text)


def _judge_number(bar: Bar, ours: float) -> tuple[bool | None, str]:
    """Of a bar that is about the number itself."""
    return (None, "-") if bar.at_least is None and bar.at_most is None else _compare(bar, ours, None)


def _compare(bar: Bar, ratio: float, busy: float | None) -> tuple[bool, str]:
    """Whether a ratio meets its bar, and by how much."""
    over = ratio / bar.at_least if bar.at_least is not None else (bar.at_most or 0) / ratio
    if over >= 1:
        return True, f"meets by {over - 1:.0%}"
    if bar.or_busy and busy is not None and busy >= BUSY_AT_LEAST:
        return True, f"meets: the server's core is {busy:.0%} busy"
    if bar.at_least is not None:
        text = f"misses by {1 - over:.0%}"
    else:
        text = f"misses by {1 / over - 1:.0%}" if over > FAR else f"misses {1 / over:.1f} times over"
    return False, text + (f", the server's core {busy:.0%} busy" if bar.or_busy and busy is not None else "")


def choose(workloads: Sequence[Workload], rows: Sequence[str]) -> list[Workload]:
    """The workloads of the named rows, all but the staged ones if none is named, and what their bars are held against.

    Raises:
        ValueError: a name that no row has.
    """
    known = list(dict.fromkeys(workload.row for workload in workloads))
    unknown = [row for row in rows if row not in known]
    if unknown:
        raise ValueError(f"unknown row {', '.join(unknown)}; there are: {', '.join(known)}")
    wanted = set(rows or (workload.row for workload in workloads if not workload.staged))
    needed: dict[str, list[str]] = {}
    for bar in BARS:
        if bar.row in wanted and bar.theirs is not None:
            key, subject = bar.theirs
            needed.setdefault(key, []).append(subject)
    chosen = []
    for workload in workloads:
        if workload.row in wanted:
            chosen.append(workload)
        elif workload.key in needed:
            chosen.append(replace(workload, subjects=tuple(dict.fromkeys(needed[workload.key]))))
    return chosen
