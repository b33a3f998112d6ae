"""Everything that `make observe` runs, started in order and stopped in reverse, whatever happens.

```
agents 1, 2 ──▶ server ──▶ replica        Prometheus ── every second ──▶ agents, workers
                  ▲                            └── rules of grafana/alerts
workers 1, 2 ─────┘
```
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.observe import prometheus
from scripts.observe.load import NAMESPACES, SHARDS
from sessioncache.cli.children import Child, answers
from sessioncache.embedded import EmbeddedServer
from sessioncache.embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "grafana" / "alerts" / "sessioncache.rules.yaml"
START_LIMIT_S = 60.0
POLL_S = 0.1
MEMORY_MAX = "96mb"

QUICK = {
    "TICK_EVERY_S": "1",
    "PRUNE_EVERY_S": "10",
    "RECONCILE_EVERY_S": "15",
    "COMPACT_EVERY_S": "10",
    "GAUGES_EVERY_S": "1",
    "POLL_DELAY_MS": "200",
    "RELIEVE_HIGH": "0.85",
    "GRACE_PERIOD_S": "5",
}
"""Settings of the workers under which things happen within seconds that take minutes and hours otherwise."""


class Stack:
    """Server, replica, workers, agents and Prometheus: `with Stack(folder) as stack`."""

    def __init__(self, folder: Path, *, workers: int = 2, agents: int = 2) -> None:
        """Describe it; nothing runs yet.

        Args:
            folder: takes data and logs.
            workers: processes.
            agents: processes.

        Raises:
            PrometheusMissingError: there is no prometheus on this machine.
        """
        prometheus.binary()
        self.folder = folder
        self.worker_ports = [free_port() for _ in range(workers)]
        self.agent_ports = [free_port() for _ in range(agents)]
        self.prometheus = prometheus.Prometheus(f"http://127.0.0.1:{free_port()}")
        self.server = EmbeddedServer(folder / "server", options={"maxmemory": MEMORY_MAX})
        self._children: list[Child] = []
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Start everything, and wait until Prometheus has reached it all.

        Raises:
            ChildEnded: something did not start.
        """
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._exit.close()

    def check(self) -> None:
        """Say so if something has ended.

        Raises:
            ChildEnded: it has.
        """
        for child in self._children:
            child.check()

    def wait(self, is_so: Callable[[], bool], what: str, *, limit_s: float = START_LIMIT_S) -> None:
        """Return once something is so, while everything runs.

        Raises:
            TimeoutError: it is not in time.
            ChildEnded: something has ended.
        """
        deadline = time.monotonic() + limit_s
        while not is_so():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {limit_s:g} s")
            time.sleep(POLL_S)

    def _start(self) -> None:
        url = self._exit.enter_context(self.server).url
        replica = EmbeddedServer(
            self.folder / "replica", appendonly=False, options={"replicaof": f"127.0.0.1 {self.server.port}"}
        )
        self._exit.enter_context(replica)
        for number, port in enumerate(self.agent_ports, 1):
            self._run(
                f"agents {number}", [sys.executable, "-m", "scripts.observe.load", url, str(port), str(number)], {}
            )
        self.wait(lambda: _show_metrics(self.agent_ports), "agents show their metrics")
        for number, port in enumerate(self.worker_ports, 1):
            settings = {f"SESSIONCACHE_WORKER_{name}": value for name, value in QUICK.items()} | {
                "SESSIONCACHE_URL": url,
                "SESSIONCACHE_NAMESPACES": ",".join(NAMESPACES),
                "SESSIONCACHE_SHARDS": str(SHARDS),
                "SESSIONCACHE_WORKER_PORT": str(port),
            }
            self._run(f"worker {number}", [sys.executable, "-m", "sessioncache_workers"], settings)
        self.wait(lambda: _show_metrics(self.worker_ports), "workers show their metrics")
        targets = {"sessioncache-workers": self.worker_ports, "sessioncache-agents": self.agent_ports}
        port = int(self.prometheus.url.rsplit(":", 1)[1])
        self._run("prometheus", prometheus.command(self.folder, port, targets, RULES), {})
        self.wait(self.prometheus.is_ready, "prometheus answers")
        count = len(self.worker_ports) + len(self.agent_ports)
        self.wait(lambda: len(self.prometheus.now("up == 1")) == count, "prometheus has reached everything")

    def _run(self, name: str, command: Sequence[str], settings: Mapping[str, str]) -> None:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        child = Child(name, command, log=log, environment=os.environ | settings, folder=ROOT)
        self._children.append(child)
        self._exit.callback(child.stop)


def _show_metrics(ports: Sequence[int]) -> bool:
    return all(answers(f"http://127.0.0.1:{port}/metrics") for port in ports)
