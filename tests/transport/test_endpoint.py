"""URLs: what each one means, and what is said about those that cannot work."""

from __future__ import annotations

import re

import pytest

from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings
from sessioncache.transport.endpoint import Endpoint, parse_url, redact_url


def endpoint(url: str, **options: object) -> Endpoint:
    """The endpoint of a URL."""
    return parse_url(Settings(url=url, **options))


@pytest.mark.parametrize(
    "url, expected",
    [
        ("redis://localhost", Endpoint("standalone", (("localhost", 6379),))),
        ("redis://localhost/", Endpoint("standalone", (("localhost", 6379),))),
        ("redis://cache.example:7000/3", Endpoint("standalone", (("cache.example", 7000),), db=3)),
        ("REDIS://localhost", Endpoint("standalone", (("localhost", 6379),))),
        ("valkey://localhost", Endpoint("standalone", (("localhost", 6379),))),
        ("rediss://localhost", Endpoint("standalone", (("localhost", 6379),), tls=True)),
        ("valkeys://localhost", Endpoint("standalone", (("localhost", 6379),), tls=True)),
        ("redis://[::1]:7000", Endpoint("standalone", (("::1", 7000),))),
        ("redis://[::1]", Endpoint("standalone", (("::1", 6379),))),
        ("redis://app@host", Endpoint("standalone", (("host", 6379),), username="app")),
        ("redis://:secret@host", Endpoint("standalone", (("host", 6379),), password="secret")),
        ("redis://app:secret@host", Endpoint("standalone", (("host", 6379),), username="app", password="secret")),
        ("redis://a%40b:p%3A%2F%40s@host", Endpoint("standalone", (("host", 6379),), username="a@b", password="p:/@s")),
        ("unix:///run/redis.sock", Endpoint("unix", (), path="/run/redis.sock")),
        (
            "unix://app:secret@/run/redis.sock",
            Endpoint("unix", (), username="app", password="secret", path="/run/redis.sock"),
        ),
        ("redis+sentinel://a:1,b/main", Endpoint("sentinel", (("a", 1), ("b", 26379)), service="main")),
        ("redis+sentinel://a/main/2", Endpoint("sentinel", (("a", 26379),), service="main", db=2)),
        ("valkeys+sentinel://a/main", Endpoint("sentinel", (("a", 26379),), service="main", tls=True)),
        ("redis+cluster://a:1,b:2", Endpoint("cluster", (("a", 1), ("b", 2)))),
        ("valkey+cluster://a/0", Endpoint("cluster", (("a", 6379),))),
        (
            "rediss+cluster://u:p@a,b",
            Endpoint("cluster", (("a", 6379), ("b", 6379)), tls=True, username="u", password="p"),
        ),
    ],
)
def test_a_url_names_an_endpoint(url: str, expected: Endpoint) -> None:
    """Scheme, credentials, hosts, ports, service and database are read as written."""
    found = endpoint(url)
    assert (found, found.tls, found.username, found.password) == (
        expected,
        bool(expected.tls),
        expected.username or None,
        expected.password,
    )


@pytest.mark.parametrize(
    "url, reason",
    [
        ("http://localhost", "'http://localhost' has an unknown scheme; use one of: redis://host:6379/0, rediss://"),
        ("localhost:6379", "'localhost:6379' has an unknown scheme"),
        ("", "'' has an unknown scheme"),
        ("redis:/localhost", "has an unknown scheme"),
        ("redis+foo://localhost", "has an unknown scheme"),
        ("redis://", "names no host"),
        ("redis+cluster://", "names no host"),
        ("redis+cluster://,", "names no host"),
        ("redis+cluster://a,b/1", "a cluster has only database 0"),
        ("redis+sentinel://a:26379", "lacks the service name; write redis+sentinel://host:26379/SERVICE"),
        ("redis+sentinel://a:26379/", "lacks the service name"),
        ("redis://host:port", "'host:port' is not host or host:port"),
        ("redis://host:1:2", "'host:1:2' is not host or host:port"),
        ("redis://ho st", "'ho st' is not host or host:port"),
        ("redis://::1:6379", "'::1:6379' is not host or host:port"),
        ("redis://host:0", "port 0 is not between 1 and 65535"),
        ("redis://host:65536", "port 65536 is not between 1 and 65535"),
        ("redis://host/zero", "database 'zero' is not a number"),
        ("redis://host/-1", "database '-1' is not a number"),
        ("redis+sentinel://a/main/x", "database 'x' is not a number"),
        ("redis://host?ssl=true", "has options after '?'; options are settings"),
        ("redis://one,two", "several hosts"),
        ("unix://", "names no path"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url: str, reason: str) -> None:
    """The error names the URL, what is wrong with it, and what would be right."""
    with pytest.raises(ConfigurationError, match=re.escape(reason)) as raised:
        endpoint(url)
    assert repr(url) in str(raised.value)


@pytest.mark.parametrize("url", ["redis://app:hunter2@host:0", "redis://:hunter2@host/x", "foo://a:hunter2@b"])
def test_errors_do_not_tell_the_password(url: str) -> None:
    """A refused URL is shown without its password."""
    with pytest.raises(ConfigurationError) as raised:
        endpoint(url)
    assert "hunter2" not in str(raised.value)
    assert "***" in str(raised.value)


def test_a_password_is_not_shown() -> None:
    """Neither an endpoint nor a redacted URL tells the password."""
    assert "hunter2" not in repr(endpoint("redis://app:hunter2@host"))
    assert redact_url("redis://app:hunter2@host/1") == "redis://app:***@host/1"
    assert redact_url("redis://:hunter2@host") == "redis://:***@host"
    assert redact_url("redis://app:hun@ter2/x@host") == "redis://app:***@host"
    assert redact_url("redis://host/1") == "redis://host/1"


def test_credentials_of_the_settings_fill_in() -> None:
    """User and password come from the settings where the URL carries none."""
    found = endpoint("redis://host", username="app", password="secret")
    assert (found.username, found.password) == ("app", "secret")
    found = endpoint("redis://other:own@host", username="app", password="secret")
    assert (found.username, found.password) == ("other", "own")
