"""The stores that are compared, and the processes in which they run.

The rule of this module: a subject has its own process and environment, and sees the benchmark as JSON lines only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.piped import Piped

__all__ = [
    "BARE",
    "OPENAI",
    "OURS",
    "REDIS_PY",
    "SUBJECTS",
    "BenchmarkError",
    "NotAvailable",
    "Subject",
    "SubjectProcess",
]

OURS: Final = "sessioncache"
REDIS_PY: Final = "redis-py"
BARE: Final = "bare script"
OPENAI: Final = "openai-agents"


class BenchmarkError(Exception):
    """A subject failed; no numbers."""


class NotAvailable(Exception):
    """A subject cannot do a workload here; the message says why."""


@dataclass(frozen=True)
class Subject:
    """One store."""

    name: str
    module: str
    """What its process runs."""

    requirements: str | None = None
    """A file in `requirements/` for an environment of its own; None: ours."""

    works: tuple[str, ...] = ("append", "load", "memory")
    """The operations that it has."""

    on_server: bool = True
    """Whether it keeps its data on the server."""


LOG: Final = ("append", "load")
SUBJECTS: Final = (
    Subject(
        OURS, "benchmarks.subjects.sessioncache_api", works=("append", "load", "memory", "save", "list", "operations")
    ),
    Subject(REDIS_PY, "benchmarks.subjects.redis_py"),
    Subject(BARE, "benchmarks.subjects.bare_script", works=("append",)),
    Subject(OPENAI, "benchmarks.subjects.openai_agents", "openai-agents"),
    Subject("agent-framework-redis", "benchmarks.subjects.agent_framework", "agent-framework-redis", LOG),
    Subject(
        "langgraph-checkpoint-redis", "benchmarks.subjects.langgraph_checkpoint", "langgraph-checkpoint-redis", LOG
    ),
    Subject("langchain-redis", "benchmarks.subjects.langchain_redis", "langchain-redis", LOG),
    Subject("google-adk", "benchmarks.subjects.google_adk", "google-adk", LOG, on_server=False),
    Subject("strands-agents", "benchmarks.subjects.strands_agents", "strands-agents", LOG, on_server=False),
)


class SubjectProcess(Piped):
    """A subject at work."""

    def __init__(self, subject: Subject, python: Path, variables: Mapping[str, str] | None = None) -> None:
        """Start it.

        Args:
            subject: which.
            python: the interpreter of its environment.
            variables: for its environment.
        """
        self.subject = subject
        self.versions: dict[str, str] = {}
        """Distributions in its environment, known after `prepare`."""
        self._doing = ""
        # Tracing of openai-agents would upload in a thread of its own; no subject traces here.
        environment = os.environ | {"OPENAI_AGENTS_DISABLE_TRACING": "1", "PYTHONHASHSEED": "0"} | dict(variables or {})
        super().__init__([python, "-m", subject.module], environment=environment)

    def prepare(self, **workload: Any) -> None:
        """Make everything ready that is not measured; `serve.py` names the arguments.

        Raises:
            NotAvailable: the subject cannot do that here.
        """
        self._send("prepare", **workload)
        self.versions = self._receive()["versions"]

    def start(self) -> None:
        """Begin what is measured."""
        self._send("run")

    def ran(self) -> dict[str, float]:
        """Wait until it is done; answers operations, started, ended, p50_us and p99_us."""
        return self._receive()

    def settle(self) -> None:
        """Do what comes between the run and the weighing."""
        self._send("settle")
        self._receive()

    def finish(self) -> None:
        """Read back what was written, and close."""
        self._send("finish")
        self._receive()

    def _send(self, do: str, **arguments: Any) -> None:
        """Give one order."""
        self._doing = do
        try:
            self._tell(json.dumps({"do": do, **arguments}))
        except BrokenPipeError:
            raise BenchmarkError(f"{self.subject.name} ended before {do!r}; its message is above") from None

    def _receive(self) -> dict[str, Any]:
        """Wait for the answer.

        Raises:
            BenchmarkError: the subject failed, or ended.
            NotAvailable: it says that it cannot.
        """
        line = self._hear()
        if not line:
            raise BenchmarkError(f"{self.subject.name} ended during {self._doing!r}; its message is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self.subject.name} failed during {self._doing!r}:\n{answer['error']}")
        if "unavailable" in answer:
            raise NotAvailable(answer["unavailable"])
        return answer
