"""The rows of the benchmark: what is done, by how many tasks, over which network.

The rule of this module: a row is data. What an operation does is in `subjects/works.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["DELAY_MS", "WORKLOADS", "Workload", "choose"]

DELAY_MS = 0.5
QUICK_SHARE = 4


@dataclass(frozen=True)
class Workload:
    """One row."""

    name: str
    """How the tables call it."""

    work: str
    """The operation, a key of `subjects.works.WORKS`."""

    tasks: int
    """Tasks of the one process that do it at once."""

    operations: int
    """How often, all tasks together."""

    delayed: bool = False
    """Whether every reply arrives DELAY_MS later than the server sent it."""


WORKLOADS = (
    Workload("append, 1 task", "append", tasks=1, operations=1000),
    Workload("append, 64 tasks", "append", tasks=64, operations=3200),
    Workload(f"append, 64 tasks, +{DELAY_MS} ms", "append", tasks=64, operations=3200, delayed=True),
    Workload("load 50, 1 task", "load", tasks=1, operations=320),
    Workload("load 50, 64 tasks", "load", tasks=64, operations=1280),
    Workload(f"load 50, 64 tasks, +{DELAY_MS} ms", "load", tasks=64, operations=1280, delayed=True),
)


def choose(only: list[str], *, quick: bool) -> list[Workload]:
    """The rows of the named works, all rows if none is named; smaller ones for a quick run.

    Raises:
        ValueError: a name that no row has.
    """
    known = list(dict.fromkeys(workload.work for workload in WORKLOADS))
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ValueError(f"unknown workload {', '.join(unknown)}; there are: {', '.join(known)}")
    chosen = [workload for workload in WORKLOADS if not only or workload.work in only]
    if quick:
        return [replace(workload, operations=workload.operations // QUICK_SHARE) for workload in chosen]
    return chosen
