"""The panels of the dashboards in grafana/dashboards, with the variables of their queries filled in."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARDS = Path(__file__).resolve().parents[2] / "grafana" / "dashboards"
RATE_S = 10
"""What stands for Grafana's $__rate_interval, with a scrape a second."""


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    ref: str
    query: str
    legend: str
    instant: bool


@dataclass(frozen=True)
class Panel:
    """One panel."""

    dashboard: str
    title: str
    kind: str
    """timeseries, stat, table, heatmap, …"""
    unit: str
    targets: tuple[Target, ...]
    grid: tuple[int, int, int, int]
    """x, y, width and height, in Grafana's units."""


def filled_in(query: str, *, range_s: int) -> str:
    """A query with all chosen, over the last so many seconds."""
    for name in ("job", "instance", "namespace"):
        query = query.replace(f"${{{name}}}", ".+").replace(f"${name}", ".+")
    for name, value in (
        ("rate_interval", f"{RATE_S}s"),
        ("range_s", str(range_s)),
        ("range", f"{range_s}s"),
        ("interval", f"{RATE_S}s"),
    ):
        query = query.replace(f"$__{name}", value)
    return query


def panels_of(path: Path, *, range_s: int) -> Iterator[Panel]:
    """The panels of one dashboard that ask something, those in folded rows included."""
    board = json.loads(path.read_text(encoding="utf-8"))

    for panel in _walk(board["panels"]):
        targets = tuple(
            Target(
                target["refId"],
                filled_in(target["expr"], range_s=range_s),
                target.get("legendFormat", ""),
                bool(target.get("instant")),
            )
            for target in panel.get("targets", [])
        )
        if targets:
            place = panel["gridPos"]
            unit = panel["fieldConfig"]["defaults"].get("unit", "short")
            grid = (place["x"], place["y"], place["w"], place["h"])
            yield Panel(path.stem, panel["title"], panel["type"], unit, targets, grid)


def rows_of(path: Path) -> Iterator[tuple[str, int]]:
    """The rows of one dashboard: titles, and how far down they stand."""
    for panel in _walk(json.loads(path.read_text(encoding="utf-8"))["panels"]):
        if panel["type"] == "row":
            yield panel["title"], panel["gridPos"]["y"]


def _walk(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in found:
        yield panel
        yield from _walk(panel.get("panels", []))


def boards() -> list[Path]:
    """The files of all dashboards."""
    return sorted(DASHBOARDS.glob("*.json"))


def has_data(series: list[dict[str, Any]]) -> bool:
    """Whether an answer has a number in it."""
    return any(
        math.isfinite(float(value))
        for one in series
        for _at, value in (one["values"] if "values" in one else [one["value"]])
    )
