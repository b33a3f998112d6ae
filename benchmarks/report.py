"""What people see: progress while it runs, then tables, the bars first. Rich if it is there, plain text otherwise.

The rule of this module: a table holds what the JSON holds, rounded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.bars import Verdict, judge
from benchmarks.results import Ratio, Results
from benchmarks.subject import OURS

__all__ = ["Table", "notes", "plain", "progress", "render", "tables"]


WIDTH = 150
VERDICT_WIDTH = 34
UNITS = {
    "operations_per_s": (0, "/s"),
    "sessions_per_s": (0, "/s"),
    "us_per_operation": (0, " µs"),
    "server_cpu_us": (0, " µs"),
    "p99_us": (0, " µs"),
    "server_busy": (0, ""),
    "server_percent": (2, " %"),
    "seconds": (1, " s"),
    "freed_bytes_per_s": (0, " B/s"),
}
"""Of numbers, digits behind the point and what comes after; all others are bytes."""


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of text."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]

    left: tuple[str, ...] = ("", "subject")
    """Columns of words."""


def tables(results: Results) -> list[Table]:
    """The bars, then what was timed, what was weighed, and what workers did."""
    found = [_bars(results), _timed(results), _weighed(results), _staged(results)]
    return [table for table in found if table.rows]


def _bars(results: Results) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            verdict.bar.name,
            _value(verdict),
            _ratio(verdict.ratio),
            verdict.bar.text if verdict.bar.theirs is None or verdict.bar.text != "-" else f"- ({_whose(verdict)})",
            verdict.text,
        )
        for verdict in judge(results)
    ]
    head = ("", OURS, "ratio", "bar", "verdict")
    return Table(
        "Bars: medians of the ratios within each round, lowest and highest behind",
        head,
        rows,
        left=("", "bar", "verdict"),
    )


def _whose(verdict: Verdict) -> str:
    return f"to {verdict.bar.theirs[1]}" if verdict.bar.theirs else ""


def _value(verdict: Verdict) -> str:
    if verdict.value is None:
        return "-"
    digits, unit = UNITS.get(verdict.bar.number, (0, " B"))
    return f"{verdict.value:,.{digits}f}{unit}"


def _ratio(ratio: Ratio | None) -> str:
    return f"{ratio.median:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})" if ratio else "-"


def _timed(results: Results) -> Table:
    head = ("", "subject", "ops/s", "ours is ×", "p50 ms", "p99 ms", "server CPU µs", "core busy", "bytes", "trips")
    rows: list[tuple[str, ...]] = []
    for workload in results.workloads():
        if not any("operations_per_s" in results.medians(workload, subject) for subject in results.subjects(workload)):
            continue
        for position, subject in enumerate(results.subjects(workload)):
            numbers = results.medians(workload, subject)
            ratio = results.ratio((workload, OURS), (workload, subject), "operations_per_s")
            row = (
                results.name(workload) if position == 0 else "",
                subject,
                f"{numbers['operations_per_s']:,.0f}",
                f"{ratio.median:.2f}" if ratio and subject != OURS else "",
                f"{numbers['p50_us'] / 1000:.2f}",
                f"{numbers['p99_us'] / 1000:.2f}",
                *_server_side(numbers),
            )
            rows.append(row)
        rows += [
            ("", item.subject, item.why.partition(":")[0]) + ("",) * (len(head) - 3)
            for item in results.missing
            if item.workload == workload and item.subject != OURS
        ]
    return Table("Medians over the rounds; CPU, bytes and round trips are the server's, for each operation", head, rows)


def _server_side(numbers: dict[str, float]) -> tuple[str, ...]:
    """What the server counted; nothing for a store that is not on it."""
    if not numbers["bytes_sent"]:
        return ("-",) * 4
    return (
        f"{numbers['server_cpu_us']:.1f}",
        f"{numbers['server_busy']:.0%}",
        f"{numbers['bytes_sent']:,.0f}",
        f"{numbers['round_trips']:.2f}",
    )


def _weighed(results: Results) -> Table:
    head = ("", "subject", "sessions", "B a session", "B of sessions", "shared lists", "dictionaries", "allocator")
    rows: list[tuple[str, ...]] = []
    for workload in results.workloads():
        for position, subject in enumerate(results.subjects(workload)):
            numbers = results.medians(workload, subject)
            if "session_bytes" not in numbers:
                continue
            rows.append(
                (
                    results.name(workload) if position == 0 else "",
                    subject,
                    f"{numbers['sessions']:,.0f}",
                    f"{numbers['session_bytes'] / numbers['sessions']:,.0f}",
                    *(
                        f"{numbers[name]:,.0f}"
                        for name in ("session_bytes", "shared_bytes", "dictionary_bytes", "used_bytes")
                    ),
                )
            )
    return Table("Memory: MEMORY USAGE of every key; the last column is what the allocator's count rose by", head, rows)


def _staged(results: Results) -> Table:
    head = ("", "sessions", "seconds", "sessions/s", "freed MB/s", "p50 ms", "p99 ms", "calls/s", "core busy", "load")
    rows: list[tuple[str, ...]] = []
    for workload in results.workloads():
        numbers = results.medians(workload, OURS)
        if "load_average" not in numbers:
            continue
        busy = numbers.get("server_busy", numbers.get("server_percent", 0) / 100)
        rows.append(
            (
                results.name(workload),
                _number(numbers.get("sessions")),
                _number(numbers.get("seconds"), 1),
                _number(numbers.get("sessions_per_s")),
                _number(numbers.get("freed_bytes_per_s"), 2, 1e6),
                _number(numbers.get("p50_us"), 2, 1000),
                _number(numbers.get("p99_us"), 2, 1000),
                _number(numbers.get("calls_per_s")),
                f"{busy:.2%}" if "server_percent" in numbers else f"{busy:.0%}" if busy else "",
                _number(numbers["load_average"], 1),
            )
        )
    title = "Workers: p50, p99 and calls are those of agents beside them; the load is the machine's"
    return Table(title, head, rows)


def _number(value: float | None, digits: int = 0, unit: float = 1) -> str:
    return "" if value is None else f"{value / unit:,.{digits}f}"


def notes(results: Results) -> list[str]:
    """What the numbers hold for."""
    facts = results.facts
    lines = [
        f"{facts['date']}, {facts['machine']}, {facts['cores']} cores, Python {facts['python']}; {facts['pinned']}",
        f"{facts['server']}, {facts['durability']}; rounds: {facts['rounds']}, messages of {facts['messages']}",
        *(f"{name}: {_pairs(versions)}" for name, versions in facts["subjects"].items() if versions),
        "PING takes " + ", ".join(f"{us:.0f} µs {way}" for way, us in facts["ping_p50_us"].items()),
        *facts.get("stages", []),
        *_absences(results),
    ]
    if facts.get("quick"):
        lines.append("A quick run, of few operations: good for seeing that everything works, not for quoting.")
    if facts["load_average_before"] > 0.5 * (facts["cores"] or 1):
        lines.append(
            f"The machine was busy (load {facts['load_average_before']:.1f}): trust the ratios, not the rates."
        )
    return lines


def _absences(results: Results) -> list[str]:
    """What was not measured, each reason once."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in results.missing:
        names = found.setdefault((item.subject, item.why), [])
        names += [results.name(item.workload)] if item.workload else []
    lines = []
    for (subject, why), names in found.items():
        which = f" ({'; '.join(names)})" if names else ""
        lines.append(f"{subject}{which}: {why}")
    return lines


def _pairs(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def render(results: Results) -> None:
    """Print tables and notes."""
    try:
        from rich.console import Console  # noqa: PLC0415  rich is an extra
        from rich.table import Table as RichTable  # noqa: PLC0415  as above
    except ImportError:
        for table in tables(results):
            print("\n".join(plain(table)))
    else:
        console = Console()
        if not console.is_terminal:
            console.width = WIDTH
        for table in tables(results):
            pretty = RichTable(title=table.title, title_justify="left")
            for name in table.head:
                left = name in table.left
                words = VERDICT_WIDTH if name == "verdict" else None
                whole = name in {"", "subject", "ratio"}
                pretty.add_column(name, justify="left" if left else "right", no_wrap=whole, min_width=words)
            for row in table.rows:
                pretty.add_row(*row)
            console.print(pretty)
    for line in notes(results):
        print(line)


def plain(table: Table) -> list[str]:
    """The table as lines of text."""
    widths = [max(len(cell) for cell in column) for column in zip(table.head, *table.rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    return [table.title, line(table.head), *(line(row) for row in table.rows), ""]


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Something to call with what is about to happen: a bar on a terminal, a line elsewhere."""
    try:
        from rich.console import Console  # noqa: PLC0415  rich is an extra
        from rich.progress import Progress  # noqa: PLC0415  as above
    except ImportError:
        yield _print_line
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _print_line
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("starting", total=total)

        def advance(text: str) -> None:
            bar.update(task, description=text, advance=text.startswith("round"))

        yield advance


def _print_line(text: str) -> None:
    print(text, file=sys.stderr)
