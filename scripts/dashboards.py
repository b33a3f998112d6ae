"""Writes the dashboards and the alert rules of grafana/ from grafana/source.

Its one rule: what lies in grafana/dashboards and grafana/alerts is made from the source and never edited.

    python -m scripts.dashboards                            write them
    python -m scripts.dashboards --check                    change nothing; list what is stale, and exit with 1
    python -m scripts.dashboards --to DIR --runbooks URL    write them elsewhere, with runbooks at an address of yours
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana.source import alerts_calls, alerts_data, alerts_redis, alerts_workers, cost, data, fleet, servers, workers
from grafana.source.rules import RUNBOOKS, render

HOME = Path(__file__).resolve().parents[1] / "grafana"
DASHBOARDS = (fleet.DASHBOARD, workers.DASHBOARD, servers.DASHBOARD, data.DASHBOARD, cost.DASHBOARD)
GROUPS = (alerts_calls.GROUP, alerts_redis.GROUP, alerts_data.GROUP, alerts_workers.GROUP)
HEAD = """Alert and recording rules of sessioncache, for Prometheus 2.42 and newer.
Generated from grafana/source by scripts/dashboards.py; edit that and run `make sync`."""


def files(runbooks: str = RUNBOOKS) -> dict[str, str]:
    """What there is to write, by its path below grafana/."""
    made = {
        f"dashboards/{board.uid}.json": json.dumps(board.json(DASHBOARDS), indent=2, ensure_ascii=False) + "\n"
        for board in DASHBOARDS
    }
    return made | {"alerts/sessioncache.rules.yaml": render(GROUPS, head=HEAD, runbooks=runbooks)}


def stale(folder: Path, made: dict[str, str]) -> list[str]:
    """Which files of a folder are not what they should be, or should not be there."""
    there = {
        path.relative_to(folder).as_posix()
        for part in ("dashboards/*.json", "alerts/*.yaml")
        for path in folder.glob(part)
    }
    wrong = {
        name for name, text in made.items() if name not in there or (folder / name).read_text(encoding="utf-8") != text
    }
    return sorted(wrong | (there - set(made)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the dashboards and alert rules from grafana/source.")
    parser.add_argument("--check", action="store_true", help="change nothing, list what is stale")
    parser.add_argument("--to", type=Path, default=HOME, metavar="DIR", help="the folder to write to")
    parser.add_argument("--runbooks", default=RUNBOOKS, metavar="URL", help="where docs/runbooks can be read")
    options = parser.parse_args(arguments)
    made = files(options.runbooks)
    wrong = stale(options.to, made)
    if options.check:
        for name in wrong:
            print(f"dashboards: {options.to.name}/{name} is stale; run make sync")
        return 1 if wrong else 0
    for name in made:
        (options.to / name).parent.mkdir(parents=True, exist_ok=True)
        (options.to / name).write_text(made[name], encoding="utf-8")
    if options.to == HOME:
        # In a folder of somebody else's, what we did not make is not ours to remove.
        for name in set(wrong) - set(made):
            (HOME / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
