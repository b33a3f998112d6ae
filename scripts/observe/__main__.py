"""`make observe`: a server, workers, agents and a real Prometheus with the alert rules, until Ctrl-C.

Its one rule: it starts what it needs on ports of its own, and leaves nothing behind.

    python -m scripts.observe                               run until Ctrl-C
    python -m scripts.observe --picture docs/pictures       run for a while, draw every dashboard there, and end
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from scripts.observe.panels import boards
from scripts.observe.prometheus import PrometheusMissingError
from scripts.observe.stack import ROOT, RULES, Stack
from sessioncache.cli.root import ChildEnded

SECONDS = 75
"""How long a picture looks back: long enough for sessions to expire and messages to be compressed."""
WATCH_S = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="make observe", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default: %(default)s)")
    parser.add_argument("--agents", type=int, default=2, help="processes of agents (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FOLDER", help="draw every dashboard to this folder, and end")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help="how long to run before that (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    # No event: its lock may be held by the very code that a signal interrupts.
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if not told:
            told.append(number)
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="sessioncache-observe-") as folder:
            print("starting server, replica, agents, workers and Prometheus …")
            with Stack(Path(folder), workers=options.workers, agents=options.agents) as stack:
                announce(stack)
                watch(stack, options.picture, options.seconds)
                print("stopping …")
    except (PrometheusMissingError, ChildEnded, TimeoutError) as error:
        print(f"observe: {error}", file=sys.stderr)
        return 1
    print("stopped; nothing was left behind")
    return 0


def announce(stack: Stack) -> None:
    """Say where to look."""
    print("everything runs:\n")
    print(f"  Prometheus   {stack.prometheus.url}/graph    rules and alerts: {stack.prometheus.url}/alerts")
    print(f"  rules        {RULES.relative_to(ROOT)}")
    print(f"  server       {stack.server.url}")
    for name, ports in (("worker", stack.worker_ports), ("agents", stack.agent_ports)):
        for port in ports:
            print(f"  {name:<13}http://127.0.0.1:{port}/metrics")
    print(f"  logs         {stack.folder}")
    print("\nWith a Grafana: add Prometheus at that address, and import these:\n")
    for path in boards():
        print(f"  {path.relative_to(ROOT)}")
    print("\nCtrl-C ends it all.", flush=True)


def watch(stack: Stack, picture: Path | None, seconds: int) -> None:
    """Return when the pictures are drawn, or never.

    Raises:
        ChildEnded: something that should run has ended.
    """
    waited = 0.0
    while True:
        time.sleep(WATCH_S)
        stack.check()
        waited += WATCH_S
        if picture is not None and waited >= seconds:
            from scripts.observe.picture import draw  # noqa: PLC0415 - takes a second, and needs matplotlib

            for path in boards():
                to = picture / f"{path.stem.removeprefix('sessioncache-')}.png"
                draw(stack.prometheus, path, to, seconds=seconds)
                print(f"{to}: {to.stat().st_size // 1024} KB")
            return


if __name__ == "__main__":
    sys.exit(main())
