"""What is wrong with a PromQL expression, as far as the catalogue of metrics can tell; it judges no syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from sessioncache.metrics.names import LABELS, METRICS

BY_NAME: Final = {metric.name: metric for metric in METRICS}
TARGET: Final = frozenset({"job", "instance"})
"""What Prometheus gives to every series."""

FOREIGN: Final = {"ALERTS": frozenset({"alertname", "alertstate", "severity"})}
STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR: Final = re.compile(r"\b((?:job\w*:)?sessioncache_[a-zA-Z0-9_:]*|ALERTS)\b(?:\{([^}]*)\})?")
MATCHER: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING: Final = re.compile(r"\b(?:by|on|group_left|without)\s*\(([^)]*)\)")
WORD: Final = re.compile(r"[\w-]+")


def labels_of(name: str, records: Iterable[str]) -> frozenset[str] | None:
    """The labels that a series may have; None: there is no such series."""
    if name in FOREIGN:
        return FOREIGN[name]
    if name in set(records):
        return frozenset(name.partition(":")[0].split("_")) | {"job"}
    base, suffix = next(
        ((name.removesuffix(end), end) for end in ("_bucket", "_sum", "_count") if name.endswith(end)), (name, "")
    )
    metric = BY_NAME.get(base if base in BY_NAME else name)
    if metric is None or (metric.kind == "histogram") != (metric.name != name):
        return None
    return frozenset(metric.labels) | TARGET | ({"le"} if suffix == "_bucket" else frozenset())


def problems(expr: str, records: Iterable[str] = ()) -> Iterator[str]:
    """Metrics, labels and values of labels that the catalogue does not know.

    Args:
        expr: the expression, with or without Grafana's variables.
        records: names of recording rules that it may use.
    """
    known: set[str] = set()
    found = list(SELECTOR.finditer(expr))
    for name, matchers in (match.groups() for match in found):
        labels = labels_of(name, records)
        if labels is None:
            yield f"there is no metric {name}"
            continue
        known |= labels
        for label, _, value in MATCHER.findall(matchers or ""):
            if label not in labels:
                yield f"{name} has no label {label}"
            yield from _unknown_values(label, value)
    if not found:
        yield "it asks for no metric"
    for names in GROUPING.findall(STRING.sub('""', expr)):
        yield from (f"no metric in it has the label {label}" for label in WORD.findall(names) if label not in known)


def _unknown_values(label: str, value: str) -> Iterator[str]:
    declared = LABELS[label].values if label in LABELS else None
    if declared is None or "$" in value:
        return
    for word in value.split("|"):
        if not any(re.fullmatch(word, known) for known in declared | {"other"}):
            yield f"{label} is never {word!r}"
