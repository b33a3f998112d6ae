"""The one place that maps the driver's errors, and the server's error replies, to ours.

The rule of this module: every class of `redis.exceptions` has a line here (a test enumerates them), and nothing above
this package sees one of them except as a `__cause__`.
"""

from __future__ import annotations

import re
import ssl
from typing import Any, Final

from redis import exceptions as driver

from sessioncache import errors
from sessioncache.errors import SessionCacheError
from sessioncache.wire.call import Call
from sessioncache.wire.script import Script

__all__ = ["NotSent", "TooFewReplicas", "as_session_cache_error", "was_refused"]


class NotSent(driver.ConnectionError):
    """The caller's turn never came: the server has seen nothing of it, and will not."""


class TooFewReplicas(driver.RedisError):
    """Stands in the place of a reply whose write was not confirmed by enough replicas."""


BY_CLASS: Final[tuple[tuple[type[BaseException], type[SessionCacheError]], ...]] = (
    (driver.AuthenticationWrongNumberOfArgsError, errors.AccessDenied),
    (driver.AuthenticationError, errors.AccessDenied),
    (driver.AuthorizationError, errors.AccessDenied),
    (driver.NoPermissionError, errors.AccessDenied),
    (driver.BusyLoadingError, errors.BackendUnavailable),
    (driver.MaxConnectionsError, errors.BackendUnavailable),
    (driver.ReadOnlyError, errors.BackendReadOnly),
    (driver.OutOfMemoryError, errors.BackendFull),
    (driver.TimeoutError, errors.BackendTimeout),
    (driver.MasterDownError, errors.BackendUnavailable),
    (driver.ClusterDownError, errors.BackendUnavailable),
    (driver.TryAgainError, errors.BackendUnavailable),
    (driver.AskError, errors.BackendUnavailable),
    (driver.MovedError, errors.BackendUnavailable),
    (driver.SlotNotCoveredError, errors.BackendUnavailable),
    (driver.ClusterCrossSlotError, errors.ScriptFailure),
    (TooFewReplicas, errors.NotReplicated),
    (driver.NoScriptError, errors.BackendUnavailable),
    (driver.InvalidResponse, errors.BackendUnavailable),
    (driver.ConnectionError, errors.BackendUnavailable),
    (TimeoutError, errors.BackendTimeout),
    (ssl.SSLError, errors.BackendUnavailable),
    (OSError, errors.BackendUnavailable),
)

BY_WORD: Final[dict[str, type[SessionCacheError]]] = {
    "ASK": errors.BackendUnavailable,
    "BUSY": errors.BackendUnavailable,
    "CLUSTERDOWN": errors.BackendUnavailable,
    "CROSSSLOT": errors.ScriptFailure,
    "LOADING": errors.BackendUnavailable,
    "MASTERDOWN": errors.BackendUnavailable,
    "MISCONF": errors.BackendReadOnly,
    "MOVED": errors.BackendUnavailable,
    "NOAUTH": errors.AccessDenied,
    "NOPERM": errors.AccessDenied,
    "NOREPLICAS": errors.BackendReadOnly,
    "OOM": errors.BackendFull,
    "READONLY": errors.BackendReadOnly,
    "TRYAGAIN": errors.BackendUnavailable,
    "UNKILLABLE": errors.BackendUnavailable,
    "WRONGPASS": errors.AccessDenied,
    "WRONGTYPE": errors.DecodeError,
}

OTHER_KIND: Final[dict[str, str]] = {
    "This instance has cluster support disabled": "it is no cluster: write redis:// in place of redis+cluster://",
    "unknown command 'SENTINEL'": "it is no Sentinel: redis+sentinel:// names the Sentinels, redis:// a server",
    "DB index is out of range": "the number at the URL's end is a database that the server does not have",
}
"""How servers say, without a word in front, that the URL is one for another kind of server; and what to do."""

TLS_ADVICE: Final[dict[str, str]] = {
    "certificate is not valid for": "the server's certificate names other hosts: dial one of those, or set "
    "tls_check_hostname to false",
    "certificate has expired": "the server needs a new certificate",
    "CERTIFICATE_VERIFY_FAILED": "tls_ca_file must hold the authority that signed the server's certificate",
    "ALERT_UNKNOWN_CA": "the server does not trust the authority of tls_cert_file",
    "ALERT_CERTIFICATE_REQUIRED": "the server asks for a certificate: set tls_cert_file and tls_key_file",
    "EOF occurred in violation": "the server ended it: it may ask for a certificate that it trusts, tls_cert_file",
    "WRONG_VERSION_NUMBER": "it does not speak TLS: write redis:// in place of rediss://",
}
"""What to do where TLS fails, by what is said; the first one counts."""

DENIED_IN_SCRIPT: Final = ("ACL failure in script", "The user executing the script can't")
"""How servers begin the error of a script that may run, but not the command in it, or not on this key: from Redis 7.2
on, and before. It carries no word."""

SCRIPT_SUFFIX: Final = re.compile(r" script: (?:[0-9a-f]{40}, )?on @user_script:(?P<line>\d+)\.?$")
"""What servers append to an error that a command raised inside a script."""

CALLED: Final = re.compile(r"call\('([A-Z]+)'")

ADVICE: Final[dict[type[SessionCacheError], str]] = {
    errors.AccessDenied: "check user, password and the ACL rules of this user",
    errors.BackendFull: "the server is out of memory: raise maxmemory, or let workers expire and prune sessions",
    errors.DecodeError: "a key of a session has a foreign type: `sessioncache maintain run reconcile` names it, "
    "`sessioncache sessions delete` removes it",
}


WORDLESS: Final[dict[type[SessionCacheError], str]] = {
    errors.BackendTimeout: "no answer in time",
}
"""What is said where the exception has no text of its own."""


def as_session_cache_error(error: BaseException, *, call: str, request: Call[Any] | None = None) -> SessionCacheError:
    """Our exception for one of the driver's, with the driver's as its cause.

    Args:
        error: what the driver raised, or answered in a pipeline.
        call: `<noun>.<verb>` of the call that failed, for the message.
        request: that call, to name a key or command that the server does not.
    """
    if isinstance(error, SessionCacheError):
        return error
    text = SCRIPT_SUFFIX.sub("", str(error)).rstrip()
    mapped = errors.from_script(text) if isinstance(error, driver.ResponseError) else None
    if mapped is None:
        kind = _class_for(error, text)
        advice = _other_kind(text) or _tls_advice(text) or ADVICE.get(kind)
        said = text or WORDLESS.get(kind, type(error).__name__)
        if kind is errors.AccessDenied and request is not None:
            said += _what_is_denied(str(error), request)
        mapped = kind(f"{call}: {said}" + (f" ({advice})" if advice else ""))
    mapped.__cause__ = error
    return mapped


def was_refused(error: BaseException) -> bool:
    """Whether a call that failed so has surely changed nothing: nobody took it, or the server said that it will not.

    Scripts change nothing in front of their first write, where a server that is read-only or lacks replicas refuses.
    """
    if not isinstance(error, errors.BackendUnavailable | errors.BackendReadOnly):
        return False
    cause = error.__cause__
    if isinstance(cause, driver.ResponseError | driver.BusyLoadingError | NotSent):
        return True
    # The driver raises its own error in place of the socket's.
    return isinstance(cause, ConnectionRefusedError) or (
        cause is not None and isinstance(cause.__cause__ or cause.__context__, ConnectionRefusedError)
    )


def _class_for(error: BaseException, text: str) -> type[SessionCacheError]:
    for kind, ours in BY_CLASS:
        if isinstance(error, kind):
            return ours
    if text.removeprefix("ERR ").startswith(DENIED_IN_SCRIPT):
        return errors.AccessDenied
    if _other_kind(text) is not None:
        return errors.ConfigurationError
    return BY_WORD.get(text.partition(" ")[0], errors.ScriptFailure)


def _tls_advice(text: str) -> str | None:
    return next((advice for said, advice in TLS_ADVICE.items() if said in text), None)


def _what_is_denied(text: str, request: Call[Any]) -> str:
    """What a user lacks, where the server does not tell: no server names the keys, nor Redis 7.0 a script's command."""
    if "of the keys" in text or "access a key" in text:
        more = f" and {len(request.keys) - 1} more" if len(request.keys) > 1 else ""
        return f": {request.keys[0]}{more}"
    place = SCRIPT_SUFFIX.search(text)
    if place is None or "this command" not in text or not isinstance(request.target, Script):
        return ""
    called = CALLED.findall(request.target.text.splitlines()[int(place["line"]) - 1])
    return f": {' or '.join(dict.fromkeys(called)).lower()}" if called else ""


def _other_kind(text: str) -> str | None:
    return next((advice for start, advice in OTHER_KIND.items() if text.removeprefix("ERR ").startswith(start)), None)
