"""The servers: how much of them is used, what waits, what went wrong; as workers see them, without an exporter."""

from __future__ import annotations

from grafana.source import limits, uids
from grafana.source.dashboard import Dashboard, Row
from grafana.source.panels import BAD, GOOD, WARN, Lines, Number, Query, Table
from grafana.source.promql import increase_of_all, largest, of, rate_of_all, smallest
from sessioncache.metrics import names

NODE = "job, node"
NAMED = "{{job}} {{node}}"
USED = f"{largest(names.SERVER_MEMORY, by=NODE)} / {largest(names.SERVER_MEMORY_MAX, by=NODE)}"
UPTIME = largest(names.SERVER_UPTIME, by=NODE)
HIGH = largest(names.SERVER_WATERMARK, 'level="high"')
LOW = largest(names.SERVER_WATERMARK, 'level="low"')

GLANCE = Row(
    "At a glance",
    (
        Number(
            title="Servers",
            description="Whether every primary answers its workers.",
            unit="short",
            width=3,
            queries=(Query(f"min ({largest(names.SERVER_UP, by=NODE)})"),),
            base=BAD,
            thresholds=((1, GOOD),),
            words={"0": "away", "1": "up"},
        ),
        Number(
            title="Memory used",
            description="Of maxmemory, of the fullest server. At 100 % it refuses writes. Empty without maxmemory, "
            "which is worse: then the kernel decides.",
            unit="percentunit",
            width=3,
            decimals=1,
            queries=(Query(f"max ({USED})"),),
            thresholds=((limits.MEMORY_HIGH - 0.1, WARN), (limits.MEMORY_HIGH, BAD)),
        ),
        Number(
            title="Evicted keys",
            description="In the time shown. Each one tears a session: 0 is right, and noeviction keeps it there.",
            unit="short",
            width=3,
            decimals=0,
            queries=(Query(f"sum ({increase_of_all(names.SERVER_EVICTED, by=NODE)})"),),
            thresholds=((1, BAD),),
            goto=uids.DATA,
        ),
        Number(
            title="Refused, full",
            description="Commands that were refused because memory was full, in the time shown. 0 is right.",
            unit="short",
            width=3,
            decimals=0,
            queries=(Query(f"sum ({increase_of_all(names.SERVER_DENIED, by=NODE)})"),),
            thresholds=((1, BAD),),
        ),
        Number(
            title="Replicas",
            description="Online, of the server that has fewest. 0 is right only where none are meant to be.",
            unit="short",
            width=3,
            queries=(Query(f"min ({largest(names.SERVER_REPLICAS, by=NODE)})"),),
            base=WARN,
            thresholds=((1, GOOD),),
        ),
        Number(
            title="Persistence",
            description="Whether the last writes of append-only and RDB files went well. If not, writes are refused, "
            "or a restart loses them.",
            unit="short",
            width=3,
            queries=(Query(smallest(names.SERVER_PERSISTENCE)),),
            base=BAD,
            thresholds=((1, GOOD),),
            words={"0": "failing", "1": "ok"},
        ),
        Number(
            title="CPU",
            description="Of one core, of the busiest server. Scripts run on one core: near 100 % everybody waits.",
            unit="percentunit",
            width=3,
            decimals=0,
            queries=(Query(f"max (sum by ({NODE}) ({rate_of_all(names.SERVER_CPU, by=f'{NODE}, mode')}))"),),
            thresholds=((0.7, WARN), (0.9, BAD)),
        ),
        Number(
            title="Answers in",
            description="How long INFO took, there and back, of the slowest server.",
            unit="s",
            width=3,
            queries=(Query(largest(names.SERVER_RESPONSE)),),
            thresholds=((0.05, WARN), (0.2, BAD)),
        ),
    ),
)

USE = Row(
    "Utilisation",
    (
        Lines(
            title="Memory",
            description="Used, against maxmemory. Watermarks are there where workers were asked for relief: above "
            "the high one they remove whole sessions, oldest first, down to the low one. resident is what the system "
            "gave.",
            unit="bytes",
            queries=(
                Query(largest(names.SERVER_MEMORY, by=NODE), f"{NAMED} used"),
                Query(largest(names.SERVER_MEMORY_RSS, by=NODE), f"{NAMED} resident"),
                Query(largest(names.SERVER_MEMORY_MAX), "maxmemory"),
                Query(HIGH, "high watermark"),
                Query(LOW, "low watermark"),
            ),
            colours={"maxmemory": BAD, "high watermark": WARN, "low watermark": "yellow"},
            dashed=("maxmemory", ".* watermark"),
        ),
        Lines(
            title="Memory, of maxmemory",
            description="By server. The line is where an alert fires: soon writes will be refused.",
            unit="percentunit",
            queries=(Query(USED, NAMED),),
            thresholds=((limits.MEMORY_HIGH, BAD),),
            shows_limits=True,
            top=1,
        ),
        Lines(
            title="CPU",
            description="Of one core, by server. system grows with the number of packets, user with what scripts do.",
            unit="percentunit",
            width=8,
            queries=(Query(rate_of_all(names.SERVER_CPU, by=f"{NODE}, mode"), f"{NAMED} {{{{mode}}}}"),),
            stacked=True,
        ),
        Lines(
            title="Commands",
            description="Commands a second that the server ran, those inside scripts not counted.",
            unit="ops",
            width=8,
            queries=(Query(rate_of_all(names.SERVER_COMMANDS, by=NODE), NAMED),),
        ),
        Lines(
            title="Network",
            description="Bytes a second that the server read (in) and wrote (out).",
            unit="Bps",
            width=8,
            queries=(Query(rate_of_all(names.SERVER_NETWORK, by=f"{NODE}, direction"), f"{NAMED} {{{{direction}}}}"),),
        ),
        Lines(
            title="Clients",
            description="Connected clients, against the most it takes.",
            unit="short",
            queries=(
                Query(largest(names.SERVER_CLIENTS, by=NODE), NAMED),
                Query(largest(names.SERVER_CLIENTS_MAX), "most"),
            ),
            colours={"most": "text"},
            dashed=("most",),
        ),
        Lines(
            title="Keys",
            description="Keys of all databases. It follows the sessions: 3 to 15 keys each.",
            unit="short",
            queries=(Query(largest(names.SERVER_KEYS, by=NODE), NAMED),),
        ),
    ),
)

SATURATION = Row(
    "Saturation",
    (
        Lines(
            title="Answers in",
            description="How long INFO took, there and back, as the slowest worker saw it: server, network and "
            "waiting.",
            unit="s",
            width=8,
            queries=(Query(largest(names.SERVER_RESPONSE, by=NODE), NAMED),),
        ),
        Lines(
            title="Replication, behind",
            description="Since the slowest replica last said what it has. A second is right; empty without replicas.",
            unit="s",
            width=8,
            queries=(Query(largest(names.SERVER_REPLICA_LAG, by=NODE), NAMED),),
            thresholds=((limits.REPLICATION_LAG_S, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Replication, unconfirmed",
            description="Bytes that the slowest replica has not confirmed: so much a failover now would lose.",
            unit="bytes",
            width=8,
            queries=(Query(largest(names.SERVER_REPLICA_BEHIND, by=NODE), NAMED),),
        ),
        Lines(
            title="Blocked clients",
            description="Clients that wait in a blocking command: subscribers of the feed do, and are no trouble.",
            unit="short",
            width=8,
            queries=(Query(largest(names.SERVER_CLIENTS_BLOCKED, by=NODE), NAMED),),
        ),
        Lines(
            title="Fragmentation",
            description="Memory that the system gave, for each byte in use. 1 to 1.5 is right; below 1 the server "
            "swaps. On small servers it is large and says nothing.",
            unit="none",
            decimals=2,
            width=8,
            queries=(
                Query(
                    f"{largest(names.SERVER_MEMORY_RSS, by=NODE)} / {largest(names.SERVER_MEMORY, by=NODE)}",
                    NAMED,
                ),
            ),
        ),
        Lines(
            title="Replicas",
            description="Replicas that are online.",
            unit="short",
            width=8,
            queries=(Query(largest(names.SERVER_REPLICAS, by=NODE), NAMED),),
        ),
    ),
)

ERRORS = Row(
    "Errors",
    (
        Lines(
            title="Evicted and refused",
            description="Keys evicted, commands refused because memory was full, and connections refused because there "
            "were too many; a second. All are 0 on a healthy server.",
            unit="cps",
            queries=(
                Query(rate_of_all(names.SERVER_EVICTED, by=NODE), f"{NAMED} evicted keys"),
                Query(rate_of_all(names.SERVER_DENIED, by=NODE), f"{NAMED} refused commands"),
                Query(rate_of_all(names.SERVER_CLIENTS_REJECTED, by=NODE), f"{NAMED} refused connections"),
            ),
        ),
        Lines(
            title="Expired keys",
            description="Keys a second that the server expired by itself. Workers remove sessions first; many here "
            "mean that they do not.",
            unit="cps",
            queries=(Query(rate_of_all(names.SERVER_EXPIRED, by=NODE), NAMED),),
        ),
        Lines(
            title="Persistence",
            description="1: the last write of the file went well. 0: the disk is full or gone.",
            unit="short",
            queries=(Query(smallest(names.SERVER_PERSISTENCE, by=f"{NODE}, file"), f"{NAMED} {{{{file}}}}"),),
            top=1,
        ),
        Lines(
            title="Since the last RDB file",
            description="How old the newest snapshot is. With an append-only file it matters for backups only.",
            unit="s",
            queries=(Query(f"time() - {largest(names.SERVER_LAST_SAVE, by=NODE)}", NAMED),),
        ),
        Table(
            title="Servers",
            description="What each primary runs. The policy must be noeviction.",
            unit="s",
            height=5,
            label="job,node,product,version,role,policy",
            queries=(
                Query(
                    f"max by (job, node, product, version, role, policy) ({of(names.SERVER_INFO)})"
                    f" * on (job, node) group_left () {UPTIME}",
                    "uptime",
                    "s",
                ),
            ),
        ),
    ),
)

DASHBOARD = Dashboard(
    uid=uids.REDIS,
    title="sessioncache / Redis",
    description="Memory against its limits, CPU, clients, replicas, persistence, evictions: what workers see of the "
    "servers",
    rows=(GLANCE, USE, SATURATION, ERRORS),
    probe=names.SERVER_UP.name,
    namespaces=names.NAMESPACE_SESSIONS.name,
)
