"""Alerts about the servers: away, full, evicting, without replicas, unable to write to disk."""

from __future__ import annotations

from grafana.source import limits
from grafana.source.alerts_calls import appeared
from grafana.source.rules import Alert, Group, Record
from sessioncache.metrics import names

NODE = "job, node"
USED = "job_node:sessioncache_server_memory_used:ratio"
REPLICAS = f"max by ({NODE}) ({names.SERVER_REPLICAS.name})"

GROUP = Group(
    "sessioncache-redis",
    (
        Record(
            USED,
            f"max by ({NODE}) ({names.SERVER_MEMORY.name})\n  / max by ({NODE}) ({names.SERVER_MEMORY_MAX.name})",
        ),
        Alert(
            name="SessioncacheServerDown",
            expr=f"max by ({NODE}) ({names.SERVER_UP.name}) == 0",
            wait="1m",
            severity="critical",
            summary="No worker of job {{ $labels.job }} reaches server {{ $labels.node }}",
            description="Redis does not answer its workers, so agents most likely cannot reach it either.",
            why="One worker that reaches it is enough for up. A failover of Sentinel or a cluster is over within a "
            "minute.",
        ),
        Alert(
            name="SessioncacheBackendFull",
            expr=appeared(f'{names.CALLS.name}{{error="backend_full"}}', "job", "5m"),
            severity="critical",
            summary="Writes of job {{ $labels.job }} are refused: Redis has no memory left",
            description="Nothing can be saved or appended. Reading, deleting and trimming go on.",
            why="None at all is expected, so the first counts.",
        ),
        Alert(
            name="SessioncacheEvictedKeys",
            expr=f"max by ({NODE}) (increase({names.SERVER_EVICTED.name}[10m])) > 0",
            severity="critical",
            summary="Server {{ $labels.node }} of job {{ $labels.job }} evicted {{ $value | humanize }} keys",
            description="maxmemory-policy is not noeviction. Each evicted key tears a session or takes one away: "
            "data is lost.",
            why="Evicting is never right here, so the first key counts.",
        ),
        Alert(
            name="SessioncacheEvictionPolicyUnsafe",
            expr=f'max by (job, node, policy) ({names.SERVER_INFO.name}{{policy!="noeviction"}}) > 0',
            wait="5m",
            severity="warning",
            summary="Server {{ $labels.node }} of job {{ $labels.job }} has maxmemory-policy {{ $labels.policy }}",
            description="When its memory is full it will remove single keys, and so tear sessions, instead of "
            "refusing writes.",
            why="Said before it happens: SessioncacheEvictedKeys is too late.",
        ),
        Alert(
            name="SessioncacheMemoryHigh",
            expr=f"{USED} > {limits.MEMORY_HIGH}",
            wait="5m",
            severity="warning",
            summary="Server {{ $labels.node }} of job {{ $labels.job }} uses {{ $value | humanizePercentage }} of its "
            "maxmemory",
            description="Soon writes will be refused. Workers remove live sessions only where they were asked to "
            "(SESSIONCACHE_WORKER_RELIEVE_HIGH); if they were, they do not keep up.",
            why=f"{limits.MEMORY_HIGH:.0%} of maxmemory, for five minutes: above the mark at which relief begins (85 "
            "%), and for longer than it needs.",
        ),
        Alert(
            name="SessioncacheNoReplicas",
            expr=f"{REPLICAS} == 0\n"
            f"and on ({NODE}) max by ({NODE}) (max_over_time({names.SERVER_REPLICAS.name}[1d])) > 0",
            wait="5m",
            severity="warning",
            summary="Server {{ $labels.node }} of job {{ $labels.job }} has lost all its replicas",
            description="If it dies now, nothing takes over and all is lost that is not on its disk. With "
            "min-replicas-to-write it refuses writes.",
            why="Only where there was a replica within a day: a server that is meant to have none stays quiet. Five "
            "minutes are enough for a restart of a replica.",
        ),
        Alert(
            name="SessioncacheReplicationLag",
            expr=f"max by ({NODE}) ({names.SERVER_REPLICA_LAG.name}) > {limits.REPLICATION_LAG_S}",
            wait="2m",
            severity="warning",
            summary="A replica of server {{ $labels.node }} of job {{ $labels.job }} is "
            "{{ $value | humanizeDuration }} behind",
            description="A failover now would lose what the replica has not got; replicated writes end in "
            "NotReplicated.",
            why=f"Replicas speak every second; {limits.REPLICATION_LAG_S} s is where Redis itself counts one as lost "
            "(min-replicas-max-lag).",
        ),
        Alert(
            name="SessioncachePersistenceFailing",
            expr=f"min by (job, node, file) ({names.SERVER_PERSISTENCE.name}) == 0",
            wait="1m",
            severity="critical",
            summary="Server {{ $labels.node }} of job {{ $labels.job }} cannot write its {{ $labels.file }} file",
            description="The disk is full or gone. Redis refuses all writes, or loses them with its next restart.",
            why="A single failed write counts; the minute is for a worker's next look.",
        ),
    ),
)
