"""sessioncache: the session store that fleets of AI agents share, on Redis or Valkey."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from sessioncache.errors import (
    AccessDenied,
    BackendError,
    BackendFull,
    BackendReadOnly,
    BackendTimeout,
    BackendUnavailable,
    ConfigurationError,
    Conflict,
    DataError,
    DecodeError,
    FeedGap,
    InvalidArgument,
    LeaseError,
    LeaseLost,
    LeaseNotAcquired,
    LimitExceeded,
    NotFound,
    NotReplicated,
    OutcomeUnknown,
    SchemaTooNew,
    ScriptFailure,
    SessionCacheError,
    SessionGone,
    SessionTorn,
    VersionConflict,
)
from sessioncache.types import (
    NO_BASE,
    UNSET,
    Base,
    Page,
)

if TYPE_CHECKING:
    from sessioncache.client._async import (
        AsyncSessionCache,
    )
    from sessioncache.client._sync import (
        SessionCache,
    )
    from sessioncache.feed import (
        Change,
    )
    from sessioncache.leases import (
        SessionLease,
    )
    from sessioncache.retention import (
        RetentionPolicy,
        SessionRetention,
    )
    from sessioncache.sessions import (
        Saved,
        Session,
        SessionSummary,
        Updated,
    )
    from sessioncache.settings import (
        Settings,
    )
    from sessioncache.stats import (
        NamespaceStats,
    )
    from sessioncache.telemetry import (
        CallRecord,
        TelemetryHook,
    )
    from sessioncache.transcripts import (
        Appended,
        Entry,
        Replaced,
        TranscriptPage,
    )

__all__ = [
    "NO_BASE",
    "UNSET",
    "AccessDenied",
    "Appended",
    "AsyncSessionCache",
    "BackendError",
    "BackendFull",
    "BackendReadOnly",
    "BackendTimeout",
    "BackendUnavailable",
    "Base",
    "CallRecord",
    "Change",
    "ConfigurationError",
    "Conflict",
    "DataError",
    "DecodeError",
    "Entry",
    "FeedGap",
    "InvalidArgument",
    "LeaseError",
    "LeaseLost",
    "LeaseNotAcquired",
    "LimitExceeded",
    "NamespaceStats",
    "NotFound",
    "NotReplicated",
    "OutcomeUnknown",
    "Page",
    "Replaced",
    "RetentionPolicy",
    "Saved",
    "SchemaTooNew",
    "ScriptFailure",
    "Session",
    "SessionCache",
    "SessionCacheError",
    "SessionGone",
    "SessionLease",
    "SessionRetention",
    "SessionSummary",
    "SessionTorn",
    "Settings",
    "TelemetryHook",
    "TranscriptPage",
    "Updated",
    "VersionConflict",
]

_HOMES: Final = {
    "Appended": "sessioncache.transcripts",
    "AsyncSessionCache": "sessioncache.client._async",
    "CallRecord": "sessioncache.telemetry",
    "Change": "sessioncache.feed",
    "Entry": "sessioncache.transcripts",
    "NamespaceStats": "sessioncache.stats",
    "Replaced": "sessioncache.transcripts",
    "RetentionPolicy": "sessioncache.retention",
    "Saved": "sessioncache.sessions",
    "Session": "sessioncache.sessions",
    "SessionCache": "sessioncache.client._sync",
    "SessionLease": "sessioncache.leases",
    "SessionRetention": "sessioncache.retention",
    "SessionSummary": "sessioncache.sessions",
    "Settings": "sessioncache.settings",
    "TelemetryHook": "sessioncache.telemetry",
    "TranscriptPage": "sessioncache.transcripts",
    "Updated": "sessioncache.sessions",
}
"""Where the names live that are imported when they are first asked for: async code never loads the sync half, say."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has that name
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sessioncache' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
