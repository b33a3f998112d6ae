"""Every error of the driver, and every error reply of a server, becomes one of ours."""

from __future__ import annotations

import inspect
import socket
import ssl

import pytest
from redis import exceptions as driver

from sessioncache import errors
from sessioncache.errors import SCRIPT_ERRORS, SessionCacheError
from sessioncache.transport.driver_errors import BY_WORD, TooFewReplicas, as_session_cache_error
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from sessioncache.wire.script import load_script

KEYS = (Key("sc:{acme:0}:a"), Key("sc:{acme:0}:b"))
UNAVAILABLE = errors.BackendUnavailable
EXPECTED: dict[str, type[SessionCacheError]] = {
    "AskError": UNAVAILABLE,
    "AuthenticationError": errors.AccessDenied,
    "AuthenticationWrongNumberOfArgsError": errors.AccessDenied,
    "AuthorizationError": errors.AccessDenied,
    "BusyLoadingError": UNAVAILABLE,
    "ClusterCrossSlotError": errors.ScriptFailure,
    "ClusterDownError": UNAVAILABLE,
    "ConnectionError": UNAVAILABLE,
    "ExternalAuthProviderError": UNAVAILABLE,
    "InvalidResponse": UNAVAILABLE,
    "MasterDownError": UNAVAILABLE,
    "MasterNotFoundError": UNAVAILABLE,
    "MaxConnectionsError": UNAVAILABLE,
    "MovedError": UNAVAILABLE,
    "NoPermissionError": errors.AccessDenied,
    "NoScriptError": UNAVAILABLE,
    "OutOfMemoryError": errors.BackendFull,
    "ReadOnlyError": errors.BackendReadOnly,
    "SlaveNotFoundError": UNAVAILABLE,
    "SlotNotCoveredError": UNAVAILABLE,
    "TimeoutError": errors.BackendTimeout,
    "TryAgainError": UNAVAILABLE,
}
"""By name, as drivers of different releases have different classes; whatever is not here is a ScriptFailure."""

WITH_ADDRESS = {"AskError", "MovedError"}


def classes() -> list[type[Exception]]:
    """Every exception of the installed driver, those of Sentinel among them."""
    from redis import sentinel

    found = {
        member
        for module in (driver, sentinel)
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, driver.RedisError)
    }
    return sorted(found, key=lambda member: member.__name__)


def instance(kind: type[Exception]) -> Exception:
    """An exception as the driver raises it."""
    return kind("1234 127.0.0.1:7000") if kind.__name__ in WITH_ADDRESS else kind("what happened")


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_class_of_the_driver_is_mapped(kind: type[Exception]) -> None:
    """An error of the driver becomes the class expected, tells what the driver told, and has it as its cause."""
    error = instance(kind)
    mapped = as_session_cache_error(error, call="sessions.get")
    assert type(mapped) is EXPECTED.get(kind.__name__, errors.ScriptFailure)
    assert mapped.__cause__ is error
    assert str(mapped).startswith("sessions.get: ")


def test_no_connection_error_is_a_script_failure() -> None:
    """Whatever the driver derives from its ConnectionError is one for us, in every release."""
    lost = [kind for kind in classes() if issubclass(kind, driver.ConnectionError)]
    denied = (errors.BackendUnavailable, errors.AccessDenied)
    assert len(lost) > 3
    assert all(isinstance(as_session_cache_error(instance(kind), call="x"), denied) for kind in lost)


@pytest.mark.parametrize(
    "error, expected",
    [
        (ConnectionResetError(104, "reset"), errors.BackendUnavailable),
        (ConnectionRefusedError(111, "refused"), errors.BackendUnavailable),
        (BrokenPipeError(32, "broken"), errors.BackendUnavailable),
        (socket.gaierror(-2, "unknown"), errors.BackendUnavailable),
        (ssl.SSLError("handshake"), errors.BackendUnavailable),
        (TimeoutError(), errors.BackendTimeout),
        (TooFewReplicas("0 of 1"), errors.NotReplicated),
    ],
)
def test_errors_of_the_system_are_mapped(error: Exception, expected: type[SessionCacheError]) -> None:
    """Errors of sockets and TLS are the backend's."""
    assert type(as_session_cache_error(error, call="x")) is expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("BUSY Redis is busy running a script", errors.BackendUnavailable),
        ("MISCONF Redis is configured to save RDB snapshots", errors.BackendReadOnly),
        ("NOREPLICAS Not enough good replicas to write.", errors.BackendReadOnly),
        ("UNKILLABLE Sorry the script already executed write commands", errors.BackendUnavailable),
        ("MOVED 4826 127.0.0.1:7000", errors.BackendUnavailable),
        ("ASK 4826 127.0.0.1:7000", errors.BackendUnavailable),
        ("WRONGTYPE Operation against a key", errors.DecodeError),
        ("NOPERM this user has no permissions", errors.AccessDenied),
        ("WRONGPASS invalid username-password pair", errors.AccessDenied),
        ("OOM command not allowed when used memory > 'maxmemory'.", errors.BackendFull),
        ("READONLY You can't write against a read only replica.", errors.BackendReadOnly),
        ("ACL failure in script: User app has no permissions to run the 'hmget' command", errors.AccessDenied),
        ("The user executing the script can't run this command or subcommand", errors.AccessDenied),
        ("ERR The user executing the script can't access at least one of the keys", errors.AccessDenied),
        ("ERR Error running script", errors.ScriptFailure),
        ("ERR This instance has cluster support disabled", errors.ConfigurationError),
        ("This instance has cluster support disabled", errors.ConfigurationError),
        ("unknown command 'SENTINEL', with args beginning with: 'MASTERS'", errors.ConfigurationError),
        ("DB index is out of range", errors.ConfigurationError),
    ],
)
def test_words_of_a_server_are_mapped(text: str, expected: type[SessionCacheError]) -> None:
    """Where the driver has no class for an error reply, its first word decides."""
    assert type(as_session_cache_error(driver.ResponseError(text), call="x")) is expected


def test_a_denied_command_of_a_script_is_named() -> None:
    """Redis 7.0 tells only the line of a script where a command was denied; the message says which command that is."""
    script = load_script("transcripts.append")
    request = Call("x", script, KEYS, (), decode=list)
    line = next(number for number, text in enumerate(script.text.splitlines(), 1) if "call('XADD'" in text)
    said = "The user executing the script can't run this command or subcommand"
    reply = driver.ResponseError(f"{said} script: {'0' * 40}, on @user_script:{line}.")
    assert f"{said}: xadd (" in str(as_session_cache_error(reply, call="x", request=request))


def test_denied_keys_are_named() -> None:
    """Where keys were denied, the message says one of them, and so the namespace."""
    request = Call("x", load_script("transcripts.append"), KEYS, (), decode=list)
    for said in (
        "this user has no permissions to access one of the keys used as arguments",
        "No permissions to access a key",
    ):
        mapped = as_session_cache_error(driver.NoPermissionError(said), call="x", request=request)
        assert f"{said}: sc:{{acme:0}}:a and 1 more (" in str(mapped)


def test_every_word_is_an_error_of_the_backend_or_the_data() -> None:
    """No server word becomes an error that only scripts may answer."""
    assert all(issubclass(kind, errors.BackendError | errors.DataError) for kind in BY_WORD.values())


@pytest.mark.parametrize("word", SCRIPT_ERRORS)
def test_every_word_of_our_scripts_is_mapped(word: str) -> None:
    """An error reply of a script becomes its class, without what servers append to it."""
    text = {"SCCONFLICT": "4 7 ", "SCSEALED": "9 "}.get(word, "") + "the reason"
    reply = driver.ResponseError(f"{word} {text} script: 0123abcd, on @user_script:7.")
    mapped = as_session_cache_error(reply, call="x")
    assert (type(mapped), str(mapped), mapped.__cause__) == (SCRIPT_ERRORS[word], "the reason", reply)


def test_a_conflict_carries_both_revisions() -> None:
    """The numbers in the reply are attributes of the exception."""
    mapped = as_session_cache_error(driver.ResponseError("SCCONFLICT 4 7 too late"), call="x")
    assert isinstance(mapped, errors.VersionConflict)
    assert (mapped.expected, mapped.actual, str(mapped)) == (4, 7, "too late")


def test_ours_stay_as_they_are() -> None:
    """An error that is ours already is not wrapped again."""
    error = errors.SessionTorn("torn")
    assert as_session_cache_error(error, call="x") is error


def test_advice_is_given() -> None:
    """Errors that a person has to mend say how."""
    assert "maxmemory" in str(as_session_cache_error(driver.OutOfMemoryError("OOM"), call="x"))
    assert "ACL" in str(as_session_cache_error(driver.NoPermissionError("no"), call="x"))
