"""Alerts about what callers get: failures, slowness, retries, gaps."""

from __future__ import annotations

from collections.abc import Iterator

from grafana.source import limits
from grafana.source.rules import Alert, Group, Record, Rule
from sessioncache.metrics import names

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
FAILED = f'{names.CALLS.name}{{error=~"{limits.FAILED}"}}'
QUICK = f'call!~"{limits.UPKEEP}"'
IN_TIME = f'{names.CALL_DURATION.name}_bucket{{{QUICK},le="{limits.LATENCY_S:g}"}}'
ANSWERED = f"{names.CALL_DURATION.name}_count{{{QUICK}}}"

FAILURES = "job:sessioncache_call_failures:ratio_rate{}"
SLOW = "job:sessioncache_call_slow:ratio_rate{}"


def records() -> Iterator[Rule]:
    """Shares of failed and of slow calls, over every window that alerts and dashboards ask for."""
    for window in WINDOWS:
        every = f"sum by (job) (rate({names.CALLS.name}[{window}]))"
        yield Record(
            FAILURES.format(window),
            f"(sum by (job) (rate({FAILED}[{window}])) or {every} * 0)\n  / ({every} > 0)",
        )
    for window in WINDOWS:
        yield Record(
            SLOW.format(window),
            f"1 - sum by (job) (rate({IN_TIME}[{window}]))\n  / (sum by (job) (rate({ANSWERED}[{window}])) > 0)",
        )


def failed_in(window: str) -> str:
    """How many calls failed."""
    return f"sum by (job) (increase({FAILED}[{window}]))"


def slow_in(window: str) -> str:
    """How many calls were slow."""
    return f"(sum by (job) (increase({ANSWERED}[{window}])) - sum by (job) (increase({IN_TIME}[{window}])))"


def burning(ratio: str, allowed: float, severity: str, counted: str) -> str:
    """Whether either pair of windows of this severity burns the budget too fast, and enough calls speak of it."""
    either = "\n  or\n".join(
        f"  ({ratio.format(burn.long)} > {burn.rate * allowed:.4g}"
        f" and {ratio.format(burn.short)} > {burn.rate * allowed:.4g})"
        for burn in limits.BURN_RATES
        if burn.severity == severity
    )
    return f"(\n{either}\n)\nand on (job) {counted} > {limits.FAILURES_MIN}"


def appeared(series: str, by: str, window: str) -> str:
    """How much a counter has grown, a first value included: a new series has no earlier one to grow from."""
    new = f"{series} unless {series} offset {window}"
    return f"sum by ({by}) (increase({series}[{window}])) > 0\nor\nsum by ({by}) ({new}) > 0"


ERRORS_LEFT, SLOW_LEFT = 1 - limits.AVAILABILITY, 1 - limits.LATENCY

GROUP = Group(
    "sessioncache-calls",
    (
        *records(),
        Alert(
            name="SessioncacheErrorBudgetFastBurn",
            expr=burning(FAILURES, ERRORS_LEFT, "critical", failed_in("1h")),
            wait="2m",
            severity="critical",
            summary="{{ $value | humanizePercentage }} of the calls of job {{ $labels.job }} fail",
            description="At this rate the error budget of a month is gone within hours. Callers get backend or data "
            "errors after all retries.",
            why=f"Availability {limits.AVAILABILITY:.1%}. 14.4 times the budget's rate over 1 h and 5 min, or 6 times "
            f"over 6 h and 30 min; and more than {limits.FAILURES_MIN} failures in an hour, so that one failed call "
            "in a quiet night wakes nobody.",
        ),
        Alert(
            name="SessioncacheErrorBudgetSlowBurn",
            expr=burning(FAILURES, ERRORS_LEFT, "warning", failed_in("1d")),
            wait="15m",
            severity="warning",
            summary="{{ $value | humanizePercentage }} of the calls of job {{ $labels.job }} fail, for hours",
            description="The error budget of a month will not last. Nobody has to get up for it; somebody has to find "
            "the cause.",
            why="3 times the budget's rate over 1 d and 2 h, or once over 3 d and 6 h; and more than "
            f"{limits.FAILURES_MIN} failures in a day.",
        ),
        Alert(
            name="SessioncacheLatencyBudgetFastBurn",
            expr=burning(SLOW, SLOW_LEFT, "critical", slow_in("1h")),
            wait="2m",
            severity="critical",
            summary=f"{{{{ $value | humanizePercentage }}}} of the calls of job {{{{ $labels.job }}}} take longer than "
            f"{limits.LATENCY_S:g} s",
            description="Agents wait at every step. The server, the network or one kind of call has become slow.",
            why=f"{limits.LATENCY:.0%} of calls within {limits.LATENCY_S:g} s, those of background jobs left out; the "
            "same windows and rates as for errors.",
        ),
        Alert(
            name="SessioncacheLatencyBudgetSlowBurn",
            expr=burning(SLOW, SLOW_LEFT, "warning", slow_in("1d")),
            wait="15m",
            severity="warning",
            summary=f"{{{{ $value | humanizePercentage }}}} of the calls of job {{{{ $labels.job }}}} take longer than "
            f"{limits.LATENCY_S:g} s, for hours",
            description="More calls are slow than the objective allows, for long: growth, large sessions, or a busy "
            "server.",
            why="As above, with the slow pairs of windows.",
        ),
        Alert(
            name="SessioncacheRetryStorm",
            expr=f"sum by (job) (rate({names.CALL_RETRIES.name}[5m]))\n"
            f"  / (sum by (job) (rate({names.CALLS.name}[5m])) > 0) > {limits.RETRIES_SHARE}\n"
            f"and on (job) sum by (job) (increase({names.CALL_RETRIES.name}[5m])) > {limits.FAILURES_MIN}",
            wait="5m",
            severity="warning",
            summary="Job {{ $labels.job }} repeats {{ $value | humanizePercentage }} of its calls",
            description="Connections break or time out again and again. Callers do not see errors yet, but waiting; "
            "and every retry is load for a server that may be short of it.",
            why=f"Single lost connections make less than 1 %; {limits.RETRIES_SHARE:.0%} for ten minutes is no "
            "accident. A failover is over sooner.",
        ),
        Alert(
            name="SessioncacheScriptFailures",
            expr=appeared(f'{names.CALLS.name}{{error="script_failure"}}', "job, call", "10m"),
            severity="critical",
            summary="{{ $labels.call }} of job {{ $labels.job }} failed inside its script",
            description="A script met what should not be: a key of a wrong type, or a defect. It is not retried.",
            why="None at all is expected, so the first counts.",
        ),
        Alert(
            name="SessioncacheFeedGaps",
            expr=f"sum by (job) (increase({names.FEED_GAPS.name}[1h])) > {limits.FEED_GAPS}",
            severity="warning",
            summary="Subscribers of job {{ $labels.job }} missed changes {{ $value | humanize }} times in an hour",
            description="Changes were trimmed or lost before they were read. Each subscriber has to reload what it "
            "follows.",
            why=f"A restored backup or a failover gives one gap a subscriber; more than {limits.FEED_GAPS} in an "
            "hour mean that readers are slower than writers.",
        ),
        Alert(
            name="SessioncacheNearCacheUseless",
            expr=f'(sum by (job) (rate({names.NEAR_READS.name}{{outcome="hit"}}[1h])) or '
            f"sum by (job) (rate({names.NEAR_READS.name}[1h])) * 0)\n"
            f"  / (sum by (job) (rate({names.NEAR_READS.name}[1h])) > {limits.NEAR_READS}) < {limits.NEAR_HITS}",
            wait="1h",
            severity="info",
            summary="The near-cache of job {{ $labels.job }} answers {{ $value | humanizePercentage }} of its reads",
            description="It takes memory and tracking on the server, and saves nearly nothing.",
            why=f"Below {limits.NEAR_HITS:.0%} of hits, with more than {limits.NEAR_READS} read a second, for two "
            "hours: long enough for a cache to be warm.",
        ),
    ),
)
