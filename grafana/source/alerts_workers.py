"""Alerts about the workers: absent, behind, failing, standing still."""

from __future__ import annotations

from grafana.source import limits
from grafana.source.rules import Alert, Group, Record
from sessioncache.metrics import names

AGE = "job_task:sessioncache_worker_last_success:age_seconds"
FAILED = f'{names.WORKER_RUNS.name}{{outcome="failed"}}'
LATE = "\nor\n".join(f'{AGE}{{task="{task}"}} > {seconds}' for task, seconds in limits.SUCCESS_AGE_S.items())

GROUP = Group(
    "sessioncache-workers",
    (
        Record(AGE, f"time() - max by (job, task) (max_over_time({names.WORKER_LAST_SUCCESS.name}[3d]))"),
        Alert(
            name="SessioncacheWorkersAbsent",
            expr=f"absent({names.WORKER_CAPACITY.name})",
            wait="10m",
            severity="critical",
            summary="No worker of sessioncache is there",
            description="Agents go on, but nothing is swept, trimmed, sealed or checked; nobody makes room on a full "
            "server; and everything that workers tell of servers and namespaces is unknown.",
            why="Ten minutes are longer than any rollout or move of a worker takes.",
        ),
        Alert(
            name="SessioncacheSweepLag",
            expr=f"max by (job, namespace) ({names.NAMESPACE_LAG.name}) > {limits.SWEEP_LAG_S}",
            wait="5m",
            severity="warning",
            summary="The oldest overdue session of namespace {{ $labels.namespace }} waits for {{ $value | "
            "humanizeDuration }}",
            description="Sessions past their deadline are not removed. Readers do not see them; their memory is not "
            "freed.",
            why=f"Sweeps follow within seconds; {limits.SWEEP_LAG_S // 60} minutes, and five more, is where "
            "`sessioncache doctor` speaks of a problem too.",
        ),
        Alert(
            name="SessioncacheWorkOverdue",
            expr=f'max by (job, namespace, task) ({names.WORKER_OLDEST_DUE.name}{{task!="expire"}}) > '
            f"{limits.WORK_OVERDUE_S}",
            wait="10m",
            severity="warning",
            summary="{{ $labels.task }} of namespace {{ $labels.namespace }} is {{ $value | humanizeDuration }} late",
            description="Shards wait for their turn: too few workers, a job that does not get through, or a queue that "
            "stands.",
            why=f"{limits.WORK_OVERDUE_S // 60} minutes since it fell due, whatever the job's period. Sweeps have an "
            "alert of their own.",
        ),
        Alert(
            name="SessioncacheNoSuccess",
            expr=LATE,
            wait="5m",
            severity="warning",
            summary="No run of {{ $labels.task }} of job {{ $labels.job }} has ended well for {{ $value | "
            "humanizeDuration }}",
            description="The job runs nowhere, or every run fails.",
            why="Twice what may pass between two runs in a namespace in which nothing is written, half an hour at "
            "least, over all workers of three days. Sweeps run only where something is due.",
        ),
        Alert(
            name="SessioncacheRunsFailing",
            expr=f"sum by (job, task) (increase({FAILED}[15m])) > {limits.RUNS_FAILED}",
            wait="5m",
            severity="warning",
            summary="Runs of {{ $labels.task }} of job {{ $labels.job }} fail ({{ $value | humanize }} in 15 minutes)",
            description="An error that is not the server's absence: a defect, a damaged key, rights that are "
            "missing, or an archive that cannot be written to.",
            why=f"More than {limits.RUNS_FAILED} in 15 minutes, so that it is no single shard's single bad moment.",
        ),
        Alert(
            name="SessioncacheLeasesLost",
            expr=f"sum by (job, task) (increase({names.WORKER_LEASES_LOST.name}[30m])) > {limits.LEASES_LOST}",
            severity="warning",
            summary="{{ $value | humanize }} runs of {{ $labels.task }} of job {{ $labels.job }} lost their lease in "
            "half an hour",
            description="Workers stand still for longer than a lease (30 s): starved of CPU, paused, or cut off. Their "
            "late writes were refused, so nothing is harmed; work is done twice.",
            why=f"One comes with a paused machine; more than {limits.LEASES_LOST} in 30 minutes is a habit.",
        ),
        Alert(
            name="SessioncacheQueueErrors",
            expr=f"sum by (job) (increase({names.WORKER_QUEUE_ERRORS.name}[3m])) > {limits.QUEUE_ERRORS}",
            wait="5m",
            severity="warning",
            summary="Workers of job {{ $labels.job }} could not read their queue {{ $value | humanize }} times in "
            "three minutes",
            description="While it cannot be read, no job is started. The queue lies on the Redis of the sessions, or "
            "on its own.",
            why="While Redis is away each worker counts one every 5 s. Three minutes forget an outage before five "
            "are over.",
        ),
    ),
)
