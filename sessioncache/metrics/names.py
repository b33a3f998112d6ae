"""Every metric: its name, type, labels, help and buckets.

The rule of this module: a metric exists here or it does not exist. Names begin with `sessioncache_` and end in a base
unit; labels come from `LABELS` and take few values: no session, user, message or address is ever one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["FINDINGS", "LABELS", "METRICS", "RUN_OUTCOMES", "Metric"]

LABELS: Final = {
    "call": "`<noun>.<verb>`, such as `transcripts.append`",
    "error": "`code` of an error class, or `none`",
    "outcome": "what came of it: a small fixed set for each metric",
    "task": "a background job: expire, prune, reconcile or compact; Prometheus has another use for the label `job`",
    "finding": "what a job found or did: a key of `FINDINGS`",
    "namespace": "one of the namespaces that this process was started for",
}
"""Every label, and what its values are."""

FINDINGS: Final = {
    "expired": "sessions removed after their deadline",
    "vanished": "sessions that the server had expired by itself; their index entries were removed",
    "kept": "sessions that were extended before they were swept",
    "trimmed": "transcripts that lost their oldest messages",
    "messages": "messages removed",
    "bytes": "bytes of messages removed",
    "by-updated": "entries of the listing index set right",
    "by-user": "entries of the list by user set right",
    "deadlines": "entries of the list of deadlines set right",
    "links": "rows of the links put back or removed",
    "sealed": "transcripts of which messages were compressed",
    "sealed_messages": "messages compressed",
    "adopted": "sessions that no list knew",
    "totals": "shards whose totals were set right",
    "policy": "shards whose copy of the retention policy was set right",
    "torn": "sessions whose record disagrees with their transcript or a room; they are left as they are",
    "misplaced": "ids listed in a shard that they do not belong to",
    "unsettled": "shards whose totals could not be compared, because others wrote all the time",
}
"""The keys of `Report.details`: what background jobs find and do."""

RUN_OUTCOMES: Final = ("done", "partial", "skipped", "lost", "retried", "failed", "cancelled")
"""How a run of a job ends: all done; the limit reached; somebody else had the shard; the lease was taken over; the
server was away and the run is repeated; an error; stopped."""

CALL_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
RUN_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    """As Prometheus shows it; the `_total` of a counter included."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, of a histogram."""


CALL_DURATION: Final = Metric(
    "sessioncache_call_duration_seconds",
    "histogram",
    "How long calls took, attempts and the waiting between them included.",
    ("call",),
    CALL_BUCKETS,
)
CALLS: Final = Metric(
    "sessioncache_calls_total",
    "counter",
    "Calls that have ended; outcome is ok or what the write did, or failed, and then error says why.",
    ("call", "outcome", "error"),
)
CALL_RETRIES: Final = Metric(
    "sessioncache_call_retries_total", "counter", "Attempts that failed and were repeated.", ("call", "error")
)
CALL_REPEATS: Final = Metric(
    "sessioncache_call_repeats_total",
    "counter",
    "Writes whose operation id had been seen before: answered with the first reply, done once.",
    ("call",),
)
CALL_SENT: Final = Metric(
    "sessioncache_call_sent_bytes_total", "counter", "Bytes of arguments sent, keys not counted.", ("call",)
)
MERGES: Final = Metric(
    "sessioncache_sessions_merges_total",
    "counter",
    "Runtime saves by whose authoritative group won: stored, incoming, or created where there was none.",
    ("outcome",),
)
NEAR_READS: Final = Metric(
    "sessioncache_near_reads_total",
    "counter",
    "Reads that the near-cache was asked for: hit was answered from memory, miss by the server.",
    ("outcome",),
)
NEAR_DROPPED: Final = Metric(
    "sessioncache_near_dropped_values_total",
    "counter",
    "What the near-cache dropped because it had changed, or a connection was lost.",
)
NEAR_VALUES: Final = Metric("sessioncache_near_kept_values", "gauge", "Records and tails in the near-cache.")
NEAR_BYTES: Final = Metric("sessioncache_near_size_bytes", "gauge", "Bytes that they take.")
WORKER_RUNS: Final = Metric(
    "sessioncache_worker_runs_total", "counter", "Runs of background jobs over one shard.", ("task", "outcome")
)
WORKER_RUN_DURATION: Final = Metric(
    "sessioncache_worker_run_duration_seconds", "histogram", "How long runs took.", ("task",), RUN_BUCKETS
)
WORKER_RUNS_IN_PROGRESS: Final = Metric(
    "sessioncache_worker_runs_in_progress", "gauge", "Runs going on in this process.", ("task",)
)
WORKER_EXAMINED: Final = Metric(
    "sessioncache_worker_examined_sessions_total", "counter", "Sessions that background jobs looked at.", ("task",)
)
WORKER_CHANGED: Final = Metric(
    "sessioncache_worker_changes_total",
    "counter",
    "Sessions, lists and totals that background jobs changed.",
    ("task",),
)
WORKER_FINDINGS: Final = Metric(
    "sessioncache_worker_findings_total", "counter", "What background jobs found and did.", ("task", "finding")
)
WORKER_LAST_SUCCESS: Final = Metric(
    "sessioncache_worker_last_success_timestamp_seconds", "gauge", "When a run last ended well.", ("task",)
)
WORKER_LEASES_LOST: Final = Metric(
    "sessioncache_worker_leases_lost_total",
    "counter",
    "Runs that were fenced out because somebody else had taken their shard over.",
    ("task",),
)
WORKER_ENQUEUED: Final = Metric(
    "sessioncache_worker_enqueued_jobs_total", "counter", "Shard jobs that this process put into the queue.", ("task",)
)
WORKER_QUEUE_ERRORS: Final = Metric(
    "sessioncache_worker_queue_errors_total", "counter", "Times that the queue could not be read."
)
NAMESPACE_SESSIONS: Final = Metric(
    "sessioncache_namespace_sessions", "gauge", "Live sessions; every worker says it, so take max.", ("namespace",)
)
NAMESPACE_MESSAGES: Final = Metric(
    "sessioncache_namespace_messages", "gauge", "Messages; every worker says it, so take max.", ("namespace",)
)
NAMESPACE_BYTES: Final = Metric(
    "sessioncache_namespace_size_bytes",
    "gauge",
    "Bytes of messages as they are stored; every worker says it, so take max.",
    ("namespace",),
)
NAMESPACE_OVERDUE: Final = Metric(
    "sessioncache_namespace_overdue_sessions",
    "gauge",
    "Sessions past their deadline that are not swept yet; every worker says it, so take max.",
    ("namespace",),
)
NAMESPACE_LAG: Final = Metric(
    "sessioncache_namespace_overdue_seconds",
    "gauge",
    "For how long the oldest of them has been overdue, 0 where none is; take max.",
    ("namespace",),
)

METRICS: Final[tuple[Metric, ...]] = (
    CALL_DURATION,
    CALLS,
    CALL_RETRIES,
    CALL_REPEATS,
    CALL_SENT,
    MERGES,
    NEAR_READS,
    NEAR_DROPPED,
    NEAR_VALUES,
    NEAR_BYTES,
    WORKER_RUNS,
    WORKER_RUN_DURATION,
    WORKER_RUNS_IN_PROGRESS,
    WORKER_EXAMINED,
    WORKER_CHANGED,
    WORKER_FINDINGS,
    WORKER_LAST_SUCCESS,
    WORKER_LEASES_LOST,
    WORKER_ENQUEUED,
    WORKER_QUEUE_ERRORS,
    NAMESPACE_SESSIONS,
    NAMESPACE_MESSAGES,
    NAMESPACE_BYTES,
    NAMESPACE_OVERDUE,
    NAMESPACE_LAG,
)
"""All of them."""
