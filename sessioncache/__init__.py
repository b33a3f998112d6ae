"""sessioncache: the session store that fleets of AI agents share, on Redis or Valkey."""

from sessioncache.client._async import AsyncSessionCache
from sessioncache.client._sync import SessionCache
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
    SchemaTooNew,
    ScriptFailure,
    SessionCacheError,
    SessionGone,
    SessionTorn,
    VersionConflict,
)
from sessioncache.feed import Change
from sessioncache.leases import SessionLease
from sessioncache.retention import RetentionPolicy, SessionRetention
from sessioncache.sessions import Saved, Session, SessionSummary, Updated
from sessioncache.settings import Settings
from sessioncache.stats import NamespaceStats
from sessioncache.telemetry import CallRecord, TelemetryHook
from sessioncache.transcripts import Appended, Entry, Replaced, TranscriptPage
from sessioncache.types import NO_BASE, UNSET, Base, Page

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
