"""A rendered container run as a process on this machine, as a kubelet would run it; it judges nothing.

What is taken from the manifest: the command line, the environment with its ConfigMap and Secrets, mounts of Secrets,
probes, preStop and the grace period. What differs: mounted folders lie below the test's own, and names of Services lead
to 127.0.0.1.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.charts import Object, Values, variables
from tests.deploy.conftest import Image

Secrets = Mapping[str, Mapping[str, str | bytes]]
"""Secrets by name: their keys."""

POLL_S = 0.05


class MissingSecret(Exception):
    """The manifest names a Secret, or a key of one, that there is not: the pod would not start."""


@dataclass
class Kubelet:
    """Runs containers of rendered pods."""

    image: Image
    folder: Path
    secrets: Secrets
    services: Mapping[str, str]
    """What stands for the host of a URL: a Service's name, or what a test's server cannot be reached by."""

    def environment(self, values: Values, pod: Object, container: Object) -> dict[str, str]:
        """The container's variables, as its process sees them."""
        here = self._here(pod, container)
        told = dict(self.image.variables)
        for name, value in variables(values, container).items():
            told[name] = here(value if isinstance(value, str) else self._secret(value["name"], value["key"]))
        return told

    def command(self, pod: Object, container: Object, environment: Mapping[str, str]) -> list[str]:
        """The command line, `$(NAME)` replaced by variables as Kubernetes does."""
        words = [
            re.sub(r"\$\((\w+)\)", lambda found: environment.get(found.group(1), found.group(0)), word)
            for word in container.get("args", [])
        ]
        words = [self._here(pod, container)(word) for word in words]
        given = container.get("command")
        return [*given, *words] if given else self.image.command(words)

    def start(self, values: Values, pod: Object, container: Object) -> Process:
        """Start it, and do not wait."""
        environment = self.environment(values, pod, container)
        log = self.folder / f"{container['name']}-{time.monotonic_ns()}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self.command(pod, container, environment), env=environment, cwd=self.folder, stdout=file, stderr=file
            )
        return Process(process, pod, container, log)

    def run(self, values: Values, pod: Object, container: Object, limit_s: float = 90) -> tuple[int, str]:
        """Run it to its end: its exit code, and what it said."""
        started = self.start(values, pod, container)
        try:
            return started.process.wait(limit_s), started.said
        finally:
            started.process.kill()
            started.process.wait()

    def _here(self, pod: Object, container: Object) -> Callable[[str], str]:
        """Puts the folders and hosts of this machine for those of the pod into a text."""
        replaced = {path: str(folder) for path, folder in self._mounts(pod, container).items()} | dict(self.services)

        def here(text: str) -> str:
            for name, found in replaced.items():
                text = text.replace(name, found)
            return text

        return here

    def _secret(self, name: str, key: str) -> str:
        try:
            value = self.secrets[name][key]
        except KeyError as error:
            raise MissingSecret(f"{name}/{key}") from error
        return value.decode() if isinstance(value, bytes) else value

    def _mounts(self, pod: Object, container: Object) -> dict[str, Path]:
        """The folders of mounted Secrets and claims: what they are called, and where they lie here."""
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        found = {}
        for mount in container.get("volumeMounts", []):
            volume = volumes.get(mount["name"], {})
            where = self.folder / "mounts" / mount["name"]
            if "secret" in volume:
                where.mkdir(parents=True, exist_ok=True)
                name = volume["secret"]["secretName"]
                if name not in self.secrets:
                    raise MissingSecret(name)
                for key, value in self.secrets[name].items():
                    (where / key).write_bytes(value if isinstance(value, bytes) else value.encode())
            found[mount["mountPath"]] = where
        found.pop("/tmp", None)  # noqa: S108 - the pod's own; here it is this machine's
        return found


@dataclass
class Process:
    """A container that runs."""

    process: subprocess.Popen[bytes]
    pod: Object
    container: Object
    log: Path

    @property
    def said(self) -> str:
        """What it has written."""
        return self.log.read_text(encoding="utf-8")

    @property
    def events(self) -> list[dict[str, object]]:
        """The lines of a worker's log; what is none (a message of the start) is left out."""
        return [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]

    def probe(self, name: str) -> bool:
        """Whether a probe succeeds now: `startup`, `liveness` or `readiness`."""
        asked = self.container[f"{name}Probe"]
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        port = ports[asked["httpGet"]["port"]]
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}{asked['httpGet']['path']}", timeout=asked["timeoutSeconds"]
            ) as answer:
                return 200 <= int(answer.status) < 400
        except (urllib.error.URLError, OSError):
            return False

    def wait_for(self, name: str, limit_s: float = 60) -> None:
        """Wait until a probe succeeds.

        Raises:
            AssertionError: it did not in time, or the container has ended.
        """
        ends = time.monotonic() + limit_s
        while not self.probe(name):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < ends, f"no {name}: {self.said}"
            time.sleep(POLL_S)

    def end(self) -> int:
        """As Kubernetes ends a pod: preStop, SIGTERM, and no more time than the pod's grace period; the exit code.

        Raises:
            subprocess.TimeoutExpired: it would have been killed.
        """
        seconds = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        ends = time.monotonic() + seconds
        hook = self.container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        if hook:
            subprocess.run(hook, check=True)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ends - time.monotonic())
