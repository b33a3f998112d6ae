"""The workers: what waits, what succeeded last, how runs end, and what stands in their way."""

from __future__ import annotations

from grafana.source import limits, uids
from grafana.source.dashboard import Dashboard, Row
from grafana.source.panels import BAD, GOOD, WARN, Lines, Number, Query, Table
from grafana.source.promql import count, increase, largest, of, or_zero, quantile, rate, total
from sessioncache.metrics import names

OUTCOMES = {
    "done": GOOD,
    "partial": "blue",
    "skipped": "text",
    "retried": "yellow",
    "cancelled": "purple",
    "lost": WARN,
    "failed": BAD,
}
RAN = increase(names.WORKER_RUNS, by="", over="15m")
AGE = f"time() - {largest(names.WORKER_LAST_SUCCESS, by='task')}"

GLANCE = Row(
    "At a glance",
    (
        Number(
            title="Workers",
            description="Worker processes that are there. Two or more survive each other; none is an alert.",
            unit="short",
            queries=(Query(count(names.WORKER_CAPACITY)),),
            base=BAD,
            thresholds=((1, WARN), (2, GOOD)),
        ),
        Number(
            title="Sweeps behind",
            description="For how long the oldest overdue session has waited to be removed. Readers do not see it any "
            "more; it takes memory. Seconds are right.",
            unit="s",
            queries=(Query(largest(names.NAMESPACE_LAG)),),
            thresholds=((limits.SWEEP_LAG_S / 5, WARN), (limits.SWEEP_LAG_S, BAD)),
        ),
        Number(
            title="Oldest due",
            description="For how long the oldest work of any kind has been due. Seconds are right, whatever the "
            "period of a job.",
            unit="s",
            queries=(Query(largest(names.WORKER_OLDEST_DUE)),),
            thresholds=((limits.WORK_OVERDUE_S / 3, WARN), (limits.WORK_OVERDUE_S, BAD)),
        ),
        Number(
            title="Failed runs",
            description="Runs that ended in an error in the last 15 minutes. 0 is right.",
            unit="short",
            decimals=0,
            queries=(Query(or_zero(increase(names.WORKER_RUNS, 'outcome="failed"', over="15m"), RAN)),),
            thresholds=((1, WARN), (limits.RUNS_FAILED, BAD)),
        ),
        Number(
            title="Jobs in the queue",
            description="Waiting or running. It fills in waves, and is empty in between.",
            unit="short",
            queries=(Query(largest(names.WORKER_QUEUE_JOBS)),),
        ),
        Number(
            title="Reclaimed",
            description="Bytes of messages that were removed, or saved by compressing, in the time shown.",
            unit="bytes",
            queries=(Query(increase(names.WORKER_RECLAIMED)),),
        ),
    ),
)

LAG = Row(
    "Lag",
    (
        Lines(
            title="Oldest due, by job",
            description="For how long the oldest work of each job has been due and is not done. Near 0 is right; a "
            "line that only climbs is a job that does not run.",
            unit="s",
            queries=(Query(largest(names.WORKER_OLDEST_DUE, by="task"), "{{task}}"),),
            thresholds=((limits.WORK_OVERDUE_S, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Oldest overdue session",
            description="For how long the oldest session past its deadline has waited, by namespace.",
            unit="s",
            queries=(Query(largest(names.NAMESPACE_LAG, by="namespace"), "{{namespace}}"),),
            thresholds=((limits.SWEEP_LAG_S, BAD),),
            shows_limits=True,
        ),
        Table(
            title="Jobs",
            description="Each job: how long ago a run last ended well, and what it did in the last hour. Sweeps run "
            "only where something is due.",
            unit="short",
            height=9,
            label="task",
            queries=(
                Query(AGE, "last success", "s"),
                Query(largest(names.WORKER_OLDEST_DUE, by="task"), "oldest due", "s"),
                Query(increase(names.WORKER_RUNS, by="task", over="1h"), "runs", "short"),
                Query(
                    or_zero(
                        increase(names.WORKER_RUNS, 'outcome="failed"', by="task", over="1h"),
                        increase(names.WORKER_RUNS, by="task", over="1h"),
                    ),
                    "failed",
                ),
                Query(increase(names.WORKER_EXAMINED, by="task", over="1h"), "examined", "short"),
                Query(increase(names.WORKER_CHANGED, by="task", over="1h"), "changed", "short"),
                Query(increase(names.WORKER_RECLAIMED, by="task", over="1h"), "reclaimed", "bytes"),
                Query(quantile(0.95, names.WORKER_RUN_DURATION, by="task"), "p95 of a run", "s"),
            ),
        ),
    ),
)

RUNS = Row(
    "Runs",
    (
        Lines(
            title="Runs by outcome",
            description="A run is one job on one shard. done and partial are good (partial: the limit was reached, the "
            "next goes on); skipped: somebody else had the shard; lost: it was taken over; retried: Redis was away.",
            unit="cps",
            queries=(Query(rate(names.WORKER_RUNS, by="outcome"), "{{outcome}}"),),
            stacked=True,
            colours=OUTCOMES,
        ),
        Lines(
            title="Runs by job",
            description="Runs a second. Even over time; sweeps follow what expires.",
            unit="cps",
            queries=(Query(rate(names.WORKER_RUNS, by="task"), "{{task}}"),),
            stacked=True,
        ),
        Lines(
            title="Duration, p95 by job",
            description="19 of 20 runs took at most so long. A run that nears the time limit of a job (60 s) is cut "
            "off.",
            unit="s",
            queries=(Query(quantile(0.95, names.WORKER_RUN_DURATION, by="task"), "{{task}}"),),
        ),
        Lines(
            title="Runs going on",
            description="By job, against how many there may be. At the limit for long: more workers, or more jobs in "
            "one.",
            unit="short",
            queries=(
                Query(total(names.WORKER_RUNS_IN_PROGRESS, by="task"), "{{task}}"),
                Query(total(names.WORKER_CAPACITY), "capacity"),
            ),
            colours={"capacity": "text"},
            dashed=("capacity",),
        ),
    ),
)

WORK = Row(
    "Work done",
    (
        Lines(
            title="Sessions examined",
            description="Sessions a second that jobs looked at.",
            unit="cps",
            width=8,
            queries=(Query(rate(names.WORKER_EXAMINED, by="task"), "{{task}}"),),
        ),
        Lines(
            title="Changes",
            description="Sessions, lists and totals a second that jobs changed.",
            unit="cps",
            width=8,
            queries=(Query(rate(names.WORKER_CHANGED, by="task"), "{{task}}"),),
        ),
        Lines(
            title="Reclaimed",
            description="Bytes of messages a second that were removed, or saved by compressing.",
            unit="Bps",
            width=8,
            queries=(Query(rate(names.WORKER_RECLAIMED, by="task"), "{{task}}"),),
        ),
        Lines(
            title="Findings",
            description="What jobs found and did, a second, bytes left out. torn, misplaced "
            "and by-… belong to the dashboard of the data.",
            unit="cps",
            width=24,
            queries=(
                Query(rate(names.WORKER_FINDINGS, 'finding!~".*bytes"', by="task, finding"), "{{task}}: {{finding}}"),
            ),
        ),
    ),
)

PACE = Row(
    "Pace",
    (
        Lines(
            title="Sessions in a batch",
            description="Batches shrink when the server answers slowly, so that others are served; the smallest of all "
            "workers.",
            unit="short",
            width=8,
            queries=(Query(f"min by (task) ({of(names.WORKER_BATCH_SIZE)})", "{{task}}"),),
        ),
        Lines(
            title="Pause between batches",
            description="It grows when the server answers slowly; the longest of all workers.",
            unit="s",
            width=8,
            queries=(Query(largest(names.WORKER_PAUSE, by="task"), "{{task}}"),),
        ),
        Lines(
            title="Batches",
            description="Batches a second, by job.",
            unit="cps",
            width=8,
            queries=(Query(rate(names.WORKER_BATCHES, by="task"), "{{task}}"),),
        ),
    ),
)

TROUBLE = Row(
    "In the way",
    (
        Lines(
            title="Leases lost in half an hour",
            description="Runs that were fenced out because their worker stood still for longer than its lease. "
            "Nothing is harmed; work is done twice.",
            unit="short",
            width=8,
            queries=(
                Query(
                    or_zero(
                        increase(names.WORKER_LEASES_LOST, over="30m"), increase(names.WORKER_QUEUE_ERRORS, over="30m")
                    ),
                    "lost",
                ),
            ),
            thresholds=((limits.LEASES_LOST, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Queue errors in three minutes",
            description="Times that the queue could not be read, by worker. Single ones belong to restarts of Redis.",
            unit="short",
            width=8,
            queries=(Query(increase(names.WORKER_QUEUE_ERRORS, by="instance", over="3m"), "{{instance}}"),),
            thresholds=((limits.QUEUE_ERRORS, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Queue",
            description="Jobs in the queue, and those put in a second. A queue that does not empty between the waves "
            "has too few workers.",
            unit="short",
            width=8,
            queries=(
                Query(largest(names.WORKER_QUEUE_JOBS), "in the queue"),
                Query(rate(names.WORKER_ENQUEUED), "put in, a second"),
            ),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid=uids.WORKERS,
    title="sessioncache / Workers",
    description="Lag of every job, last success, how runs end, and what stands in their way",
    rows=(GLANCE, LAG, RUNS, WORK, PACE, TROUBLE),
    probe=names.WORKER_CAPACITY.name,
    namespaces=names.NAMESPACE_SESSIONS.name,
)
