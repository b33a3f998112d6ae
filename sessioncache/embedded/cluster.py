"""A private cluster: several servers of one binary that share the 16384 slots.

The rule of this module: roles and slot owners are asked of the nodes, never remembered, since failovers change them.

```python
with EmbeddedCluster(nodes=3) as cluster:
    cache = SessionCache.from_url(cluster.url, namespace="demo")
```
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sessioncache.embedded.binary import Binary, find_binary
from sessioncache.embedded.config import Options
from sessioncache.embedded.migration import SlotMigration
from sessioncache.embedded.ports import BUS_OFFSET, free_port
from sessioncache.embedded.resp import Reply
from sessioncache.embedded.server import EmbeddedServer
from sessioncache.embedded.waiting import wait_for
from sessioncache.errors import ConfigurationError

__all__ = ["SLOTS", "EmbeddedCluster"]

SLOTS: Final = 16384
"""Hash slots of every cluster."""

FORM_LIMIT_S: Final = 30.0
"""How long forming may take; usually two seconds, the pause that a node makes before it dares to serve."""


class EmbeddedCluster:
    """A cluster of one's own, on free ports of 127.0.0.1, that ends with the process that started it."""

    def __init__(
        self,
        nodes: int = 3,
        replicas: int = 0,
        *,
        folder: str | Path | None = None,
        binary: str | Path | Binary = "auto",
        appendonly: bool = True,
        node_timeout_ms: int = 1500,
        options: Options | None = None,
    ) -> None:
        """Describe the cluster; nothing runs before `start` or `with`.

        Args:
            nodes: Primaries.
            replicas: Replicas of each.
            folder: Where the data live, one folder a node; a cluster found there is continued on its former ports.
                None: a temporary one, removed by `close`.
            binary: What `find_binary` takes, or its result.
            appendonly: Keep data over restarts. False is for tests.
            node_timeout_ms: After how long a silent node counts as failed.
            options: Further directives, for every node.
        """
        if nodes < 1 or replicas < 0:
            raise ConfigurationError("an embedded cluster needs at least one primary, and replicas from 0 up")
        self._primaries = nodes
        self._replicas = replicas
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="sessioncache-") if folder is None else folder).absolute()
        """The folder that holds the nodes' folders."""
        chosen = binary if isinstance(binary, Binary) else find_binary(binary)
        ports, self._is_new = self._ports(nodes * (1 + replicas))
        directives: dict[str, str | int | bool] = {
            "cluster-enabled": True,
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": node_timeout_ms,
            **(options or {}),
        }
        self.nodes: list[EmbeddedServer] = [
            EmbeddedServer(
                self.folder / f"node-{number}", binary=chosen, port=port, appendonly=appendonly, options=directives
            )
            for number, port in enumerate(ports)
        ]
        """Every node, first those that started as primaries. Each can be killed, paused, stopped and started."""

    @property
    def url(self) -> str:
        """How a client connects: every node as a seed."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> Self:
        """Start the nodes, form the cluster if it is new, and wait until every node serves.

        Raises:
            ConfigurationError: A node does not start.
            BackendUnavailable: The cluster did not form in time.
        """
        try:
            for node in self.nodes:
                node.start()
            if self._is_new:
                self._form()
                (self.folder / "cluster.json").write_text(
                    json.dumps({"ports": [node.port for node in self.nodes]}) + "\n"
                )
                self._is_new = False
            self.wait_until_ok()
        except BaseException:
            self.close()
            raise
        return self

    def stop(self) -> None:
        """Stop every node in good order."""
        for node in self.nodes:
            node.stop()

    def close(self) -> None:
        """Stop every node, and remove the folder if it is a temporary one."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def primaries(self) -> list[EmbeddedServer]:
        """The running nodes that are primaries now."""
        return [node for node in self.nodes if node.running and _role(node) == "master"]

    def replicas_of(self, primary: EmbeddedServer) -> list[EmbeddedServer]:
        """The running nodes that replicate that one now."""
        return [node for node in self.nodes if node.running and _replicates(node) == primary.port]

    def wait_until_ok(self, *, timeout_s: float = FORM_LIMIT_S) -> None:
        """Wait until every running node says cluster_state:ok and all agree on the slots, replicas being in sync.

        Raises:
            BackendUnavailable: They did not within the limit.
        """
        wait_for(self._is_ok, "cluster_state:ok on every node", timeout_s=timeout_s)

    def wait_for_failover(self, lost: EmbeddedServer, *, timeout_s: float = FORM_LIMIT_S) -> None:
        """After a primary was killed or paused: wait until others own its slots and the rest of the cluster is ok."""

        def taken_over() -> bool:
            return self._is_ok(without=lost) and lost.port not in {port for _, _, port in self._ranges(without=lost)}

        wait_for(taken_over, f"a replica to take the slots of the node on port {lost.port}", timeout_s=timeout_s)

    def slot_of(self, key: str | bytes) -> int:
        """The slot of a key."""
        slot = self._any_node().command("CLUSTER", "KEYSLOT", key)
        if not isinstance(slot, int):
            raise ConfigurationError(f"CLUSTER KEYSLOT answered {slot!r}")
        return slot

    def owner_of(self, slot: int) -> EmbeddedServer:
        """The primary that serves a slot."""
        for first, last, port in self._ranges():
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise ConfigurationError(f"no node serves slot {slot}")

    def begin_migration(self, slot: int, target: EmbeddedServer) -> SlotMigration:
        """Mark a slot as on the move: its absent keys answer ASK now. The rest is the migration's methods.

        Raises:
            ConfigurationError: The target owns it already, or is no primary.
        """
        return SlotMigration(slot, self.owner_of(slot), target, self.primaries())

    def migrate_slot(self, slot: int, target: EmbeddedServer) -> int:
        """Move a slot with its keys while clients go on; returns the number of keys moved."""
        migration = self.begin_migration(slot, target)
        moved = 0
        while count := migration.move_keys():
            moved += count
        migration.finish()
        return moved

    def _ports(self, count: int) -> tuple[list[int], bool]:
        """The nodes' ports, and whether the cluster is new: nodes know one another by port, so ports are kept."""
        note = self.folder / "cluster.json"
        if not note.exists():
            ports: set[int] = set()
            while len(ports) < count:
                ports.add(free_port(with_bus=True))
            return sorted(ports), True
        former = [int(port) for port in json.loads(note.read_text())["ports"]]
        if len(former) != count:
            raise ConfigurationError(
                f"{self.folder} holds a cluster of {len(former)} nodes, not of {count}; "
                "ask for that many or choose another folder"
            )
        return former, False

    def _form(self) -> None:
        """Deal the slots, introduce the nodes, attach the replicas."""
        primaries = self.nodes[: self._primaries]
        for number, (node, (first, last)) in enumerate(zip(primaries, _shares(self._primaries), strict=True)):
            # Distinct epochs from the start, else two nodes may first have to settle who owns what.
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if node.binary.version >= (7,):
                node.command("CLUSTER", "ADDSLOTSRANGE", first, last)
            else:
                node.command("CLUSTER", "ADDSLOTS", *range(first, last + 1))
        for node in self.nodes[1:]:
            self.nodes[0].command("CLUSTER", "MEET", "127.0.0.1", node.port, node.port + BUS_OFFSET)
        wait_for(self._all_met, "every node to know every other", timeout_s=FORM_LIMIT_S)
        for number, replica in enumerate(self.nodes[self._primaries :]):
            replica.command(
                "CLUSTER", "REPLICATE", _text(primaries[number % self._primaries].command("CLUSTER", "MYID"))
            )

    def _all_met(self) -> bool:
        """Whether no node is a stranger or still shaking hands."""
        for node in self.nodes:
            lines = _text(node.command("CLUSTER", "NODES")).splitlines()
            if len(lines) != len(self.nodes) or any("handshake" in line for line in lines):
                return False
        return True

    def _is_ok(self, *, without: EmbeddedServer | None = None) -> bool:
        nodes = [node for node in self.nodes if node.running and node is not without]
        views = set()
        for node in nodes:
            if "cluster_state:ok" not in _text(node.command("CLUSTER", "INFO")):
                return False
            if _role(node) == "slave" and "master_link_status:up" not in _text(node.command("INFO", "replication")):
                return False
            views.add(tuple(sorted(_ranges_of(node))))
        return len(views) == 1 and sum(last - first + 1 for first, last, _ in next(iter(views))) == SLOTS

    def _ranges(self, *, without: EmbeddedServer | None = None) -> list[tuple[int, int, int]]:
        return list(_ranges_of(self._any_node(without=without)))

    def _any_node(self, *, without: EmbeddedServer | None = None) -> EmbeddedServer:
        for node in self.nodes:
            if node.running and node is not without:
                return node
        raise ConfigurationError("no node of the embedded cluster is running")


def _shares(primaries: int) -> Iterator[tuple[int, int]]:
    """First and last slot of each primary."""
    for number in range(primaries):
        yield number * SLOTS // primaries, (number + 1) * SLOTS // primaries - 1


def _ranges_of(node: EmbeddedServer) -> Iterator[tuple[int, int, int]]:
    """First slot, last slot and the primary's port, as that node sees it."""
    ranges = node.command("CLUSTER", "SLOTS")
    for entry in ranges if isinstance(ranges, list) else []:
        match entry:
            case [int(first), int(last), [_, int(port), *_], *_]:
                yield first, last, port
            case _:
                raise ConfigurationError(f"CLUSTER SLOTS answered {entry!r}")


def _role(node: EmbeddedServer) -> str:
    answer = node.command("ROLE")
    return _text(answer[0]) if isinstance(answer, list) else ""


def _replicates(node: EmbeddedServer) -> int | None:
    """The port of the node's primary, if it is a replica."""
    match node.command("ROLE"):
        case [b"slave", _, int(port), *_]:
            return port
        case _:
            return None


def _text(reply: Reply) -> str:
    if not isinstance(reply, bytes):
        raise ConfigurationError(f"expected text from the server, got {reply!r}")
    return reply.decode()
