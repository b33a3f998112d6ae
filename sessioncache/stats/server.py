"""What a server tells about itself in INFO, as far as operators look at it.

The rule of this module: judges nothing and sends nothing. What a server does not tell is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["ServerStats"]

CPU: Final = {"user": "used_cpu_user", "system": "used_cpu_sys"}
NETWORK: Final = {"in": "total_net_input_bytes", "out": "total_net_output_bytes"}


@dataclass(frozen=True, slots=True)
class ServerStats:
    """One primary, as it saw itself."""

    node: int
    """Number among the primaries of the namespace, in the order of their first shards; 0 for a single server."""
    response_s: float
    """How long it took to answer, there and back."""
    run_id: str = ""
    """Random; another one after a restart, and on another server."""
    is_cluster: bool = False
    """Whether it is part of a cluster."""
    product: str | None = None
    """`Redis` or `Valkey`."""
    version: str | None = None
    role: str | None = None
    """`primary` or `replica`."""
    policy: str | None = None
    """Its maxmemory-policy."""
    uptime_s: int | None = None
    memory_used: int | None = None
    memory_resident: int | None = None
    memory_max: int | None = None
    """None: no limit is set."""
    keys: int | None = None
    evicted_keys: int | None = None
    expired_keys: int | None = None
    denied_commands: int | None = None
    """Refused because memory was full, since the server was started or its statistics were reset."""
    clients: int | None = None
    clients_max: int | None = None
    clients_blocked: int | None = None
    rejected_connections: int | None = None
    replicas: int | None = None
    """Those that are online."""
    replica_lag_s: int | None = None
    """Since the slowest of them last said what it has; None: there is none."""
    replica_behind: int | None = None
    """Bytes that the slowest of them has not confirmed; None: there is none."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """By `user` and `system`."""
    commands: int | None = None
    network: dict[str, int] = field(default_factory=dict)
    """Bytes by `in` and `out`."""
    aof_ok: bool | None = None
    """Whether the last write of the append-only file went well; None: there is none."""
    rdb_ok: bool | None = None
    """Whether the last RDB file was written well."""
    last_save_s: int | None = None
    """When that was, in seconds since 1970."""

    @classmethod
    def of(cls, info: Mapping[str, str], *, node: int, response_s: float) -> ServerStats:
        """What these lines of INFO say."""

        def number(name: str) -> int | None:
            value = info.get(name, "")
            return int(value) if value.removeprefix("-").isdigit() else None

        replicas = [_fields(value) for name, value in info.items() if name.startswith("slave") and "state=" in value]
        online = [replica for replica in replicas if replica.get("state") == "online"]
        offset = number("master_repl_offset")
        databases = [_fields(value) for name, value in info.items() if name.startswith("db") and "keys=" in value]
        valkey = info.get("valkey_version")
        status = info.get("rdb_last_bgsave_status")
        return cls(
            node=node,
            response_s=response_s,
            run_id=info.get("run_id", ""),
            is_cluster="cluster" in (info.get("redis_mode"), info.get("server_mode")),
            product="Valkey" if valkey else "Redis" if "redis_version" in info else None,
            version=valkey or info.get("redis_version"),
            role={"master": "primary", "slave": "replica"}.get(info.get("role", "")),
            policy=info.get("maxmemory_policy"),
            uptime_s=number("uptime_in_seconds"),
            memory_used=number("used_memory"),
            memory_resident=number("used_memory_rss"),
            memory_max=number("maxmemory") or None,
            keys=sum(_integer(database, "keys") for database in databases) if "used_memory" in info else None,
            evicted_keys=number("evicted_keys"),
            expired_keys=number("expired_keys"),
            denied_commands=_integer(_fields(info.get("errorstat_OOM", "")), "count") if info else None,
            clients=number("connected_clients"),
            clients_max=number("maxclients"),
            clients_blocked=number("blocked_clients"),
            rejected_connections=number("rejected_connections"),
            replicas=len(online) if "connected_slaves" in info else None,
            replica_lag_s=max((_integer(replica, "lag") for replica in online), default=None),
            replica_behind=None
            if offset is None
            else max((max(0, offset - _integer(replica, "offset")) for replica in online), default=None),
            cpu_s={mode: float(info[name]) for mode, name in CPU.items() if name in info},
            commands=number("total_commands_processed"),
            network={way: int(info[name]) for way, name in NETWORK.items() if name in info},
            aof_ok=info.get("aof_last_write_status") == "ok" if info.get("aof_enabled") == "1" else None,
            rdb_ok=None if status is None else status == "ok",
            last_save_s=number("rdb_last_save_time"),
        )


def _fields(line: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping."""
    return dict(part.partition("=")[::2] for part in line.split(",") if "=" in part)


def _integer(fields: Mapping[str, str], name: str) -> int:
    value = fields.get(name, "")
    return int(value) if value.isdigit() else 0
