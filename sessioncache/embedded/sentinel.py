"""A private group under Sentinel: a master, its replicas, and the Sentinels that watch them.

The rule of this module: it is for tries and tests of failover. Its data are temporary, as after a failover nobody but
the Sentinels knows which folder holds the truth.

```python
with EmbeddedSentinel() as group:
    cache = SessionCache.from_url(group.url, namespace="demo")
    group.failover()
```
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sessioncache.embedded.binary import Binary, find_binary
from sessioncache.embedded.config import Options
from sessioncache.embedded.resp import Reply
from sessioncache.embedded.server import EmbeddedServer
from sessioncache.embedded.waiting import wait_for
from sessioncache.errors import ConfigurationError

__all__ = ["EmbeddedSentinel"]

FORM_LIMIT_S: Final = 30.0
"""How long it may take until the Sentinels know one another; usually two seconds, the beat of their greetings."""

DOWN_AFTER_MS: Final = 1000
FAILOVER_TIMEOUT_MS: Final = 4_000
"""A Sentinel that could promote nobody, as it had not heard that a replica is back, tries again after twice that."""


class EmbeddedSentinel:
    """A master with replicas and Sentinels on free ports of 127.0.0.1, ending with the process that started it."""

    def __init__(
        self,
        replicas: int = 1,
        sentinels: int = 1,
        *,
        service: str = "mymaster",
        binary: str | Path | Binary = "auto",
        options: Options | None = None,
    ) -> None:
        """Describe the group; nothing runs before `start` or `with`.

        Args:
            replicas: Replicas of the master; failover needs one.
            sentinels: Sentinels; the majority of them decides.
            service: The name under which they know the master.
            binary: What `find_binary` takes, or its result.
            options: Further directives, for master and replicas.
        """
        if replicas < 0 or sentinels < 1:
            raise ConfigurationError("an embedded Sentinel group needs at least one Sentinel, and replicas from 0 up")
        self.service = service
        """The service's name."""
        self._binary = binary if isinstance(binary, Binary) else find_binary(binary)
        self.folder = Path(tempfile.mkdtemp(prefix="sessioncache-"))
        """The temporary folder that holds the servers' folders."""
        self.nodes: list[EmbeddedServer] = [
            EmbeddedServer(self.folder / f"node-{number}", binary=self._binary, options=options)
            for number in range(1 + replicas)
        ]
        """Master and replicas; the first one starts as master. Each can be killed, paused, stopped and started."""
        self._sentinel_count = sentinels
        self.sentinels: list[EmbeddedServer] = []
        """The Sentinels, once started."""

    @property
    def url(self) -> str:
        """How a client connects: every Sentinel, and the service's name."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.service}"

    def start(self) -> Self:
        """Start everything and wait until the Sentinels know one another and the replicas are in sync.

        Raises:
            ConfigurationError: A server does not start.
            BackendUnavailable: The group did not form in time.
        """
        try:
            self._start_nodes()
            self._start_sentinels()
            wait_for(self._is_formed, "every Sentinel to know the others and the replicas", timeout_s=FORM_LIMIT_S)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop everything, Sentinels first, and remove the folder."""
        for server in (*self.sentinels, *self.nodes):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def master(self) -> EmbeddedServer:
        """The node that the Sentinels call master now; it may have just died.

        Raises:
            ConfigurationError: No Sentinel is running.
        """
        for sentinel in self.sentinels:
            if sentinel.running:
                return self._master_seen_by(sentinel)
        raise ConfigurationError("no Sentinel of the embedded group is running")

    def failover(self, *, timeout_s: float = FORM_LIMIT_S) -> EmbeddedServer:
        """Kill the master and wait until every Sentinel names another, which then serves; returns that one.

        `bring_back` starts the killed node again, as a replica.

        Raises:
            BackendUnavailable: Nobody was promoted in time.
        """
        lost = self.master()
        lost.kill()
        self.wait_for_promotion(lost, timeout_s=timeout_s)
        return self.master()

    def wait_for_promotion(self, lost: EmbeddedServer, *, timeout_s: float = FORM_LIMIT_S) -> None:
        """After the master was killed or paused: wait until every running Sentinel names another that is a master.

        They name it before they are done with the failover: that is waited for, too.
        """

        def promoted() -> bool:
            running = [sentinel for sentinel in self.sentinels if sentinel.running]
            seen = {self._master_seen_by(sentinel).port for sentinel in running}
            done = all(self._state(sentinel).get("flags") == "master" for sentinel in running)
            return len(seen) == 1 and lost.port not in seen and done and _role(self.master()) == b"master"

        wait_for(promoted, f"a replica to replace the master on port {lost.port}", timeout_s=timeout_s)

    def bring_back(self, node: EmbeddedServer) -> None:
        """Start a lost node again as a replica of the present master, and wait until it is in sync.

        A Sentinel would turn it into one too, but only after some fifteen seconds in which two nodes are masters. As it
        would, this cuts the connections of those who took the node for a master: they would go on reading from it.
        """
        node.start().command("REPLICAOF", "127.0.0.1", self.master().port)
        node.command("CLIENT", "KILL", "TYPE", "normal")
        self.wait_for_replicas(sum(each.running for each in self.nodes) - 1)

    def wait_for_replicas(self, count: int, *, timeout_s: float = FORM_LIMIT_S) -> None:
        """Wait until the master has that many replicas in sync, as after a lost node was started again."""

        def in_sync() -> bool:
            return _text(self.master().command("INFO", "replication")).count("state=online") >= count

        wait_for(in_sync, f"{count} replicas in sync", timeout_s=timeout_s)

    def _start_nodes(self) -> None:
        master = self.nodes[0].start()
        for replica in self.nodes[1:]:
            # By command and not by configuration: who replicates whom is the Sentinels' to change.
            replica.start().command("REPLICAOF", "127.0.0.1", master.port)

    def _start_sentinels(self) -> None:
        quorum = self._sentinel_count // 2 + 1
        for number in range(self._sentinel_count):
            directives: dict[str, str | int | bool] = {
                "sentinel monitor": f"{self.service} 127.0.0.1 {self.nodes[0].port} {quorum}",
                "sentinel down-after-milliseconds": f"{self.service} {DOWN_AFTER_MS}",
                "sentinel failover-timeout": f"{self.service} {FAILOVER_TIMEOUT_MS}",
            }
            sentinel = EmbeddedServer(
                self.folder / f"sentinel-{number}", binary=self._binary, sentinel=True, options=directives
            )
            self.sentinels.append(sentinel)
            sentinel.start()

    def _is_formed(self) -> bool:
        for sentinel in self.sentinels:
            state = self._state(sentinel)
            known = (state.get("flags"), state.get("num-slaves"), state.get("num-other-sentinels"))
            if known != ("master", str(len(self.nodes) - 1), str(len(self.sentinels) - 1)):
                return False
        return _text(self.nodes[0].command("INFO", "replication")).count("state=online") == len(self.nodes) - 1

    def _state(self, sentinel: EmbeddedServer) -> dict[str, str]:
        """What a Sentinel says of the master."""
        return _pairs(sentinel.command("SENTINEL", "MASTER", self.service))

    def _master_seen_by(self, sentinel: EmbeddedServer) -> EmbeddedServer:
        match sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service):
            case [_, bytes(port)]:
                return next(node for node in self.nodes if node.port == int(port))
            case other:
                raise ConfigurationError(f"the Sentinel on port {sentinel.port} knows no {self.service}: {other!r}")


def _role(node: EmbeddedServer) -> Reply:
    answer = node.command("ROLE")
    return answer[0] if isinstance(answer, list) else None


def _pairs(reply: Reply) -> dict[str, str]:
    """A flat list of names and values as a dict."""
    flat = [_text(part) for part in reply] if isinstance(reply, list) else []
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _text(reply: Reply) -> str:
    if not isinstance(reply, bytes):
        raise ConfigurationError(f"expected text from the server, got {reply!r}")
    return reply.decode()
