"""What a session costs: memory, server time and network, and what sealing saves of it."""

from __future__ import annotations

from grafana.source import uids
from grafana.source.dashboard import Dashboard, Row
from grafana.source.panels import GOOD, Lines, Number, Query, Table
from grafana.source.promql import largest, of, of_namespaces, rate, rate_of_all
from sessioncache.metrics import names

BY = "namespace"
NAMED = "{{namespace}}"
ALL_SESSIONS = f'(sum (max by (namespace) ({names.NAMESPACE_SESSIONS.name}{{job=~"$job"}})) > 0)'
SESSIONS = f"({of_namespaces(names.NAMESPACE_SESSIONS)} > 0)"
MESSAGES = f"({of_namespaces(names.NAMESPACE_MESSAGES)} > 0)"
MEMORY = f"sum (max by (job, node) ({of(names.SERVER_MEMORY)}))"
CPU = f"sum ({rate_of_all(names.SERVER_CPU, by='job, node, mode')})"
COMMANDS = f"(sum ({rate_of_all(names.SERVER_COMMANDS, by='job, node')}) > 0)"
CHANGES = f"(sum ({rate_of_all(names.NAMESPACE_CHANGES, by=BY)}) > 0)"
SEALED = of_namespaces(names.NAMESPACE_SEALED)
SEALED_BYTES = of_namespaces(names.NAMESPACE_SEALED_BYTES)
SEALED_FROM = of_namespaces(names.NAMESPACE_SEALED_FROM)
OPEN_BYTES = f"({of_namespaces(names.NAMESPACE_BYTES)} - {SEALED_FROM})"
OPEN = f"({of_namespaces(names.NAMESPACE_MESSAGES)} - {SEALED} > 0)"


def each(metric_part: str, whole: str) -> str:
    """A part for each of a whole, by namespace; nothing where there is none."""
    return f"{metric_part} / ({whole} > 0)"


GLANCE = Row(
    "What a session costs now",
    (
        Number(
            title="Memory",
            description="Memory of the servers for each session of all namespaces: records, messages, indexes, feeds.",
            unit="bytes",
            queries=(Query(f"{MEMORY} / {ALL_SESSIONS}"),),
        ),
        Number(
            title="Memory of a million",
            description="What a million sessions like these would take: the mean, a million times.",
            unit="bytes",
            queries=(Query(f"1000000 * {MEMORY} / {ALL_SESSIONS}"),),
        ),
        Number(
            title="Messages",
            description="Mean of a session.",
            unit="short",
            decimals=1,
            queries=(Query(f"{of_namespaces(names.NAMESPACE_MESSAGES)} / {SESSIONS}"),),
        ),
        Number(
            title="Bytes of a message",
            description="Mean, as it came from the caller.",
            unit="bytes",
            queries=(Query(f"{of_namespaces(names.NAMESPACE_BYTES)} / {MESSAGES}"),),
        ),
        Number(
            title="Server time of a write",
            description="CPU time of the servers for each change that was published. Reads are in it too, so a fleet "
            "that reads much pays more for each write.",
            unit="s",
            queries=(Query(f"{CPU} / {CHANGES}"),),
        ),
        Number(
            title="Saved by sealing",
            description="Of the bytes that sealed messages would take otherwise.",
            unit="percentunit",
            decimals=0,
            queries=(Query(f"1 - {SEALED_BYTES} / ({SEALED_FROM} > 0)"),),
            base="text",
        ),
    ),
)

MEMORY_ROW = Row(
    "Memory",
    (
        Lines(
            title="Memory for a session",
            description="Memory of the servers for each session of all namespaces, beside the bytes of its messages as "
            "they came. Below them, sealing pays; far above them, sessions are small, and records, indexes and feeds "
            "are most of it.",
            unit="bytes",
            queries=(
                Query(f"{MEMORY} / {ALL_SESSIONS}", "memory"),
                Query(f"{of_namespaces(names.NAMESPACE_BYTES)} / {SESSIONS}", "bytes of messages"),
            ),
            colours={"memory": "blue", "bytes of messages": "text"},
        ),
        Lines(
            title="Messages for a session",
            description="Mean, by namespace.",
            unit="short",
            decimals=1,
            queries=(
                Query(each(largest(names.NAMESPACE_MESSAGES, by=BY), largest(names.NAMESPACE_SESSIONS, by=BY)), NAMED),
            ),
        ),
    ),
)

SEALING = Row(
    "Sealed and not",
    (
        Lines(
            title="Bytes of a message",
            description="Mean of those that are not sealed; of those that are, before and after. The distance between "
            "the last two is what sealing saves.",
            unit="bytes",
            width=8,
            queries=(
                Query(f"{OPEN_BYTES} / {OPEN}", "not sealed"),
                Query(f"{SEALED_FROM} / ({SEALED} > 0)", "sealed, before"),
                Query(f"{SEALED_BYTES} / ({SEALED} > 0)", "sealed, after"),
            ),
            colours={"not sealed": "text", "sealed, before": "blue", "sealed, after": GOOD},
        ),
        Lines(
            title="Bytes, sealed and not",
            description="Where the bytes of messages lie: not sealed, sealed as they are stored, and what sealing "
            "saved.",
            unit="bytes",
            width=8,
            queries=(
                Query(OPEN_BYTES, "not sealed"),
                Query(SEALED_BYTES, "sealed"),
                Query(f"{SEALED_FROM} - {SEALED_BYTES}", "saved"),
            ),
            stacked=True,
            colours={"not sealed": "text", "sealed": "blue", "saved": GOOD},
        ),
        Lines(
            title="What is left of sealed bytes",
            description="Size after sealing, of the size before, by namespace. A rise: the dictionary no longer fits "
            "what is written now.",
            unit="percentunit",
            width=8,
            queries=(
                Query(
                    each(largest(names.NAMESPACE_SEALED_BYTES, by=BY), largest(names.NAMESPACE_SEALED_FROM, by=BY)),
                    NAMED,
                ),
            ),
            top=1,
        ),
    ),
)

TIME = Row(
    "Server time and network",
    (
        Lines(
            title="Server time",
            description="CPU time of the servers for each change published, and for each command. An ordinary append "
            "is about 50 µs.",
            unit="s",
            width=8,
            queries=(Query(f"{CPU} / {CHANGES}", "of a change"), Query(f"{CPU} / {COMMANDS}", "of a command")),
            colours={"of a change": "blue", "of a command": "text"},
        ),
        Lines(
            title="Server time of a thousand sessions",
            description="CPU seconds a second for a thousand live sessions: at 1 a core is full.",
            unit="none",
            decimals=3,
            width=8,
            queries=(Query(f"1000 * {CPU} / {ALL_SESSIONS}", "all"),),
        ),
        Lines(
            title="Bytes of a call",
            description="Mean of arguments and answer, by kind of call. Large answers of a kind point at readers that "
            "take whole transcripts where the last messages would do.",
            unit="bytes",
            width=8,
            queries=(
                Query(
                    f"({rate(names.CALL_SENT, by='call')} + {rate(names.CALL_RECEIVED, by='call')})"
                    f" / ({rate(names.CALLS, by='call')} > 0)",
                    "{{call}}",
                ),
            ),
        ),
    ),
)

EACH = Row(
    "By namespace",
    (
        Table(
            title="Namespaces",
            description="What a session of each namespace is made of, and what sealing leaves of it.",
            unit="short",
            height=9,
            label="namespace",
            queries=(
                Query(largest(names.NAMESPACE_SESSIONS, by=BY), "sessions"),
                Query(
                    each(largest(names.NAMESPACE_MESSAGES, by=BY), largest(names.NAMESPACE_SESSIONS, by=BY)),
                    "messages a session",
                ),
                Query(
                    each(largest(names.NAMESPACE_BYTES, by=BY), largest(names.NAMESPACE_SESSIONS, by=BY)),
                    "bytes a session",
                    "bytes",
                ),
                Query(
                    each(largest(names.NAMESPACE_BYTES, by=BY), largest(names.NAMESPACE_MESSAGES, by=BY)),
                    "bytes a message",
                    "bytes",
                ),
                Query(
                    each(largest(names.NAMESPACE_SEALED, by=BY), largest(names.NAMESPACE_MESSAGES, by=BY)),
                    "sealed",
                    "percentunit",
                ),
                Query(
                    each(largest(names.NAMESPACE_SEALED_BYTES, by=BY), largest(names.NAMESPACE_SEALED_FROM, by=BY)),
                    "left of sealed",
                    "percentunit",
                ),
                Query(
                    each(
                        rate_of_all(names.NAMESPACE_CHANGES, by=BY, over="1h") + " * 3600",
                        largest(names.NAMESPACE_SESSIONS, by=BY),
                    ),
                    "changes a session in an hour",
                ),
            ),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid=uids.COST,
    title="sessioncache / Session cost",
    description="Memory, server time and network for a session, sealed and not",
    rows=(GLANCE, MEMORY_ROW, SEALING, TIME, EACH),
    probe=names.NAMESPACE_SESSIONS.name,
    namespaces=names.NAMESPACE_SESSIONS.name,
)
