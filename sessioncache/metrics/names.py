"""Every metric: its name, type, labels, help and buckets.

The rule of this module: a metric exists here or it does not exist. Names begin with `sessioncache_` and end in a base
unit; labels come from `LABELS` and take few values: no session, user, message or address is ever one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sessioncache import errors
from sessioncache.types import JOB_NAMES
from sessioncache.wire.keys import ROOMS

__all__ = ["FINDINGS", "JOB_NAMES", "LABELS", "METRICS", "RUN_OUTCOMES", "Label", "Metric"]

FINDINGS: Final = {
    "expired": "sessions removed after their deadline",
    "vanished": "sessions that the server had expired by itself; their index entries were removed",
    "kept": "sessions that were extended, or written to, before they were removed",
    "archived": "sessions written to the archive before they expire",
    "unarchived": "overdue sessions that stay until they are archived",
    "evicted": "live sessions removed to make room in a full server",
    "pinned": "sessions that stay in a full server because they are pinned",
    "leased": "sessions that stay in a full server because somebody holds their lease",
    "memory_bytes": "bytes of memory that a full server got back",
    "trimmed": "transcripts that lost their oldest messages",
    "messages": "messages removed",
    "bytes": "bytes of messages removed",
    "by-updated": "entries of the listing index set right",
    "by-user": "entries of the list by user set right",
    "deadlines": "entries of the list of deadlines set right",
    "links": "rows of the links put back or removed",
    "summarised": "transcripts whose head became a summary",
    "summarised_messages": "messages that became part of a summary",
    "summariser_failed": "summaries that failed: an error, the time limit, or an answer that is none",
    "leftovers": "tombstones, parts of imports and leases that would never have expired",
    "dictionaries": "dictionaries removed, because no sealed message needed them",
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

RUN_OUTCOMES: Final = (
    *("done", "partial", "skipped", "lost", "retried", "failed", "timed_out", "cancelled", "unknown"),
)
"""How a run of a job ends: all done; the limit reached; somebody else had the shard; the lease was taken over; the
server was away and the run is repeated; an error; out of time, and goes on later; stopped with its worker; handed back,
for a newer release has put it in."""

CALL_OUTCOMES: Final = (
    "ok",
    "failed",
    "repeated",
    "created",
    "stored",
    "incoming",
    "saved",
    "appended",
    "written",
    "changed",
    "unchanged",
    "unknown",
    "staged_anew",
)
"""What comes of a call: ok where there is nothing more to tell, or what the write did."""

ERROR_CODES: Final = frozenset(
    kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SessionCacheError)
)
"""Of every error class."""

CONFLICTS: Final = frozenset({"conflict", "version_conflict", "session_gone", "lease_lost", "lease_not_acquired"})
"""Errors which say that somebody else was first."""

OTHER: Final = "other"
"""What a label says instead of a value that is not declared."""


@dataclass(frozen=True, slots=True)
class Label:
    """What may stand in a label."""

    about: str
    values: frozenset[str] | None = None
    """All of them, besides `other`; None: they are known when a process starts, and a hook shows `most` at most."""
    most: int = 0


LABELS: Final = {
    "call": Label("`<noun>.<verb>`, such as `transcripts.append`", most=256),
    "error": Label("`code` of an error class, or `none`", ERROR_CODES | {"none"}),
    "outcome": Label(
        "what came of it: a small fixed set for each metric",
        frozenset({*CALL_OUTCOMES, *RUN_OUTCOMES, "hit", "miss"}),
    ),
    "task": Label("a background job; Prometheus has another use for the label `job`", frozenset(JOB_NAMES)),
    "finding": Label("what a job found or did: a key of `FINDINGS`", frozenset(FINDINGS)),
    "namespace": Label("one of the namespaces that this process was started for", most=1_000),
    "room": Label("what sessions have beside their messages", frozenset(ROOMS)),
    "access": Label("read or write", frozenset({"read", "write"})),
    "node": Label(
        "number of a primary, in the order of their first slots; `queue` where that is elsewhere", most=1_001
    ),
    "level": Label("of a watermark: high or low", frozenset({"high", "low"})),
    "mode": Label("of CPU time: user or system", frozenset({"user", "system"})),
    "direction": Label("in or out, as what is measured sees it", frozenset({"in", "out"})),
    "file": Label("what keeps the data: aof or rdb", frozenset({"aof", "rdb"})),
    "product": Label("Redis or Valkey", frozenset({"Redis", "Valkey"})),
    "role": Label("primary or replica", frozenset({"primary", "replica"})),
    "policy": Label(
        "maxmemory-policy of a server",
        frozenset(
            {"noeviction"}
            | {f"{keys}-{way}" for keys in ("allkeys", "volatile") for way in ("lru", "lfu", "random")}
            | {"volatile-ttl"}
        ),
    ),
    "version": Label("release: of this library, or of a server", most=100),
    "python": Label("release of Python", most=1),
    "driver": Label("release of redis-py", most=1),
    "schema": Label("version of what is stored", most=1),
}
"""Every label."""

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


def _counter(name: str, about: str, *labels: str) -> Metric:
    return Metric(f"sessioncache_{name}_total", "counter", about, labels)


def _gauge(name: str, about: str, *labels: str) -> Metric:
    return Metric(f"sessioncache_{name}", "gauge", about, labels)


def _histogram(name: str, about: str, *labels: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(f"sessioncache_{name}", "histogram", about, labels, buckets)


BUILD_INFO: Final = _gauge("build_info", "Always 1: what this process runs.", "version", "python", "driver", "schema")

# Of every process with a hook: agents, workers.

CALL_DURATION: Final = _histogram(
    "call_duration_seconds",
    "How long calls took, attempts and the waiting between them included.",
    "call",
    buckets=CALL_BUCKETS,
)
CALLS: Final = _counter(
    "calls",
    "Calls that have ended; outcome is ok or what the write did, or failed, and then error says why.",
    "call",
    "outcome",
    "error",
)
CALL_RETRIES: Final = _counter("call_retries", "Attempts that failed and were repeated.", "call", "error")
CALL_REPEATS: Final = _counter(
    "call_repeats", "Writes whose operation id had been seen before: answered with the first reply, done once.", "call"
)
CALL_CONFLICTS: Final = _counter(
    "call_conflicts", "Calls that were refused because somebody else was first, or has the lease.", "call", "error"
)
CALL_SENT: Final = _counter("call_sent_bytes", "Bytes of arguments sent, keys not counted.", "call")
CALL_RECEIVED: Final = _counter("call_received_bytes", "Bytes of answers, protocol not counted.", "call")
MERGES: Final = _counter(
    "sessions_merges",
    "Runtime saves by whose authoritative group won: stored, incoming, or created where there was none.",
    "outcome",
)

# Of every process that shows its caches (CacheMetrics).

CALLS_IN_PROGRESS: Final = _gauge(
    "calls_in_progress", "Calls on their way, attempts and the waiting between them included.", "access"
)
CONNECTIONS: Final = _gauge("connection_open_connections", "Shared connections that are open.")
CONNECTIONS_OPENED: Final = _counter(
    "connection_opened", "Shared connections that were made; reconnects are all but the first."
)
CONNECTIONS_LOST: Final = _counter(
    "connection_lost", "Shared connections that broke, or were given up because the server was silent."
)
COMMANDS_IN_FLIGHT: Final = _gauge("connection_in_flight_commands", "Commands sent whose answers have not come.")
COMMANDS_WINDOW: Final = _gauge(
    "connection_window_commands", "Most commands that may be in flight, over the connections that are open."
)
COMMANDS_WAITING: Final = _gauge("connection_waiting_commands", "Commands that wait for room in that window.")
CONNECTION_SENT: Final = _counter("connection_sent_bytes", "Bytes written to shared connections.")
CONNECTION_RECEIVED: Final = _counter("connection_received_bytes", "Bytes read from shared connections.")
FEED_GAPS: Final = _counter(
    "feed_gaps", "Gaps that subscribers were told of: changes that were lost before they were read."
)
FEED_CHANGES: Final = _counter("feed_delivered_changes", "Changes that subscribers were given.")
NEAR_READS: Final = _counter(
    "near_reads",
    "Reads that the near-cache was asked for: hit was answered from memory, miss by the server.",
    "outcome",
)
NEAR_DROPPED: Final = _counter(
    "near_dropped_values", "What the near-cache dropped because it had changed, or a connection was lost."
)
NEAR_VALUES: Final = _gauge("near_kept_values", "Records and tails in the near-cache.")
NEAR_BYTES: Final = _gauge("near_size_bytes", "Bytes that they take.")
NEAR_BYTES_MAX: Final = _gauge("near_max_bytes", "Bytes that they may take.")

# Of workers.

WORKER_RUNS: Final = _counter("worker_runs", "Runs of background jobs over one shard.", "task", "outcome")
WORKER_RUN_DURATION: Final = _histogram(
    "worker_run_duration_seconds", "How long runs took.", "task", buckets=RUN_BUCKETS
)
WORKER_RUNS_IN_PROGRESS: Final = _gauge("worker_runs_in_progress", "Runs going on in this process.", "task")
WORKER_CAPACITY: Final = _gauge("worker_capacity_jobs", "Most shard jobs at a time in this process.")
WORKER_EXAMINED: Final = _counter("worker_examined_sessions", "Sessions that background jobs looked at.", "task")
WORKER_CHANGED: Final = _counter("worker_changes", "Sessions, lists and totals that background jobs changed.", "task")
WORKER_FINDINGS: Final = _counter("worker_findings", "What background jobs found and did.", "task", "finding")
WORKER_RECLAIMED: Final = _counter(
    "worker_reclaimed_bytes", "Bytes of messages that background jobs removed, or saved by compressing.", "task"
)
WORKER_SEALING: Final = _counter(
    "worker_sealing_bytes", "Bytes of messages that went into compressing, and what came out.", "direction"
)
WORKER_BATCHES: Final = _counter("worker_batches", "Batches of background jobs.", "task")
WORKER_BATCH_SIZE: Final = _gauge(
    "worker_batch_sessions", "Sessions in a batch now: it follows the server's latency.", "task"
)
WORKER_PAUSE: Final = _gauge("worker_pause_seconds", "Pause between two batches now, likewise.", "task")
WORKER_LAST_SUCCESS: Final = _gauge(
    "worker_last_success_timestamp_seconds", "When a run in this process last ended well; take max.", "task"
)
WORKER_OLDEST_DUE: Final = _gauge(
    "worker_oldest_due_seconds",
    "For how long the oldest work of its kind has been due and is not done, 0 where none is; one worker at a time "
    "says it, so take max.",
    "task",
    "namespace",
)
WORKER_LEASES_LOST: Final = _counter(
    "worker_leases_lost", "Runs that were fenced out because somebody else had taken their shard over.", "task"
)
WORKER_ENQUEUED: Final = _counter("worker_enqueued_jobs", "Shard jobs that this process put into the queue.", "task")
WORKER_QUEUE_JOBS: Final = _gauge(
    "worker_queue_jobs", "Jobs in the queue, waiting or running; one worker at a time says it, so take max."
)
WORKER_QUEUE_ERRORS: Final = _counter("worker_queue_errors", "Times that the queue could not be read.")

# Of namespaces, told by workers.

NAMESPACE_SESSIONS: Final = _gauge(
    "namespace_sessions", "Live sessions; every worker says it, so take max.", "namespace"
)
NAMESPACE_MESSAGES: Final = _gauge("namespace_messages", "Messages; every worker says it, so take max.", "namespace")
NAMESPACE_BYTES: Final = _gauge(
    "namespace_size_bytes", "Bytes of messages as they came; every worker says it, so take max.", "namespace"
)
NAMESPACE_SEALED: Final = _gauge(
    "namespace_sealed_messages",
    "Messages that are compressed, as the last pass of reconcile over each shard saw it; take max.",
    "namespace",
)
NAMESPACE_SEALED_BYTES: Final = _gauge(
    "namespace_sealed_bytes", "About how many bytes they take compressed, likewise; take max.", "namespace"
)
NAMESPACE_SEALED_FROM: Final = _gauge(
    "namespace_sealed_from_bytes", "About how many they would take otherwise, likewise; take max.", "namespace"
)
NAMESPACE_ENTRIES: Final = _gauge(
    "namespace_entries", "Entries of rooms: documents, questions, traces, …; take max.", "namespace", "room"
)
NAMESPACE_CHANGES: Final = _counter(
    "namespace_changes", "Changes that were published in the feed, whoever made them; take max.", "namespace"
)
NAMESPACE_FEED: Final = _gauge("namespace_feed_changes", "Changes that the feed still holds; take max.", "namespace")
NAMESPACE_OVERDUE: Final = _gauge(
    "namespace_overdue_sessions",
    "Sessions past their deadline that are not swept yet; every worker says it, so take max.",
    "namespace",
)
NAMESPACE_LAG: Final = _gauge(
    "namespace_overdue_seconds",
    "For how long the oldest of them has been overdue, 0 where none is; take max.",
    "namespace",
)
NAMESPACE_TORN: Final = _gauge(
    "namespace_torn_sessions",
    "Sessions whose record disagrees with their transcript or a room, as the last pass of reconcile over each shard "
    "saw it; take max.",
    "namespace",
)
NAMESPACE_CHECKED: Final = _gauge(
    "namespace_checked_timestamp_seconds",
    "When every shard had been passed over by reconcile since, 0 where one never was; take max.",
    "namespace",
)

# Of servers, told by workers.

SERVER_UP: Final = _gauge("server_up", "Whether the primary answered the last question; take max.", "node")
SERVER_INFO: Final = _gauge(
    "server_info", "Always 1: what the primary runs.", "node", "product", "version", "role", "policy"
)
SERVER_RESPONSE: Final = _gauge("server_response_seconds", "How long INFO took, there and back.", "node")
SERVER_UPTIME: Final = _gauge("server_uptime_seconds", "Since the server was started; take max.", "node")
SERVER_MEMORY: Final = _gauge("server_memory_used_bytes", "Memory in use; take max.", "node")
SERVER_MEMORY_RSS: Final = _gauge("server_memory_resident_bytes", "Memory that the system gave it; take max.", "node")
SERVER_MEMORY_MAX: Final = _gauge(
    "server_memory_max_bytes", "Its maxmemory, absent where none is set; take max.", "node"
)
SERVER_WATERMARK: Final = _gauge(
    "server_memory_watermark_bytes",
    "Above the high one workers remove whole sessions, down to the low one; absent without maxmemory; take max.",
    "node",
    "level",
)
SERVER_KEYS: Final = _gauge("server_keys", "Keys of all databases; take max.", "node")
SERVER_EVICTED: Final = _counter(
    "server_evicted_keys", "Keys that the server evicted: each tears a session; take max.", "node"
)
SERVER_EXPIRED: Final = _counter("server_expired_keys", "Keys that the server expired; take max.", "node")
SERVER_DENIED: Final = _counter(
    "server_denied_commands", "Commands and scripts that were refused because memory was full; take max.", "node"
)
SERVER_CLIENTS: Final = _gauge("server_clients", "Connected clients; take max.", "node")
SERVER_CLIENTS_MAX: Final = _gauge("server_max_clients", "Most clients that it takes; take max.", "node")
SERVER_CLIENTS_BLOCKED: Final = _gauge(
    "server_blocked_clients", "Clients that wait in a blocking command; take max.", "node"
)
SERVER_CLIENTS_REJECTED: Final = _counter(
    "server_rejected_connections", "Connections beyond that limit; take max.", "node"
)
SERVER_REPLICAS: Final = _gauge("server_replicas", "Replicas that are online; take max.", "node")
SERVER_REPLICA_LAG: Final = _gauge(
    "server_replication_lag_seconds",
    "Since the slowest replica last said what it has; absent without one; take max.",
    "node",
)
SERVER_REPLICA_BEHIND: Final = _gauge(
    "server_replication_behind_bytes",
    "What the slowest replica has not confirmed; absent without one; take max.",
    "node",
)
SERVER_CPU: Final = _counter("server_cpu_seconds", "CPU time of the server; take max.", "node", "mode")
SERVER_COMMANDS: Final = _counter("server_commands", "Commands that the server ran; take max.", "node")
SERVER_NETWORK: Final = _counter(
    "server_network_bytes", "Bytes that the server read and wrote; take max.", "node", "direction"
)
SERVER_PERSISTENCE: Final = _gauge(
    "server_persistence_ok",
    "Whether the last write of the file went well; absent where it is off; take min.",
    "node",
    "file",
)
SERVER_LAST_SAVE: Final = _gauge(
    "server_last_save_timestamp_seconds", "When an RDB file was last written well; take max.", "node"
)

METRICS: Final[tuple[Metric, ...]] = tuple(metric for metric in list(globals().values()) if isinstance(metric, Metric))
"""All of them."""
