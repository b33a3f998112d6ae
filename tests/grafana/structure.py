"""What Grafana expects of a dashboard's JSON; it judges no query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

COLUMNS: Final = 24
KINDS: Final = {"stat", "timeseries", "table", "heatmap"}
UNITS: Final = {"short", "none", "s", "bytes", "Bps", "percentunit", "reqps", "ops", "wps", "cps"}
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
TOP: Final = {
    "annotations": dict,
    "description": str,
    "editable": bool,
    "fiscalYearStartMonth": int,
    "graphTooltip": int,
    "id": type(None),
    "links": list,
    "panels": list,
    "preload": bool,
    "refresh": str,
    "schemaVersion": int,
    "tags": list,
    "templating": dict,
    "time": dict,
    "timepicker": dict,
    "timezone": str,
    "title": str,
    "uid": str,
    "version": int,
    "weekStart": str,
}
VARIABLES: Final = ("datasource", "job", "namespace", "instance")
COLOURS: Final = {"green", "yellow", "orange", "red", "blue", "purple", "text"}


def problems(board: Json) -> Iterator[str]:
    """What Grafana would not take, or would show wrongly."""
    wrong = {name for name, kind in TOP.items() if not isinstance(board.get(name), kind)} | (set(board) - set(TOP))
    yield from (f"{name} is missing, unknown or of a wrong type" for name in sorted(wrong))
    if not re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"]):
        yield "uid has letters that Grafana does not take, or too many"
    numbers = [panel["id"] for panel in board["panels"]]
    if len(set(numbers)) != len(numbers):
        yield "two panels share an id"
    yield from _overlaps(board["panels"])
    for panel in board["panels"]:
        found = _row(panel) if panel["type"] == "row" else _panel(panel)
        yield from (f"{panel['title']}: {problem}" for problem in found)
    yield from _variables(board["templating"]["list"])


def _overlaps(panels: list[Json]) -> Iterator[str]:
    taken: dict[tuple[int, int], int] = {}
    for panel in panels:
        place = panel["gridPos"]
        if set(place) != {"h", "w", "x", "y"} or min(place.values()) < 0 or place["h"] < 1 or place["w"] < 1:
            yield f"{panel['title']}: its place is none"
            continue
        if place["x"] + place["w"] > COLUMNS:
            yield f"{panel['title']}: it stands out on the right"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["id"])
                if other != panel["id"]:
                    yield f"{panel['title']} lies over panel {other}"
                    return


def _row(panel: Json) -> Iterator[str]:
    if panel["collapsed"] or panel["panels"] or panel["gridPos"]["w"] != COLUMNS:
        yield "a row is open, empty and as wide as the page"


def _panel(panel: Json) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] not in KINDS:
        yield f"{panel['type']} is no kind of panel that is used here"
    if not panel["title"] or len(panel["description"]) < len("0 is right.") or not panel["description"].endswith("."):
        yield "it has no title, or no description that is a sentence"
    if defaults.get("unit") not in UNITS:
        yield f"its unit is {defaults.get('unit')}"
    if panel["datasource"] != SOURCE:
        yield "its data source is not the variable"
    yield from _thresholds(defaults["thresholds"]["steps"])
    yield from _queries(panel)


def _thresholds(steps: list[Json]) -> Iterator[str]:
    values = [step["value"] for step in steps]
    if values[0] is not None or values[1:] != sorted(set(values[1:])) or {s["color"] for s in steps} - COLOURS:
        yield "its thresholds do not rise from null, or have foreign colours"


def _queries(panel: Json) -> Iterator[str]:
    letters = [target.get("refId") for target in panel["targets"]]
    if not letters or len(set(letters)) != len(letters) or not all(letters):
        yield "its queries have no letters of their own"
    for target in panel["targets"]:
        if not target.get("expr") or target.get("datasource") != SOURCE or target.get("instant") == target["range"]:
            yield f"query {target.get('refId')} has no expression, another source, or is of no kind"
    if panel["type"] == "timeseries" and panel["options"]["legend"]["calcs"] != ["lastNotNull", "max"]:
        yield "its legend is no table of last and largest"
    if panel["type"] in {"stat", "table"} and not all(target.get("instant") for target in panel["targets"]):
        yield "it would go on showing what is no longer told"


def _variables(variables: list[Json]) -> Iterator[str]:
    if tuple(variable["name"] for variable in variables) != VARIABLES:
        yield f"its variables are not {VARIABLES}"
    for variable in variables:
        if not variable["label"] or variable["hide"] != 0:
            yield f"variable {variable['name']} cannot be seen"
        if variable["name"] == "datasource":
            if (variable["type"], variable["query"]) != ("datasource", "prometheus"):
                yield "the data source is no Prometheus"
        elif not (variable["multi"] and variable["includeAll"] and variable["datasource"] == SOURCE):
            yield f"variable {variable['name']} takes not several values, or asks another source"
