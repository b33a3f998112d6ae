"""The stores that are compared, and the processes in which they run.

The rule of this module: a subject has its own process and environment, and sees the benchmark as JSON lines only.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["OURS", "SUBJECTS", "BenchmarkError", "Subject", "SubjectProcess"]

ROOT: Final = Path(__file__).resolve().parents[1]
OURS: Final = "sessioncache"
END_LIMIT_S: Final = 10


class BenchmarkError(Exception):
    """A subject failed; no numbers."""


@dataclass(frozen=True)
class Subject:
    """One store."""

    name: str
    module: str
    """What its process runs."""

    requirements: str | None = None
    """A file in `requirements/` for an environment of its own; None: ours."""


SUBJECTS: Final = (
    Subject(OURS, "benchmarks.subjects.sessioncache_api"),
    Subject("redis-py", "benchmarks.subjects.redis_py"),
    Subject("openai-agents", "benchmarks.subjects.openai_agents", "openai-agents"),
)


class SubjectProcess:
    """A subject at work."""

    def __init__(self, subject: Subject, python: Path) -> None:
        self.subject = subject
        self.versions: dict[str, str] = {}
        """Distributions in its environment, known after `prepare`."""
        # Tracing of openai-agents would upload in a thread of its own; no subject traces here.
        environment = os.environ | {"OPENAI_AGENTS_DISABLE_TRACING": "1", "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [python, "-m", subject.module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def prepare(self, **workload: Any) -> None:
        """Make everything ready that is not measured; `serve.py` names the arguments."""
        self.versions = self._tell("prepare", **workload)["versions"]

    def run(self) -> dict[str, float]:
        """Do what is measured; answers operations, seconds, p50_us and p99_us."""
        return self._tell("run")

    def finish(self) -> None:
        """Read back what was written, and close."""
        self._tell("finish")

    def _tell(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give one order and wait for its answer.

        Raises:
            BenchmarkError: the subject failed, or ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchmarkError(f"{self.subject.name} has no pipes")
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise BenchmarkError(f"{self.subject.name} ended during {do!r}; its message is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self.subject.name} failed during {do!r}:\n{answer['error']}")
        return answer

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: its standard input ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
