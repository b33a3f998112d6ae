"""The chart: how many operations a second each store does, as SVG. Made by hand, so that it needs no library.

The rule of this module: the same results make the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.results import Results
from benchmarks.subject import OURS

__all__ = ["CHARTED", "chart"]

CHARTED: Final = ("append-64", "append-64-delayed", "load-64", "load-64-sealed", "load-64-near")
"""Workloads, a panel each; those of ours alone share the panel before them."""

WIDTH: Final = 760
LABEL: Final = 220
NUMBER: Final = 90
LINE: Final = 22
BAR: Final = 14
MARGIN: Final = 16
OURS_COLOUR: Final = "#1f6feb"
OTHERS_COLOUR: Final = "#9aa4b2"
FONT: Final = "font-family='system-ui, sans-serif' font-size='12'"


def chart(results: Results) -> str:
    """The picture."""
    lines: list[str] = []
    y = MARGIN
    for title, bars in _panels(results):
        y += LINE
        lines.append(_text(MARGIN, y, title, weight="bold"))
        most = max(rate for _, rate, _ in bars)
        for name, rate, ours in bars:
            y += LINE
            width = max((WIDTH - LABEL - NUMBER - MARGIN) * rate / most, 1)
            colour = OURS_COLOUR if ours else OTHERS_COLOUR
            lines += [
                _text(LABEL - 8, y, name, anchor="end"),
                f"<rect x='{LABEL}' y='{y - BAR + 3}' width='{width:.1f}' height='{BAR}' fill='{colour}'/>",
                _text(LABEL + width + 6, y, f"{rate:,.0f}"),
            ]
        y += LINE // 2
    head = f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{y + MARGIN}' role='img' {FONT}>"
    title = "<title>Operations a second, each store beside the others</title>"
    return "\n".join([head, title, "<rect width='100%' height='100%' fill='#ffffff'/>", *lines, "</svg>"]) + "\n"


def _panels(results: Results) -> Iterator[tuple[str, list[tuple[str, float, bool]]]]:
    """Titles with their bars: label, rate, whether it is ours; the quickest first."""
    panels: list[tuple[str, list[tuple[str, float, bool]]]] = []
    for workload in CHARTED:
        subjects = results.subjects(workload)
        if not subjects:
            continue
        name = results.name(workload)
        alone = subjects == [OURS] and panels
        if not alone:
            panels.append((f"{name}: operations a second", []))
        for subject in subjects:
            rate = results.median(workload, subject, "operations_per_s") or 0.0
            label = f"{subject}, {name.rsplit(', ', 1)[1]}" if alone else subject
            panels[-1][1].append((label, rate, subject == OURS))
    for title, bars in panels:
        yield title, sorted(bars, key=lambda bar: -bar[1])


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    style = f"text-anchor='{anchor}' font-weight='{weight}' fill='#1c2128'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {style}>{escape(text)}</text>"
