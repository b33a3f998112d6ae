"""What people see: progress while it runs, then tables, ratios first. Rich if it is there, plain text otherwise.

The rule of this module: a table holds what the JSON holds, rounded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.subject import OURS

__all__ = ["Table", "progress", "render", "tables"]


WIDTH = 120


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of text."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def tables(results: Results) -> list[Table]:
    """Ratios, then what they are made of."""
    others = [name for name in results.subjects() if name != OURS]
    found = []
    if OURS in results.subjects():
        head = ("", *(f"× {name}" for name in (*others, *results.missing)))
        ratios = [
            (
                workload,
                *(_ratio(results, workload, other) for other in others),
                *("not installed" for _ in results.missing),
            )
            for workload in results.workloads()
        ]
        found.append(Table(f"{OURS}: times as many operations a second (lowest to highest round)", head, ratios))
    head = ("", "subject", "ops/s", "p50 ms", "p99 ms", "server CPU µs", "bytes sent", "round trips")
    rows: list[tuple[str, ...]] = []
    for workload in results.workloads():
        for position, subject in enumerate(results.subjects()):
            numbers = results.medians(workload, subject)
            row = (
                workload if position == 0 else "",
                subject,
                f"{numbers['operations_per_s']:,.0f}",
                f"{numbers['p50_us'] / 1000:.2f}",
                f"{numbers['p99_us'] / 1000:.2f}",
                f"{numbers['server_cpu_us']:.1f}",
                f"{numbers['bytes_sent']:,.0f}",
                f"{numbers['round_trips']:.2f}",
            )
            rows.append(row)
    found.append(Table("Medians over the rounds; CPU, bytes and round trips are for each operation", head, rows))
    return found


def _ratio(results: Results, workload: str, other: str) -> str:
    ratio = results.ratio(workload, other)
    return f"{ratio.median:.2f}  ({ratio.lowest:.2f} to {ratio.highest:.2f})" if ratio else "-"


def notes(results: Results) -> list[str]:
    """What the numbers hold for."""
    facts = results.facts
    lines = [
        f"{facts['date']}, {facts['machine']}, {facts['cores']} cores, Python {facts['python']}",
        f"{facts['server']}, {facts['durability']}; {facts['rounds']} rounds, messages of {facts['messages']}",
        *(f"{name}: {_pairs(versions)}" for name, versions in facts["subjects"].items()),
        "PING takes " + ", ".join(f"{us:.0f} µs {way}" for way, us in facts["ping_p50_us"].items()),
        *(f"{name}: {why}" for name, why in results.missing.items()),
    ]
    if facts["load_average_before"] > 0.5 * (facts["cores"] or 1):
        lines.append(
            f"The machine was busy (load {facts['load_average_before']:.1f}): trust the ratios, not the rates."
        )
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
            for position, name in enumerate(table.head):
                left = position == 0 or name == "subject"
                pretty.add_column(name, justify="left" if left else "right", no_wrap=left)
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
