"""Background work as plain functions: `run(cache, shard, limit=…) -> Report`, one module a job.

The rule of this package: a job works on one shard, in batches, and can be stopped, repeated or run twice at any point
without harm. Who runs it, and when, is for others to say: the workers do it on a schedule, the command line by hand.
"""

from sessioncache.maintenance.batch import BATCH, LEASE_TTL_MS, Progress, RunOptions
from sessioncache.maintenance.jobs import JOBS, Job, Run
from sessioncache.maintenance.report import Report

__all__ = ["BATCH", "JOBS", "LEASE_TTL_MS", "Job", "Progress", "Report", "Run", "RunOptions"]
