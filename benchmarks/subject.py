"""The stores that are compared, and the processes in which they run.

The rule of this module: a subject has its own process and environment, and sees the benchmark as JSON lines only.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

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

ROOT: Final = Path(__file__).resolve().parents[1]
OURS: Final = "sessioncache"
REDIS_PY: Final = "redis-py"
BARE: Final = "bare script"
OPENAI: Final = "openai-agents"
END_LIMIT_S: Final = 10


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


class SubjectProcess:
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
        self._process = subprocess.Popen(
            [python, "-m", subject.module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

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
        if self._process.stdin is None:
            raise BenchmarkError(f"{self.subject.name} has no pipes")
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchmarkError(f"{self.subject.name} ended before {do!r}; its message is above") from None

    def _receive(self) -> dict[str, Any]:
        """Wait for the answer.

        Raises:
            BenchmarkError: the subject failed, or ended.
            NotAvailable: it says that it cannot.
        """
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise BenchmarkError(f"{self.subject.name} ended during {self._doing!r}; its message is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self.subject.name} failed during {self._doing!r}:\n{answer['error']}")
        if "unavailable" in answer:
            raise NotAvailable(answer["unavailable"])
        return answer

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    def end(self) -> None:
        """Its standard input ends, and so does it. Once more is allowed."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already
                self._process.stdin.close()
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
