"""The fleet at a glance: how much is asked, what fails, how long it takes, and where callers meet."""

from __future__ import annotations

from grafana.source import limits, uids
from grafana.source.dashboard import Dashboard, Row
from grafana.source.panels import BAD, GOOD, WARN, Heatmap, Lines, Number, Query
from grafana.source.promql import count, increase, quantile, rate, share, total
from sessioncache.metrics import names

FAILED = f'error=~"{limits.FAILED}"'
QUICK = f'call!~"{limits.UPKEEP}"'
CALLS = rate(names.CALLS)
LEFT = f'1 - job:sessioncache_call_failures:ratio_rate3d{{job=~"$job"}} / {1 - limits.AVAILABILITY:.4g}'
IN_TIME = rate(names.CALL_DURATION, QUICK, f'le="{limits.LATENCY_S:g}"', by="job", suffix="_bucket")
HITS = rate(names.NEAR_READS, 'outcome="hit"')
READS = rate(names.NEAR_READS)

GLANCE = Row(
    "At a glance",
    (
        Number(
            title="Calls",
            description="Calls a second, over all processes chosen above. What is usual, only you know.",
            unit="reqps",
            queries=(Query(CALLS),),
        ),
        Number(
            title="Availability",
            description="Share of calls in the time shown that neither the server nor damaged data failed. "
            f"The objective is {limits.AVAILABILITY:.1%}. Conflicts and refused arguments are answers, not failures.",
            unit="percentunit",
            decimals=3,
            queries=(Query(f"1 - {share(increase(names.CALLS, FAILED), increase(names.CALLS))}"),),
            base=BAD,
            thresholds=((0.99, WARN), (limits.AVAILABILITY, GOOD)),
        ),
        Number(
            title="Error budget left",
            description="Of what the objective allows to fail in three days; below 0 it is overspent. The worst job. "
            "Comes from the recording rules in grafana/alerts.",
            unit="percentunit",
            decimals=1,
            queries=(Query(f"min ({LEFT})"),),
            base=BAD,
            thresholds=((0, WARN), (0.5, GOOD)),
        ),
        Number(
            title="p99",
            description=f"99 of 100 calls took at most so long. The objective is {limits.LATENCY_S:g} s for "
            f"{limits.LATENCY:.0%} of them. Calls of background jobs are left out.",
            unit="s",
            queries=(Query(quantile(0.99, names.CALL_DURATION, QUICK)),),
            thresholds=((limits.LATENCY_S / 2, WARN), (limits.LATENCY_S, BAD)),
        ),
        Number(
            title="Processes",
            description="Processes that tell of sessioncache: agents with the hook, and workers.",
            unit="short",
            queries=(Query(count(names.BUILD_INFO)),),
        ),
        Number(
            title="Alerts",
            description="Alerts of sessioncache that are firing now, whatever is chosen above.",
            unit="short",
            queries=(Query('count (ALERTS{alertname=~"Sessioncache.+",alertstate="firing"}) or vector(0)'),),
            thresholds=((1, BAD),),
        ),
    ),
)

RATE = Row(
    "Rate",
    (
        Lines(
            title="Calls by kind",
            description="Calls a second. A kind that suddenly rises tells who has changed.",
            unit="reqps",
            queries=(Query(rate(names.CALLS, by="call"), "{{call}}"),),
        ),
        Lines(
            title="Calls on their way",
            description="Calls that have begun and not ended, attempts and waiting included. Rising while the rate is "
            "even means that answers come slower.",
            unit="short",
            queries=(Query(total(names.CALLS_IN_PROGRESS, by="access"), "{{access}}"),),
        ),
    ),
)

ERRORS = Row(
    "Errors",
    (
        Lines(
            title="Errors by code",
            description="Calls a second that ended in an error, by its code (docs/errors.md says what each means). "
            "Conflicts and leases are everyday; backend_… and data errors are not.",
            unit="reqps",
            queries=(Query(rate(names.CALLS, 'outcome="failed"', by="error"), "{{error}}"),),
        ),
        Lines(
            title="Failures, of all calls",
            description="What counts against availability, as a share of calls. The lines are where the error budget "
            "burns slowly (warning) and fast (critical).",
            unit="percentunit",
            queries=(Query(share(rate(names.CALLS, FAILED, by="job"), rate(names.CALLS, by="job")), "{{job}}"),),
            thresholds=tuple(
                (burn.rate * (1 - limits.AVAILABILITY), colour)
                for burn, colour in ((limits.BURN_RATES[3], WARN), (limits.BURN_RATES[0], BAD))
            ),
            shows_limits=True,
        ),
        Lines(
            title="Retries, for each call",
            description="Attempts that failed and were repeated, by error. Callers see only slowness. Above the line "
            "retries are a load of their own.",
            unit="percentunit",
            queries=(
                Query(f"{rate(names.CALL_RETRIES, by='error')} / on () group_left () {CALLS}", "{{error}}"),
                Query(share(rate(names.CALL_RETRIES), CALLS), "all"),
            ),
            thresholds=((limits.RETRIES_SHARE, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Connections made and lost",
            description="Connections a second that were opened, broke, or were given up since the server was silent. "
            "Both are near 0 in a quiet fleet.",
            unit="cps",
            queries=(
                Query(rate(names.CONNECTIONS_OPENED), "opened"),
                Query(rate(names.CONNECTIONS_LOST), "lost"),
            ),
            colours={"lost": BAD, "opened": GOOD},
        ),
    ),
)

DURATION = Row(
    "Duration",
    (
        Lines(
            title="Duration, percentiles",
            description="How long calls took, attempts and waiting included; those of background jobs are left out. "
            "The line is the objective of 99 %.",
            unit="s",
            queries=tuple(
                Query(quantile(level, names.CALL_DURATION, QUICK), name, exemplars=name == "p99")
                for level, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            colours={"p50": GOOD, "p95": "yellow", "p99": WARN},
            thresholds=((limits.LATENCY_S, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="p99 by kind",
            description="The slowest hundredth of each kind of call: one kind alone points at large sessions or pages, "
            "all at once at the server or the network.",
            unit="s",
            queries=(Query(quantile(0.99, names.CALL_DURATION, by="call"), "{{call}}"),),
        ),
        Heatmap(
            title="Duration, all calls",
            description="How many calls a second took how long. Two bands mean two causes.",
            unit="s",
            queries=(Query(rate(names.CALL_DURATION, by="le", suffix="_bucket"), "{{le}}"),),
        ),
        Lines(
            title="Slow calls, of all",
            description=f"Share of calls that took longer than {limits.LATENCY_S:g} s. The lines are where the latency "
            "budget burns slowly and fast.",
            unit="percentunit",
            queries=(
                Query(
                    f"1 - {IN_TIME} / {rate(names.CALL_DURATION, QUICK, by='job', suffix='_count')}",
                    "{{job}}",
                ),
            ),
            thresholds=tuple(
                (burn.rate * (1 - limits.LATENCY), colour)
                for burn, colour in ((limits.BURN_RATES[3], WARN), (limits.BURN_RATES[0], BAD))
            ),
            shows_limits=True,
        ),
    ),
)

MEETING = Row(
    "Where writers meet",
    (
        Lines(
            title="Merges by who won",
            description="Saves of whole sessions: created where there was none, incoming won, or stored won because it "
            "was newer. Many stored: agents save copies that are out of date.",
            unit="reqps",
            width=8,
            queries=(Query(rate(names.MERGES, by="outcome"), "{{outcome}}"),),
        ),
        Lines(
            title="Conflicts",
            description="Calls that were refused because somebody else was first, or has the lease. The caller reloads "
            "and decides; a steady rise is a loop that does not.",
            unit="reqps",
            width=8,
            queries=(Query(rate(names.CALL_CONFLICTS, by="error"), "{{error}}"),),
        ),
        Lines(
            title="Repeated writes",
            description="Writes that had run already when they were sent again: done once, answered twice. They follow "
            "retries after lost answers.",
            unit="reqps",
            width=8,
            queries=(Query(rate(names.CALL_REPEATS, by="call"), "{{call}}"),),
        ),
    ),
)

CONNECTIONS = Row(
    "Connections",
    (
        Lines(
            title="Commands in flight",
            description="Commands that were sent and not answered, and those that wait for room or for a connection. "
            "Waiting above 0 for long: the server or the network is the narrow place.",
            unit="short",
            width=6,
            queries=(
                Query(total(names.COMMANDS_IN_FLIGHT), "in flight"),
                Query(total(names.COMMANDS_WAITING), "waiting"),
            ),
            colours={"in flight": "blue", "waiting": BAD},
        ),
        Lines(
            title="Window used",
            description="Commands in flight, of the most that there may be on the connections that are open; by job. "
            "At 100 % calls wait for each other.",
            unit="percentunit",
            width=6,
            queries=(
                Query(
                    f"{total(names.COMMANDS_IN_FLIGHT, by='job')} / ({total(names.COMMANDS_WINDOW, by='job')} > 0)",
                    "{{job}}",
                ),
            ),
            thresholds=((0.9, BAD),),
            shows_limits=True,
        ),
        Lines(
            title="Open connections",
            description="Shared ones and those of pools, by job: about one a process and server, where tasks share it.",
            unit="short",
            width=6,
            queries=(Query(total(names.CONNECTIONS, by="job"), "{{job}}"),),
        ),
        Lines(
            title="Bytes",
            description="Arguments sent and answers received, a second, without the protocol around them.",
            unit="Bps",
            width=6,
            queries=(
                Query(rate(names.CALL_SENT), "sent"),
                Query(rate(names.CALL_RECEIVED), "received"),
            ),
            colours={"sent": "blue", "received": "purple"},
        ),
    ),
)

NEAR = Row(
    "Near-cache and feed",
    (
        Lines(
            title="Near-cache hits",
            description="Share of reads that memory answered. Empty where no near-cache is on. Below the line it costs "
            "memory and gives nothing.",
            unit="percentunit",
            width=8,
            queries=(Query(share(HITS, READS), "hits"),),
            base=BAD,
            thresholds=((limits.NEAR_HITS, GOOD),),
            shows_limits=True,
            top=1,
        ),
        Lines(
            title="Near-cache size",
            description="Bytes of all near-caches, against what they may take.",
            unit="bytes",
            width=8,
            queries=(Query(total(names.NEAR_BYTES), "taken"), Query(total(names.NEAR_BYTES_MAX), "may take")),
            colours={"taken": "blue", "may take": "text"},
            dashed=("may take",),
        ),
        Lines(
            title="Near-cache, dropped",
            description="Values a second that were dropped because they had changed, or a connection was lost.",
            unit="cps",
            width=8,
            queries=(Query(rate(names.NEAR_DROPPED), "dropped"),),
        ),
        Lines(
            title="Feed, delivered",
            description="Changes a second that subscribers of these processes were given.",
            unit="cps",
            queries=(Query(rate(names.FEED_CHANGES, by="job"), "{{job}}"),),
        ),
        Lines(
            title="Feed, gaps in an hour",
            description="How often subscribers were told that changes were gone before they had read them. 0 is right; "
            "at the line an alert fires.",
            unit="short",
            queries=(Query(increase(names.FEED_GAPS, by="job", over="1h"), "{{job}}"),),
            thresholds=((limits.FEED_GAPS, BAD),),
            shows_limits=True,
        ),
    ),
)

DASHBOARD = Dashboard(
    uid=uids.FLEET,
    title="sessioncache / Fleet",
    description="Rate, errors and duration of all calls, and where writers meet",
    rows=(GLANCE, RATE, ERRORS, DURATION, MEETING, CONNECTIONS, NEAR),
    probe=names.BUILD_INFO.name,
    namespaces=names.NAMESPACE_SESSIONS.name,
)
