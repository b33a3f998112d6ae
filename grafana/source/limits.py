"""What is still well and what is not: the numbers that alert rules and dashboards share, each with its reason.

The rule of this module: a threshold stands here once, so that a panel turns red where an alert fires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessioncache import errors

__all__ = ["BURN_RATES", "Burn"]

AVAILABILITY: Final = 0.999
"""Share of calls that neither the server nor damaged data may fail: what one Redis with a replica can hold."""

LATENCY: Final = 0.99
"""Share of calls that are answered within `LATENCY_S`."""

LATENCY_S: Final = 0.1
"""An upper bound of `CALL_BUCKETS`. A call takes about 1 ms, so this leaves room for a retry, but not for an outage."""

FAILED: Final = "|".join(
    sorted(
        {
            kind.code
            for kind in vars(errors).values()
            if isinstance(kind, type) and issubclass(kind, errors.BackendError | errors.DataError)
        }
    )
)
"""Errors that count against availability: the server's and the data's. A conflict, a lease that somebody else has, a
limit or a wrong argument is an answer, and a cancelled call is the caller's wish."""

UPKEEP: Final = "upkeep[.].+"
"""Calls of background jobs. They take up to 500 sessions at a time, so the latency of others does not measure them."""


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast an error budget may be used up, over a long window and, so that the alert ends soon, a short one."""

    rate: float
    """Times the rate that uses the budget up in exactly 30 days."""
    long: str
    short: str
    severity: str


BURN_RATES: Final = (
    Burn(14.4, "1h", "5m", "critical"),  # 2 % of a month's budget in an hour
    Burn(6, "6h", "30m", "critical"),  # 5 % in six hours
    Burn(3, "1d", "2h", "warning"),  # 10 % in a day
    Burn(1, "3d", "6h", "warning"),  # 10 % in three days
)
"""The four pairs that the SRE workbook of Google recommends."""

FAILURES_MIN: Final = 10
"""Fewer failed (or slow) calls in the long window wake nobody: in a quiet hour one call is a large share."""

RETRIES_SHARE: Final = 0.1
"""Retries for each call. Single lost connections cost less than 1 %."""

SWEEP_LAG_S: Final = 300
"""Sweeps follow deadlines within seconds; from here on `doctor` speaks of a problem as well."""

WORK_OVERDUE_S: Final = 1_800
"""Since it fell due, whatever its period: where there are enough workers, the queue is worked off within seconds."""

SUCCESS_AGE_S: Final = {"archive": 1_800, "compact": 1_800, "prune": 7_200, "reconcile": 43_200, "collect": 172_800}
"""Twice what may pass between two runs where nothing is written, and half an hour at least. Sweeps run only where
something is due; their lag tells."""

LEASES_LOST: Final = 3
"""In half an hour. One happens where a machine was paused; several mean that workers regularly stand still."""

QUEUE_ERRORS: Final = 5
"""In three minutes. While Redis is away each worker counts one every 5 s."""

RUNS_FAILED: Final = 3
"""In 15 minutes: the same shard's run fails again and again."""

MEMORY_HIGH: Final = 0.9
"""Of maxmemory, and above the mark at which relief begins (85 %), where workers were asked for it."""

REPLICATION_LAG_S: Final = 10
"""Replicas speak every second, and a primary counts one as lost that has not spoken for 10 s
(`min-replicas-max-lag`)."""

FEED_GAPS: Final = 5
"""In an hour: single gaps come from restored backups and failovers."""

REPAIRS: Final = 3
"""Runs in 6 hours that had to set lists or totals right. A failover explains one; this goes on."""

NEAR_HITS: Final = 0.1
"""Share of reads. A near-cache below it takes memory and gives nothing."""

NEAR_READS: Final = 1
"""Reads a second below which a near-cache is not judged."""
