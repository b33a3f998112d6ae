"""What is stored: how much, how it grows, what a session takes, and whether it is whole."""

from __future__ import annotations

from grafana.source import limits, uids
from grafana.source.dashboard import Dashboard, Row
from grafana.source.panels import BAD, WARN, Lines, Number, Query, Table
from grafana.source.promql import increase, largest, of, of_namespaces, rate_of_all, share
from sessioncache.metrics import names

BY = "namespace"
NAMED = "{{namespace}}"
REPAIRED = 'finding=~"by-updated|by-user|deadlines|links|adopted|totals|misplaced|torn|unsettled"'
SESSIONS = largest(names.NAMESPACE_SESSIONS, by=BY)
MEMORY = f"sum (max by (job, node) ({of(names.SERVER_MEMORY)}))"
CHECKED = f"time() - min ({largest(names.NAMESPACE_CHECKED, by=BY)} > 0)"


def per_session(part: str) -> str:
    """A number for each session of a namespace; nothing where there are none."""
    return f"{part} / ({SESSIONS} > 0)"


GLANCE = Row(
    "At a glance",
    (
        Number(
            title="Sessions",
            description="Live sessions of the namespaces chosen above.",
            unit="short",
            width=3,
            queries=(Query(of_namespaces(names.NAMESPACE_SESSIONS)),),
        ),
        Number(
            title="Messages",
            description="Messages, sealed ones included.",
            unit="short",
            width=3,
            queries=(Query(of_namespaces(names.NAMESPACE_MESSAGES)),),
        ),
        Number(
            title="Bytes of messages",
            description="As they came from the callers; sealed ones take less in memory.",
            unit="bytes",
            width=3,
            queries=(Query(of_namespaces(names.NAMESPACE_BYTES)),),
        ),
        Number(
            title="Memory for a session",
            description="Memory of the servers, divided by the sessions of all namespaces: indexes, feeds and whatever "
            "else lies there included.",
            unit="bytes",
            width=3,
            queries=(
                Query(f'{MEMORY} / (sum (max by (namespace) ({names.NAMESPACE_SESSIONS.name}{{job=~"$job"}})) > 0)'),
            ),
            goto=uids.COST,
        ),
        Number(
            title="Sealed",
            description="Share of messages that are compressed, as reconcile saw it last.",
            unit="percentunit",
            width=3,
            decimals=0,
            queries=(Query(share(of_namespaces(names.NAMESPACE_SEALED), of_namespaces(names.NAMESPACE_MESSAGES))),),
            base="text",
            goto=uids.COST,
        ),
        Number(
            title="Overdue",
            description="Sessions past their deadline that are not swept yet. Readers do not see them. Near 0 is "
            "right.",
            unit="short",
            width=3,
            queries=(Query(of_namespaces(names.NAMESPACE_OVERDUE)),),
            thresholds=((1_000, WARN),),
            goto=uids.WORKERS,
        ),
        Number(
            title="Torn",
            description="Sessions whose record disagrees with their messages: something evicted or removed a part. "
            "0 is right.",
            unit="short",
            width=3,
            queries=(Query(of_namespaces(names.NAMESPACE_TORN)),),
            thresholds=((1, BAD),),
        ),
        Number(
            title="Last full check",
            description="Since when every shard has been compared by reconcile; of the namespace that waits longest. "
            "Empty until the first pass is complete.",
            unit="s",
            width=3,
            queries=(Query(CHECKED),),
            thresholds=((limits.SUCCESS_AGE_S["reconcile"], WARN),),
        ),
    ),
)

GROWTH = Row(
    "Growth",
    (
        Lines(
            title="Sessions",
            description="Live sessions, by namespace.",
            unit="short",
            width=8,
            queries=(Query(SESSIONS, NAMED),),
            stacked=True,
        ),
        Lines(
            title="Sessions gained in an hour",
            description="New ones less those that ended. Above 0 for days: the time to live does not keep up with what "
            "comes.",
            unit="short",
            width=8,
            queries=(Query(f"max by (namespace) (delta({of(names.NAMESPACE_SESSIONS)}[1h]))", NAMED),),
        ),
        Lines(
            title="Changes",
            description="Changes a second in the feed: every write of a session is one, whoever made it.",
            unit="wps",
            width=8,
            queries=(Query(rate_of_all(names.NAMESPACE_CHANGES, by=BY), NAMED),),
        ),
        Lines(
            title="Messages",
            description="Messages, by namespace.",
            unit="short",
            width=8,
            queries=(Query(largest(names.NAMESPACE_MESSAGES, by=BY), NAMED),),
            stacked=True,
        ),
        Lines(
            title="Bytes of messages",
            description="As they came from the callers.",
            unit="bytes",
            width=8,
            queries=(Query(largest(names.NAMESPACE_BYTES, by=BY), NAMED),),
            stacked=True,
        ),
        Lines(
            title="Entries of rooms",
            description="What sessions have beside messages: documents, questions, traces and so on.",
            unit="short",
            width=8,
            queries=(Query(f"sum by (room) ({largest(names.NAMESPACE_ENTRIES, by='namespace, room')})", "{{room}}"),),
            stacked=True,
        ),
    ),
)

SIZE = Row(
    "Size of a session",
    (
        Lines(
            title="Messages for a session",
            description="Mean, by namespace. A steady rise: sessions live longer, or nothing trims them.",
            unit="short",
            decimals=1,
            width=8,
            queries=(Query(per_session(largest(names.NAMESPACE_MESSAGES, by=BY)), NAMED),),
        ),
        Lines(
            title="Bytes of messages for a session",
            description="Mean, by namespace, as they came.",
            unit="bytes",
            width=8,
            queries=(Query(per_session(largest(names.NAMESPACE_BYTES, by=BY)), NAMED),),
        ),
        Lines(
            title="Sealed share of messages",
            description="Compressed messages, of all. It follows idle sessions; workers seal every few minutes.",
            unit="percentunit",
            width=8,
            queries=(
                Query(
                    f"{largest(names.NAMESPACE_SEALED, by=BY)} / ({largest(names.NAMESPACE_MESSAGES, by=BY)} > 0)",
                    NAMED,
                ),
            ),
            top=1,
        ),
    ),
)

INTEGRITY = Row(
    "Integrity",
    (
        Lines(
            title="Torn sessions",
            description="By namespace, as reconcile saw it last. 0 is right; anything else is an alert.",
            unit="short",
            width=8,
            queries=(Query(largest(names.NAMESPACE_TORN, by=BY), NAMED),),
            thresholds=((1, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Overdue sessions",
            description="Past their deadline and not swept yet, by namespace.",
            unit="short",
            width=8,
            queries=(Query(largest(names.NAMESPACE_OVERDUE, by=BY), NAMED),),
        ),
        Lines(
            title="Repairs and findings in an hour",
            description="Lists, links and totals that reconcile set right, and what it only reports (torn, misplaced, "
            "unsettled). A failover explains one wave.",
            unit="short",
            width=8,
            queries=(Query(increase(names.WORKER_FINDINGS, REPAIRED, by="finding", over="1h"), "{{finding}}"),),
            colours={"torn": BAD, "misplaced": WARN},
        ),
        Table(
            title="Namespaces",
            description="Each namespace as workers told it last.",
            unit="short",
            height=9,
            label="namespace",
            queries=(
                Query(SESSIONS, "sessions"),
                Query(largest(names.NAMESPACE_MESSAGES, by=BY), "messages"),
                Query(largest(names.NAMESPACE_BYTES, by=BY), "bytes", "bytes"),
                Query(per_session(largest(names.NAMESPACE_MESSAGES, by=BY)), "messages a session"),
                Query(per_session(largest(names.NAMESPACE_BYTES, by=BY)), "bytes a session", "bytes"),
                Query(largest(names.NAMESPACE_OVERDUE, by=BY), "overdue"),
                Query(largest(names.NAMESPACE_LAG, by=BY), "oldest overdue", "s"),
                Query(largest(names.NAMESPACE_TORN, by=BY), "torn"),
                Query(largest(names.NAMESPACE_FEED, by=BY), "changes held"),
            ),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid=uids.DATA,
    title="sessioncache / Data",
    description="Sessions, growth, size of a session, and whether they are whole",
    rows=(GLANCE, GROWTH, SIZE, INTEGRITY),
    probe=names.NAMESPACE_SESSIONS.name,
    namespaces=names.NAMESPACE_SESSIONS.name,
)
