"""Pictures of dashboards, drawn from what Prometheus answered: what a reader will see, without a Grafana.

Its one rule: every number in a picture is an answer of Prometheus to the panel's own query.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from scripts.observe.panels import Panel, Target, panels_of, rows_of
from scripts.observe.prometheus import Prometheus

STEP_S = 1
COLUMNS = 24
"""Width of a dashboard, in Grafana's units."""
UNIT_HEIGHT = 0.31
"""Inches of such a unit, from top to bottom."""
WIDTH = 15.0
HEADROOM = 0.35
"""Share of the height that is kept free for the legend."""
LEGEND_MAX = 6
"""Most series that a legend names."""
SERIES_MAX = 20
ROWS_MAX = 10
CELL_CHARACTERS_MAX = 24
COLOURS = 64
"""Of a picture: it has few, and the file is small."""

STYLE = {
    "figure.facecolor": "#111217",
    "axes.facecolor": "#181b1f",
    "axes.edgecolor": "#2c3235",
    "axes.labelcolor": "#ccccdc",
    "axes.titlecolor": "#ccccdc",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#2c3235",
    "text.color": "#ccccdc",
    "xtick.color": "#8e8e99",
    "ytick.color": "#8e8e99",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6,
    "legend.facecolor": "#181b1f",
    "legend.edgecolor": "#181b1f",
    "legend.framealpha": 0.7,
    "lines.linewidth": 1.0,
    "font.size": 8,
}
BYTES = {"bytes", "decbytes", "Bps", "binBps"}
SCALES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
PERCENT = 100


def said(value: float, unit: str) -> str:
    """A number as a person reads it."""
    if not math.isfinite(value):
        return "–"
    if unit == "percentunit":
        return f"{value * PERCENT:.4g} %"
    if unit in BYTES:
        for scale, name in SCALES:
            if abs(value) >= scale:
                return f"{value / scale:.3g} {name}" + ("/s" if unit.endswith("ps") else "")
        return f"{value:.3g} B"
    if unit in {"s", "dtdurations"} and value:
        return f"{value * 1000:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    suffix = {"s": " s", "reqps": "/s", "ops": "/s", "cps": "/s", "wps": "/s", "mps": "/s"}.get(unit, "")
    return f"{value:,.4g}{suffix}"


def name_of(series: dict[str, Any], target: Target) -> str:
    """What the legend says of a series."""
    labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
    text = target.legend
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text or ", ".join(labels.values())


def draw(prometheus: Prometheus, path: Path, to: Path, *, seconds: int) -> None:
    """Draw one dashboard as it looks over the last so many seconds."""
    panels = list(panels_of(path, range_s=seconds))
    end = time.time()
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its stubs list every name
        bottom = max(y + height for _x, y, _w, height in (panel.grid for panel in panels))
        figure = Figure(figsize=(WIDTH, bottom * UNIT_HEIGHT))
        for panel in panels:
            x, y, width, height = panel.grid
            box = (
                (x + 1.1) / COLUMNS,
                1 - (y + height - 0.9) / bottom,
                (width - 1.4) / COLUMNS,
                (height - 1.9) / bottom,
            )
            axes = figure.add_axes(box)
            axes.set_title(panel.title)
            _panel(prometheus, panel, axes, start=end - seconds, end=end)
        for title, y in rows_of(path):
            figure.text(0.5 / COLUMNS, 1 - (y + 0.8) / bottom, title, fontsize=10, weight="bold")
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=90)
    to.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(image) as drawn:
        drawn.convert("RGB").quantize(COLOURS).save(to, optimize=True)


def _panel(prometheus: Prometheus, panel: Panel, axes: Axes, *, start: float, end: float) -> None:
    if panel.kind == "table":
        _table(prometheus, panel, axes)
    elif panel.kind == "heatmap":
        _heatmap(prometheus, panel, axes, start=start, end=end)
    elif panel.kind == "stat":
        _number(prometheus, panel, axes, start=start, end=end)
    else:
        _lines(prometheus, panel, axes, start=start, end=end)


def _lines(prometheus: Prometheus, panel: Panel, axes: Axes, *, start: float, end: float) -> None:
    found = [
        (name_of(series, target), [(float(at) - end, float(value)) for at, value in series["values"]])
        for target in panel.targets
        for series in prometheus.over(target.query, start=start, end=end, step=STEP_S)[:SERIES_MAX]
    ]
    highest = max((value for _name, points in found for _at, value in points if math.isfinite(value)), default=1.0)
    # So that marks on the axis are round numbers.
    scale = next((scale for scale, _name in SCALES if highest >= scale), 1) if panel.unit in BYTES else 1
    for number, (name, points) in enumerate(found):
        label = name if number < LEGEND_MAX else None
        axes.plot([at for at, _value in points], [value / scale for _at, value in points], label=label)
    axes.set_xlim(start - end, 0)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0) if low > -abs(high) / 10 else low, high + (high - low) * HEADROOM)
    axes.yaxis.set_major_formatter(lambda value, _at: said(value * scale, panel.unit))
    axes.xaxis.set_major_formatter(lambda value, _at: f"{value:.0f} s")
    if found:
        axes.legend(loc="upper left", ncols=2)


def _number(prometheus: Prometheus, panel: Panel, axes: Axes, *, start: float, end: float) -> None:
    axes.set_axis_off()
    shown: list[str] = []
    for target in panel.targets:
        shown += [said(float(series["value"][1]), panel.unit) for series in prometheus.now(target.query)[:2]]
        for series in prometheus.over(target.query, start=start, end=end, step=STEP_S)[:1]:
            values = [float(value) for _at, value in series["values"]]
            line = axes.twinx()
            line.set_axis_off()
            line.fill_between(range(len(values)), values, alpha=0.25, color="#73bf69")
    axes.text(0.5, 0.55, "\n".join(shown) or "–", ha="center", va="center", fontsize=17, transform=axes.transAxes)


def _heatmap(prometheus: Prometheus, panel: Panel, axes: Axes, *, start: float, end: float) -> None:
    found = prometheus.over(panel.targets[0].query, start=start, end=end, step=STEP_S)
    rows = sorted(found, key=lambda series: float(series["metric"]["le"]))
    times = sorted({float(at) for series in rows for at, _value in series["values"]})
    grid: list[list[float]] = []
    below = dict.fromkeys(times, 0.0)
    for series in rows:
        values = {float(at): float(value) for at, value in series["values"]}
        grid.append([max(values.get(at, 0.0) - below[at], 0.0) for at in times])
        below |= values
    axes.grid(visible=False)
    axes.imshow(grid, aspect="auto", origin="lower", cmap="inferno", interpolation="nearest")
    axes.set_yticks(range(len(rows)), [said(float(series["metric"]["le"]), "s") for series in rows])
    axes.set_xticks([])


def _table(prometheus: Prometheus, panel: Panel, axes: Axes) -> None:
    axes.set_axis_off()
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for target in panel.targets:
        for series in prometheus.now(target.query):
            labels = tuple(str(value) for name, value in sorted(series["metric"].items()) if name != "__name__")
            value = f"{float(series['value'][1]):,.4g}"
            cells.setdefault(labels, {})[target.legend or target.ref] = value
    columns = list(dict.fromkeys(name for row in cells.values() for name in row))
    rows = [[" ".join(labels), *(row.get(name, "") for name in columns)] for labels, row in cells.items()][:ROWS_MAX]
    if rows:
        _fill(axes, ["", *columns], rows)


def _fill(axes: Axes, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    def short(cell: str) -> str:
        return cell if len(cell) <= CELL_CHARACTERS_MAX else f"{cell[: CELL_CHARACTERS_MAX - 1]}…"

    table = axes.table(
        [[short(cell) for cell in row] for row in rows], colLabels=[short(head) for head in heads], loc="upper center"
    )
    table.auto_set_font_size(value=False)
    table.set_fontsize(7)
    for cell in table.get_celld().values():
        cell.set_facecolor("#181b1f")
        cell.set_edgecolor("#2c3235")
