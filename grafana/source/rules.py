"""Alert and recording rules as values, and the YAML that Prometheus reads.

The rule of this module: it knows the format and no metric. Every alert says why its threshold is where it is, and has a
page in docs/runbooks under its own name.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

__all__ = ["RUNBOOKS", "Alert", "Group", "Record", "Rule", "render"]

RUNBOOKS: Final = "https://docs.example.com/sessioncache/runbooks"
"""Where the pages of docs/runbooks can be read. `python -m scripts.dashboards --runbooks URL` writes another one."""

Severity: TypeAlias = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Record:
    """A query whose answer is kept under a name."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert: critical wakes somebody, warning waits for the morning, info is for whoever looks."""

    name: str
    expr: str
    wait: str = "0m"
    """For how long it must hold."""
    severity: Severity
    summary: str
    """One line, with the labels and the value that say which and how much."""
    description: str
    """What it means and for whom."""
    why: str
    """Why the threshold is where it is; a comment above the rule."""
    labels: dict[str, str] = field(default_factory=dict)


Rule: TypeAlias = Record | Alert


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in their order."""

    name: str
    rules: tuple[Rule, ...]


def render(groups: Iterable[Group], *, head: str, runbooks: str = RUNBOOKS) -> str:
    """The rule file.

    Args:
        groups: what it holds.
        head: the comment at its top.
        runbooks: where the runbooks can be read.
    """
    lines = [f"# {line}" for line in head.splitlines()]
    lines.append("groups:")
    for group in groups:
        lines += [f"  - name: {group.name}", "    rules:"]
        for rule in group.rules:
            lines += _record(rule) if isinstance(rule, Record) else _alert(rule, runbooks.rstrip("/"))
    return "\n".join(lines) + "\n"


def _record(rule: Record) -> Iterator[str]:
    yield f"      - record: {rule.name}"
    yield from _block("expr", rule.expr)


def _alert(rule: Alert, runbooks: str) -> Iterator[str]:
    yield from (f"      # {line}" for line in textwrap.wrap(rule.why, 100))
    yield f"      - alert: {rule.name}"
    yield from _block("expr", rule.expr)
    yield f"        for: {rule.wait}"
    yield "        labels:"
    for name, value in {"severity": rule.severity, **rule.labels}.items():
        yield f"          {name}: {json.dumps(value)}"
    yield "        annotations:"
    said = {
        "summary": rule.summary,
        "description": rule.description,
        "runbook_url": f"{runbooks}/{rule.name}.md",
    }
    for name, value in said.items():
        yield f"          {name}: {json.dumps(value, ensure_ascii=False)}"


def _block(name: str, text: str) -> Iterator[str]:
    yield f"        {name}: |-"
    yield from (f"          {line}" for line in text.splitlines())
