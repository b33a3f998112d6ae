"""What is measured: the work, by how many tasks and processes, over which network, by whom.

The rule of this module: a workload is data. What an operation does is in `subjects/works.py`; what it is held against,
in `bars.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from benchmarks.subject import BARE, OPENAI, OURS, REDIS_PY
from benchmarks.subjects.contract import NEAR_CACHE, SEALED

__all__ = ["DELAY_MS", "POOLS", "PROCESSES", "SESSIONS", "Workload", "all_workloads"]

DELAY_MS: Final = 0.5
PROCESSES: Final = 4
SESSIONS: Final = 1_000_000
"""Sessions of the larger namespace that is listed."""

SESSIONS_SHARE: Final = 100
SESSIONS_LEAST: Final = 200
"""The other one is a hundred times smaller, but several pages long."""

SHORT_SESSIONS: Final = 10_000
QUICK_SHARE: Final = 8
QUICK_SESSIONS: Final = 4_000
QUICK_WORKERS_SESSIONS: Final = 20_000
POOLS: Final = (1, 2, 4)
"""Worker processes that sweep; the largest pool does the rest."""


@dataclass(frozen=True)
class Workload:
    """One line of numbers."""

    key: str
    """How bars name it."""

    row: str
    """The name by which it is chosen on the command line, together with others."""

    name: str
    """How the tables call it."""

    work: str
    """The operation, a key of `subjects.works.WORKS` or `OWN_WORKS`."""

    tasks: int
    """Tasks of each process that do it at once."""

    operations: int
    """How often, all tasks of a process together."""

    subjects: tuple[str, ...] | None = None
    """Who does it; None: everybody who can."""

    features: tuple[str, ...] = ()
    """What the store is asked for besides (`subjects/contract.py`)."""

    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Further arguments of the work."""

    delayed: bool = False
    """Whether every reply arrives DELAY_MS later than the server sent it."""

    processes: int = 1
    """How many processes do it at once."""

    kept: bool = False
    """Whether it is done on a second server, which is filled once and not emptied."""

    weighed: bool = False
    """Whether the memory that it leaves is the result: counted, not timed, so one round tells all."""

    staged: bool = False
    """Whether it is a stage of `operations.py`, which has a server of its own, and runs when its row is named."""


OPENAI_AND_OURS: Final = (OURS, OPENAI)
NETWORK: Final = (OURS, REDIS_PY, BARE, OPENAI)


def all_workloads(*, quick: bool = False, sessions: int = SESSIONS) -> list[Workload]:
    """Every workload there is, smaller ones for a quick run.

    Args:
        quick: an eighth of the operations.
        sessions: of the larger namespace that is listed, and of the one that workers look after.
    """
    workers = min(sessions, QUICK_WORKERS_SESSIONS) if quick else sessions
    if quick:
        sessions = min(sessions, QUICK_SESSIONS)
    short = SHORT_SESSIONS // (10 * QUICK_SHARE if quick else 1)
    timed = [*_appends(), *_loads(), *_saves(), *_lists(sessions)]
    if quick:
        timed = [replace(workload, operations=max(workload.operations // QUICK_SHARE, 1)) for workload in timed]
    return timed + _memory(short) + _workers(workers)


def _appends() -> list[Workload]:
    return [
        Workload("append-1", "append", "append, 1 task", "append", 1, 1000),
        Workload("append-64", "append", "append, 64 tasks", "append", 64, 3200),
        Workload(
            "append-64-delayed",
            "append",
            f"append, 64 tasks, +{DELAY_MS} ms",
            "append",
            64,
            3200,
            subjects=NETWORK,
            delayed=True,
        ),
        Workload(
            "append-processes",
            "processes",
            f"append, {PROCESSES} × 64 tasks",
            "append",
            64,
            3200,
            subjects=(OURS,),
            processes=PROCESSES,
        ),
    ]


def _loads() -> list[Workload]:
    last = "last 50"
    whole: dict[str, Any] = {"sessions": 8, "length": 1000, "last": 1000}
    return [
        Workload("load-1", "load", f"{last}, 1 task", "load", 1, 320),
        Workload("load-64", "load", f"{last}, 64 tasks", "load", 64, 5120),
        Workload(
            "load-64-sealed",
            "load",
            f"{last}, 64 tasks, sealed",
            "load",
            64,
            5120,
            subjects=(OURS,),
            features=(SEALED,),
            options={"sealed": True},
        ),
        Workload(
            "load-64-near",
            "load",
            f"{last}, 64 tasks, near-cache hit",
            "load",
            64,
            12800,
            subjects=(OURS,),
            features=(NEAR_CACHE,),
        ),
        Workload("whole", "whole", "all of 1,000", "load", 1, 40, subjects=OPENAI_AND_OURS, options=whole),
        Workload(
            "whole-sealed",
            "whole",
            "all of 1,000, sealed",
            "load",
            1,
            40,
            subjects=(OURS,),
            features=(SEALED,),
            options=whole | {"sealed": True},
        ),
    ]


def _saves() -> list[Workload]:
    name = "save with 1 new message, 500 old"
    options = {"old": 500}
    return [
        Workload("save-1", "save", f"{name}, 1 task", "save", 1, 200, subjects=(OURS,), options=options),
        Workload("save-64", "save", f"{name}, 64 tasks", "save", 64, 640, subjects=(OURS,), options=options),
    ]


def _lists(sessions: int) -> list[Workload]:
    small = max(sessions // SESSIONS_SHARE, SESSIONS_LEAST)
    return [
        Workload(
            f"list-{key}",
            "list",
            f"newest 50 of {count:,} sessions",
            "list",
            1,
            200,
            subjects=(OURS,),
            options={"sessions": count},
            kept=True,
        )
        for key, count in (("small", small), ("large", sessions))
    ]


def _memory(short: int) -> list[Workload]:
    """Sizes in sessions: 0 is one for each conversation of the file."""
    found = []
    for key, name, count, options in (
        ("memory", "memory, the transcripts", 0, {}),
        ("memory-short", f"memory, {short:,} sessions of 2 short messages", short, {"short": 2}),
    ):
        found += [
            Workload(key, "memory", name, "memory", 8, count, subjects=OPENAI_AND_OURS, options=options, weighed=True),
            Workload(
                f"{key}-sealed",
                "memory",
                f"{name}, idle and sealed",
                "memory",
                8,
                count,
                subjects=(OURS,),
                features=(SEALED,),
                options=options | {"sealed": True},
                weighed=True,
            ),
        ]
    return found


def _workers(sessions: int) -> list[Workload]:
    """The stages, each with the agents' calls before and behind it: `…-base`."""
    stages = [("reconcile", f"reconcile, {POOLS[-1]} workers", POOLS[-1])]
    stages += [(f"sweep-{count}", f"sweep, {count} worker{'s' * (count > 1)}", count) for count in POOLS]
    stages += [
        ("seal", f"seal, {POOLS[-1]} workers", POOLS[-1]),
        ("idle", f"nothing to do, {POOLS[-1]} workers", POOLS[-1]),
    ]
    return [
        Workload(
            f"{key}{end}",
            "workers",
            f"{name}{', without' * bool(end)}",
            "operations",
            1,
            sessions,
            subjects=(OURS,),
            processes=count,
            staged=True,
        )
        for key, name, count in stages
        for end in ("", "-base")
    ]
