"""Alerts about what is stored: sessions that are not whole, lists that do not stay right."""

from __future__ import annotations

from grafana.source import limits
from grafana.source.rules import Alert, Group
from sessioncache.metrics import names

REPAIRED = "by-updated|by-user|deadlines|links|adopted|totals|misplaced"
REPAIRS = f'{names.WORKER_FINDINGS.name}{{task="reconcile",finding=~"{REPAIRED}"}}'

GROUP = Group(
    "sessioncache-data",
    (
        Alert(
            name="SessioncacheTornSessions",
            expr=f"max by (job, namespace) ({names.NAMESPACE_TORN.name}) > 0",
            severity="critical",
            summary="{{ $value }} sessions of namespace {{ $labels.namespace }} are torn",
            description="Their record disagrees with their messages or a room: something outside of sessioncache "
            "removed a part. Readers get SessionTorn.",
            why="None at all is expected. The number stands until reconcile has passed again, within an hour.",
        ),
        Alert(
            name="SessioncacheListsDrift",
            expr=f"count_over_time((sum by (job) (increase({REPAIRS}[1h])) > 0)[5h59m:1h]) >= {limits.REPAIRS}",
            severity="warning",
            summary="reconcile of job {{ $labels.job }} had to repair lists or totals in {{ $value }} of the last 6 "
            "hours",
            description="Something goes on changing keys without sessioncache, or removes them. What lists show may be "
            "incomplete for up to an hour at a time.",
            why=f"A failover or a restore explains one hour with repairs; {limits.REPAIRS} of 6 do not happen by "
            "themselves.",
        ),
    ),
)
