"""Token usage: an append-only log of a session, a line a model call, and its sums by model."""

from sessioncache.usage.models import (
    CompactionEvent,
    SessionUsage,
    UsageAppended,
    UsageBucket,
    UsageEntry,
    UsagePage,
    UsageRound,
    UsageSums,
)

__all__ = [
    "CompactionEvent",
    "SessionUsage",
    "UsageAppended",
    "UsageBucket",
    "UsageEntry",
    "UsagePage",
    "UsageRound",
    "UsageSums",
]
