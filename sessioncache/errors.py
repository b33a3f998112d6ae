"""Every exception that sessioncache raises, and the one table from error codes to classes.

The rule of this module: a caller decides by class, a dashboard by `code`, a retry by `retryable`; nobody parses a
message.

```
SessionCacheError                    .code (stable) · .retryable
├── ConfigurationError               bad URL or settings, a shard count that differs from the namespace's
├── InvalidArgument (ValueError)     id, limit, cursor, size: raised before anything is sent
├── NotFound                         only from calls that cannot answer None
├── Conflict                         somebody was first: reload and decide
│   ├── VersionConflict              .expected .actual
│   └── SessionGone                  a write based on a session that was deleted or has expired
├── LeaseError
│   ├── LeaseNotAcquired             somebody else holds it
│   └── LeaseLost                    a newer fencing token was issued
├── LimitExceeded                    entry, session, batch or quota
├── DataError                        stored bytes cannot be used; never reported as absence
│   ├── DecodeError                  a payload or record that is not what its header says
│   ├── SchemaTooNew                 written by a newer release
│   └── SessionTorn                  the record and its streams disagree (evicted, partly removed)
├── FeedGap                          changes were trimmed before they were read
└── BackendError                     the driver's exception is its __cause__
    ├── BackendUnavailable           no connection, loading, failing over (retryable)
    ├── BackendTimeout               no answer in time: the outcome is unknown (retryable under its operation id)
    ├── BackendReadOnly              a replica, or a server that refuses writes
    ├── BackendFull                  out of memory under noeviction
    ├── OutcomeUnknown               a write sent again, whose first attempt may have been done and forgotten
    ├── NotReplicated                written, but the replicas did not confirm in time
    ├── AccessDenied                 wrong password, or an ACL rule that forbids the command or key
    └── ScriptFailure                a script failed in a way that it should not
```
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessDenied",
    "BackendError",
    "BackendFull",
    "BackendReadOnly",
    "BackendTimeout",
    "BackendUnavailable",
    "ConfigurationError",
    "Conflict",
    "DataError",
    "DecodeError",
    "FeedGap",
    "InvalidArgument",
    "LeaseError",
    "LeaseLost",
    "LeaseNotAcquired",
    "LimitExceeded",
    "NotFound",
    "NotReplicated",
    "OutcomeUnknown",
    "SchemaTooNew",
    "ScriptFailure",
    "SessionCacheError",
    "SessionGone",
    "SessionTorn",
    "VersionConflict",
    "from_script",
]


class SessionCacheError(Exception):
    """Base of everything that sessioncache raises on purpose."""

    code: ClassVar[str] = "error"
    """Stable identifier: the `error` label of the metrics and the `error` field of `--json` output."""

    retryable: ClassVar[bool] = False
    """Whether the same call, under the same operation id, may succeed if it is simply sent again."""


class ConfigurationError(SessionCacheError):
    """Settings, URL or server configuration that cannot work; the message says what to change."""

    code = "configuration"


class InvalidArgument(SessionCacheError, ValueError):
    """An argument that can never work; nothing was sent."""

    code = "invalid_argument"


class NotFound(SessionCacheError, LookupError):
    """The session does not exist, and the call has no way to answer None."""

    code = "not_found"


class Conflict(SessionCacheError):
    """Somebody else was first: reload and decide."""

    code = "conflict"


class VersionConflict(Conflict):
    """The write was based on a revision that is no longer the current one."""

    code = "version_conflict"

    def __init__(self, message: str, *, expected: int | None = None, actual: int | None = None) -> None:
        super().__init__(message)
        self.expected = expected
        """The revision that the write was based on."""
        self.actual = actual
        """The revision that the server has."""


class SessionGone(Conflict):
    """The write was based on an incarnation of the session that was deleted or has expired."""

    code = "session_gone"


class LeaseError(SessionCacheError):
    """Base of the lease errors."""

    code = "lease"


class LeaseNotAcquired(LeaseError):
    """Somebody else holds the lease."""

    code = "lease_not_acquired"


class LeaseLost(LeaseError):
    """A newer fencing token was issued: this holder's write was refused."""

    code = "lease_lost"


class LimitExceeded(SessionCacheError):
    """An entry, a batch or a session would grow beyond its limit; nothing was written."""

    code = "limit_exceeded"


class DataError(SessionCacheError):
    """Stored bytes cannot be used. Never reported as absence."""

    code = "data"


class DecodeError(DataError):
    """A stored payload or record field is not what its header says it is."""

    code = "decode"

    def __init__(self, message: str, *, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq
        """Sequence number of the damaged entry, where there is one."""


class SchemaTooNew(DataError):
    """The session was written by a newer release than this one can read."""

    code = "schema_too_new"


class SessionTorn(DataError):
    """The record and its streams disagree: something outside sessioncache removed a part of the session."""

    code = "session_torn"


class MessagesSealed(SessionCacheError):
    """A write reaches into sealed messages; the client opens them and repeats it. Never reaches callers."""

    code = "messages_sealed"

    def __init__(self, message: str, *, seq: int = 0) -> None:
        super().__init__(message)
        self.seq = seq
        """The first message to open; all behind it are opened too."""


class FeedGap(SessionCacheError):
    """Changes were trimmed away, or lost by the server, before this subscriber read them."""

    code = "feed_gap"

    def __init__(self, message: str, *, cursor: str | None = None) -> None:
        super().__init__(message)
        self.cursor = cursor
        """A cursor from which the subscription can go on, after the reader has reloaded what it needs."""


class BackendError(SessionCacheError):
    """The server or the way to it failed; the driver's exception is the `__cause__`."""

    code = "backend"


class BackendUnavailable(BackendError):
    """No connection, a server that is loading, or a cluster or Sentinel group that is failing over."""

    code = "backend_unavailable"
    retryable = True


class BackendTimeout(BackendError):
    """No answer in time, so the outcome is unknown; sent again under the same operation id, the call happens once."""

    code = "backend_timeout"
    retryable = True


class BackendReadOnly(BackendError):
    """The server refuses writes: a replica after a failover, or too few replicas."""

    code = "backend_read_only"
    retryable = True


class BackendFull(BackendError):
    """The server has no memory left under `maxmemory-policy noeviction`; nothing was written."""

    code = "backend_full"


class NotReplicated(BackendError):
    """The write stands on the primary, but fewer replicas than asked for confirmed it in time."""

    code = "not_replicated"


class OutcomeUnknown(BackendError):
    """The answer of a write was lost, and the server may have forgotten it: it was done once, or not at all."""

    code = "outcome_unknown"


class AccessDenied(BackendError):
    """Wrong password or user, or an ACL rule that forbids a command or a key."""

    code = "access_denied"


class ScriptFailure(BackendError):
    """A script failed in a way that it should not: a damaged key, or a defect. Nothing is retried."""

    code = "script_failure"


SCRIPT_ERRORS: dict[str, type[SessionCacheError]] = {
    "SCCONFIG": ConfigurationError,
    "SCCONFLICT": VersionConflict,
    "SCFORGOTTEN": OutcomeUnknown,
    "SCGONE": SessionGone,
    "SCLEASE": LeaseLost,
    "SCLIMIT": LimitExceeded,
    "SCNOTFOUND": NotFound,
    "SCRANGE": InvalidArgument,
    "SCSCHEMA": SchemaTooNew,
    "SCSEALED": MessagesSealed,
    "SCTORN": SessionTorn,
}
"""The first word of a script's error reply, and the class that it becomes. Scripts use no other words."""


def from_script(message: str) -> SessionCacheError | None:
    """The exception that a script's error reply stands for, or None if the reply is not one of ours.

    Args:
        message: the error text as the driver hands it over, `SCCONFLICT expected 4, found 7: …`; servers append
            ` script: <sha>, on @user_script:…` to it, which is cut off.
    """
    word, _, rest = message.partition(" ")
    error = SCRIPT_ERRORS.get(word)
    if error is None:
        return None
    text = rest.partition(" script: ")[0]
    if error is VersionConflict:
        expected, actual, text = (*text.split(" ", 2), "")[:3]
        return VersionConflict(text, expected=int(expected), actual=int(actual))
    if error is MessagesSealed:
        seq, _, text = text.partition(" ")
        return MessagesSealed(text, seq=int(seq))
    return error(text)
