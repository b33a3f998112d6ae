"""`python -m benchmarks`, which `make bench` runs; README.md beside this file says how it measures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.conversations import find_file, read_file
from benchmarks.report import progress, render
from benchmarks.run import Plan, measure
from benchmarks.subject import SUBJECTS, BenchmarkError, Subject
from benchmarks.workloads import choose
from sessioncache.errors import SessionCacheError

RESULTS = Path(__file__).parent / "results" / "latest.json"
ROUNDS = 7
ROUNDS_QUICK = 2


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; 1 if there are no numbers, 2 for arguments that cannot be."""
    options = parser().parse_args(arguments)
    try:
        workloads = choose(options.only, quick=options.quick)
        subjects = _choose_subjects(options.subjects)
        file = find_file(options.transcripts)
        read_file(file)
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    rounds = options.rounds or (ROUNDS_QUICK if options.quick else ROUNDS)
    total = rounds * len(workloads) * len(subjects)
    try:
        with progress(total) as tell:
            results = measure(Plan(subjects, workloads, rounds, file, tell))
    except (BenchmarkError, SessionCacheError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    render(results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results.as_json(), indent=1) + "\n", encoding="utf-8")
    print(f"All numbers: {options.json}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    found.add_argument(
        "--quick", action="store_true", help="a quarter of the operations and fewer rounds: half a minute"
    )
    found.add_argument("--rounds", type=_positive, help=f"{ROUNDS} unless given, {ROUNDS_QUICK} with --quick")
    found.add_argument("--only", type=_names, default=[], metavar="append,load", help="only these rows")
    found.add_argument("--subjects", type=_names, default=[], metavar="NAME,…", help="only these stores")
    found.add_argument(
        "--transcripts", type=Path, metavar="FILE", help="JSON lines with messages, or a JSON array of them"
    )
    found.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help="where all numbers go")
    return found


def _choose_subjects(names: list[str]) -> list[Subject]:
    known = [subject.name for subject in SUBJECTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown subject {', '.join(unknown)}; there are: {', '.join(known)}")
    return [subject for subject in SUBJECTS if not names or subject.name in names]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
