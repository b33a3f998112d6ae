"""Panels as values, and the JSON that Grafana has for them.

The rule of this module: it knows Grafana's format, and no metric. Whoever writes a panel says what it shows, in which
unit and from where on it is bad.
"""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

__all__ = ["BAD", "GOOD", "SOURCE", "WARN", "WIDTH", "Heatmap", "Json", "Lines", "Number", "Panel", "Query", "Table"]

Json: TypeAlias = dict[str, Any]

WIDTH: Final = 24
SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
KEPT: Final = (
    "${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${namespace:queryparam}&${instance:queryparam}"
)
"""What a link from a panel hands on."""

GOOD: Final = "green"
WARN: Final = "orange"
BAD: Final = "red"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    expr: str
    legend: str = ""
    """With labels as `{{call}}`; the column's head in a table."""
    unit: str = ""
    """In a table: the column's unit."""
    exemplars: bool = False
    """Whether to show traces of single calls, where the data source has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel(ABC):
    """What every panel has."""

    title: str
    description: str
    """What it shows, and what a good value is."""
    unit: str
    """Grafana's id, such as `s`, `bytes`, `reqps`, `percentunit`, `short`."""
    queries: tuple[Query, ...]
    thresholds: tuple[tuple[float, str], ...] = ()
    """From which value on which colour holds, upwards; below the first it is `base`."""
    base: str = GOOD
    width: int = 12
    decimals: int | None = None
    colours: Mapping[str, str] = field(default_factory=dict)
    """Of series, by their name."""

    height: int = 8
    kind: str = ""

    @abstractmethod
    def options(self) -> Json:
        """How the panel shows its data."""

    def custom(self) -> Json:
        """How the fields are drawn."""
        return {}

    def colour(self) -> Json:
        """How fields get their colours."""
        return {"mode": "thresholds"}

    def overrides(self) -> list[Json]:
        """What differs for single series."""
        return [
            {
                "matcher": {"id": "byName", "options": name},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            }
            for name, colour in self.colours.items()
        ]

    def links(self) -> list[Json]:
        """Where a click leads."""
        return []

    def target(self, query: Query, letter: str) -> Json:
        """A query as Grafana has it."""
        made: Json = {
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "range": True,
            "refId": letter,
        }
        return made | ({"exemplar": True} if query.exemplars else {})

    def transformations(self) -> list[Json]:
        """What is done to the answers before they are shown."""
        return []

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel at its place."""
        steps = [{"color": self.base, "value": None}, *({"color": c, "value": v} for v, c in self.thresholds)]
        defaults: Json = {
            "color": self.colour(),
            "custom": self.custom(),
            "links": self.links(),
            "mappings": [],
            "thresholds": {"mode": "absolute", "steps": steps},
            "unit": self.unit,
        }
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        return {
            "datasource": SOURCE,
            "description": self.description,
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides()},
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "id": number,
            "options": self.options(),
            "targets": [
                self.target(query, letter) for query, letter in zip(self.queries, string.ascii_uppercase, strict=False)
            ],
            "title": self.title,
            "transformations": self.transformations(),
            "type": self.kind,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Panel):
    """One number as it is now; nothing, if it is not told now."""

    width: int = 4
    height: int = 4
    kind: str = "stat"
    goto: str = ""
    """uid of the dashboard that tells more."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Words for single values."""

    def options(self) -> Json:
        """The number large, and coloured."""
        return {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "auto",
            "wideLayout": True,
        }

    def links(self) -> list[Json]:
        """To the dashboard that tells more."""
        return [{"title": "More", "url": f"/d/{self.goto}?{KEPT}", "targetBlank": False}] if self.goto else []

    def target(self, query: Query, letter: str) -> Json:
        """A query for now: the last of a range would go on showing what is no longer told."""
        return Panel.target(self, query, letter) | {"instant": True, "range": False}

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel at its place."""
        made = Panel.json(self, number, x, y)
        if self.words:
            said = {value: {"index": place, "text": word} for place, (value, word) in enumerate(self.words.items())}
            made["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": said}]
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Panel):
    """Series over time, with a table of their last and largest values."""

    kind: str = "timeseries"
    stacked: bool = False
    shows_limits: bool = False
    """Whether thresholds are drawn as lines."""
    dashed: tuple[str, ...] = ()
    """Series that are limits, by name: dashed and not filled."""
    top: float | None = None
    """End of the axis."""

    def options(self) -> Json:
        """The legend as a table."""
        return {
            "legend": {
                "calcs": ["lastNotNull", "max"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
                "sortBy": "Last *",
                "sortDesc": True,
            },
            "tooltip": {"hideZeros": False, "mode": "multi", "sort": "desc"},
        }

    def colour(self) -> Json:
        """A name has the same colour on every panel."""
        return {"mode": "palette-classic-by-name"}

    def custom(self) -> Json:
        """Thin lines from zero on."""
        return {
            "axisBorderShow": False,
            "axisCenteredZero": False,
            "axisColorMode": "text",
            "axisLabel": "",
            "axisPlacement": "auto",
            "axisSoftMin": 0,
            "barAlignment": 0,
            "drawStyle": "line",
            "fillOpacity": 40 if self.stacked else 8,
            "gradientMode": "none",
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            "insertNulls": False,
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "pointSize": 5,
            "scaleDistribution": {"type": "linear"},
            "showPoints": "auto",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if self.stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if self.shows_limits else "off"},
        }

    def overrides(self) -> list[Json]:
        """Limits are dashed."""
        dashes = [
            {"id": "custom.lineStyle", "value": {"dash": [10, 10], "fill": "dash"}},
            {"id": "custom.fillOpacity", "value": 0},
            {"id": "custom.stacking", "value": {"group": "A", "mode": "none"}},
        ]
        return [
            *Panel.overrides(self),
            *({"matcher": {"id": "byRegexp", "options": name}, "properties": dashes} for name in self.dashed),
        ]

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel at its place."""
        made = Panel.json(self, number, x, y)
        if self.top is not None:
            made["fieldConfig"]["defaults"]["max"] = self.top
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap(Panel):
    """The buckets of a histogram over time."""

    kind: str = "heatmap"

    def options(self) -> Json:
        """Darker is more."""
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "exponent": 0.5,
                "fill": "dark-orange",
                "mode": "scheme",
                "reverse": False,
                "scheme": "Oranges",
                "steps": 64,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": self.unit},
        }

    def target(self, query: Query, letter: str) -> Json:
        """A query for buckets."""
        return Panel.target(self, query, letter) | {"format": "heatmap"}

    def custom(self) -> Json:
        """Nothing special."""
        return {
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            "scaleDistribution": {"type": "linear"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """One line for each value of a label, one column a query."""

    kind: str = "table"
    width: int = WIDTH
    label: str
    """The labels that name a line, with commas."""
    hidden: tuple[str, ...] = ()
    """Columns not to show."""

    def options(self) -> Json:
        """Sortable by every column."""
        return {"cellHeight": "sm", "frameIndex": 0, "showHeader": True, "sortBy": []}

    def custom(self) -> Json:
        """Plain cells."""
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False}

    def colour(self) -> Json:
        """Text without colour."""
        return {"mode": "fixed", "fixedColor": "text"}

    def target(self, query: Query, letter: str) -> Json:
        """A query for now, as a table."""
        return Panel.target(self, query, letter) | {"format": "table", "instant": True, "range": False}

    def _columns(self) -> list[tuple[str, Query]]:
        several = len(self.queries) > 1
        letters = zip(string.ascii_uppercase, self.queries, strict=False)
        return [(f"Value #{letter}" if several else "Value", query) for letter, query in letters]

    def transformations(self) -> list[Json]:
        """Join the answers by their labels, and name the columns."""
        order = [*self.label.split(","), *(name for name, _ in self._columns())]
        return [
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": dict.fromkeys(("Time", *self.hidden), True),
                    "indexByName": {name: place for place, name in enumerate(order)},
                    "renameByName": {name: query.legend for name, query in self._columns()},
                },
            },
        ]

    def overrides(self) -> list[Json]:
        """Each column has its unit."""
        return [
            {
                "matcher": {"id": "byName", "options": query.legend},
                "properties": [{"id": "unit", "value": query.unit or self.unit}],
            }
            for query in self.queries
        ]
