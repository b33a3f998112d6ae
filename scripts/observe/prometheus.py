"""A real Prometheus: its configuration, its process, and what is asked of it.

Its one rule: it listens on 127.0.0.1, keeps its data in the folder it is given, and is asked over its HTTP API like any
other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from sessioncache.cli.children import answers

MISSING = "prometheus is not on PATH; Debian and Ubuntu have it in the package prometheus: apt-get install prometheus"


class PrometheusMissingError(Exception):
    """There is no prometheus on this machine."""


def binary() -> str:
    """The path of prometheus.

    Raises:
        PrometheusMissingError: there is none; the message names the package.
    """
    found = shutil.which("prometheus")
    if found is None:
        raise PrometheusMissingError(MISSING)
    return found


def command(folder: Path, port: int, targets: Mapping[str, Sequence[int]], rules: Path) -> list[str]:
    """The command that starts it, after its configuration was written.

    Args:
        folder: for the configuration and the data.
        port: to listen on.
        targets: by job, the ports that it scrapes, every second.
        rules: a file of rules, which it evaluates every second.
    """
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": job,
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{number}" for number in ports]}],
            }
            for job, ports in targets.items()
        ],
    }
    file = folder / "prometheus.yml"
    # JSON is YAML.
    file.write_text(json.dumps(configuration, indent=2), encoding="utf-8")
    return [
        binary(),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]


class RefusedError(Exception):
    """Prometheus refused a query; the message is its own."""


class Prometheus:
    """Questions to a Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str | float) -> Any:  # noqa: ANN401 - whatever it answers
        """The `data` of an answer of its API.

        Raises:
            RefusedError: it answers an error.
        """
        try:
            with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:  # noqa: S310 - an address of this machine
                return json.load(answer)["data"]
        except HTTPError as error:
            raise RefusedError(f"{path}: {error.read().decode()}") from error

    def is_ready(self) -> bool:
        """Whether it answers."""
        return answers(f"{self.url}/-/ready")

    def now(self, query: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        found: dict[str, Any] = self.ask("query", query=query)
        if found["resultType"] == "scalar":
            return [{"metric": {}, "value": found["result"]}]
        series: list[dict[str, Any]] = found["result"]
        return series

    def over(self, query: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of a query over a time."""
        series: list[dict[str, Any]] = self.ask("query_range", query=query, start=start, end=end, step=step)["result"]
        return series

    def rules(self) -> list[dict[str, Any]]:
        """All rules that it has loaded, with their health."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
