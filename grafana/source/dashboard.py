"""Dashboards as values, and the JSON that Grafana imports.

The rule of this module: it knows Grafana's format, and no metric. Where a panel stands follows from the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from grafana.source.panels import SOURCE, WIDTH, Json, Panel

__all__ = ["Dashboard", "Row"]

SCHEMA_VERSION: Final = 41
"""Of Grafana 12.0; later releases migrate it when they load it, earlier ones back to 10 read it as it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, from left to right and line by line."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    probe: str
    """A metric that every process of interest tells: the variables take their values from it."""
    namespaces: str
    """A metric with the label `namespace`, likewise."""

    def json(self, neighbours: Iterable[Dashboard]) -> Json:
        """The file."""
        return {
            "annotations": {"list": [_FIRING]},
            "description": self.description,
            "editable": True,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "id": None,
            "links": [_link(other) for other in neighbours if other.uid != self.uid],
            "panels": list(self._panels()),
            "preload": False,
            "refresh": "30s",
            "schemaVersion": SCHEMA_VERSION,
            "tags": ["sessioncache"],
            "templating": {"list": self._variables()},
            "time": {"from": "now-3h", "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": "",
        }

    def _panels(self) -> Iterator[Json]:
        number = y = 0
        for row in self.rows:
            number += 1
            yield {
                "collapsed": False,
                "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
                "id": number,
                "panels": [],
                "title": row.title,
                "type": "row",
            }
            x, y, tallest = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y, tallest = 0, y + tallest, 0
                number += 1
                yield panel.json(number, x, y)
                x, tallest = x + panel.width, max(tallest, panel.height)
            y += tallest

    def _variables(self) -> list[Json]:
        source: Json = {
            "current": {},
            "hide": 0,
            "includeAll": False,
            "label": "Data source",
            "multi": False,
            "name": "datasource",
            "options": [],
            "query": "prometheus",
            "refresh": 1,
            "regex": "",
            "skipUrlSync": False,
            "type": "datasource",
        }
        return [
            source,
            _variable("job", "Job", f"label_values({self.probe}, job)"),
            _variable("namespace", "Namespace", f"label_values({self.namespaces}, namespace)"),
            _variable("instance", "Instance", f'label_values({self.probe}{{job=~"$job"}}, instance)'),
        ]


def _variable(name: str, label: str, query: str) -> Json:
    return {
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "datasource": SOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def _link(other: Dashboard) -> Json:
    return {
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": True,
        "keepTime": True,
        "tags": [],
        "targetBlank": False,
        "title": other.title.partition(" / ")[2] or other.title,
        "tooltip": other.description,
        "type": "link",
        "url": f"/d/{other.uid}",
    }


_FIRING: Final[Json] = {
    "datasource": SOURCE,
    "enable": True,
    "expr": 'ALERTS{alertname=~"Sessioncache.+",alertstate="firing"}',
    "hide": False,
    "iconColor": "red",
    "name": "Alerts",
    "step": "60s",
    "tagKeys": "alertname,severity",
    "textFormat": "",
    "titleFormat": "{{alertname}}",
    "useValueForTime": False,
}
