"""The results as they are committed: tables in README.md between two marks, and chart.svg.

    python -m benchmarks.publish [RESULTS.json]        without measuring again

The rule of this module: what stands between the marks is written here and nowhere else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from benchmarks.chart import chart
from benchmarks.report import Table, notes, tables
from benchmarks.results import Results

__all__ = ["BEGIN", "BEGIN_WORKERS", "END", "END_WORKERS", "markdown", "publish"]

FOLDER: Final = Path(__file__).parent
README: Final = FOLDER / "README.md"
CHART: Final = "chart.svg"
BEGIN: Final = "<!-- results: written by `make bench ARGS=--publish` -->"
END: Final = "<!-- end of results -->"
BEGIN_WORKERS: Final = '<!-- results: written by `make bench ARGS="workers --publish"` -->'
END_WORKERS: Final = "<!-- end of results of workers -->"
WORKERS: Final = "workers"


def publish(results: Results, readme: Path = README) -> list[Path]:
    """Write both; answers which files. What workers did has a place of its own, and no picture.

    Raises:
        ValueError: the README has no marks, or the results are of workers and of something else.
    """
    rows = set(results.facts.get("rows", ()))
    if rows == {WORKERS}:
        _put_in(readme, BEGIN_WORKERS, markdown(results), END_WORKERS)
        return [readme]
    if WORKERS in rows:
        raise ValueError("results of workers are published by themselves")
    picture = readme.with_name(CHART)
    _put_in(readme, BEGIN, f"{markdown(results)}\n![Operations a second of each store]({CHART})\n", END)
    picture.write_text(chart(results), encoding="utf-8")
    return [readme, picture]


def _put_in(readme: Path, begin: str, text: str, end: str) -> None:
    """Replace what stands between two marks."""
    before, found, rest = readme.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{readme.name} has no place for the results: {begin} … {end}")
    readme.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def markdown(results: Results) -> str:
    """The tables, and what they hold for."""
    parts = [part for table in tables(results) for part in (f"**{table.title}**", _markdown(table))]
    parts.append("\n".join(f"- {line}" for line in notes(results)))
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = tuple("---" if name in table.left else "--:" for name in table.head)
    return "\n".join([line(table.head), line(rule), *(line(row) for row in table.rows)])


def main(arguments: list[str]) -> int:
    """Publish a file of results; the latest ones, if none is named."""
    file = Path(arguments[0]) if arguments else FOLDER / "results" / "latest.json"
    try:
        written = publish(Results.from_json(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    for path in written:
        print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
