"""URLs: which servers to talk to, how, and as whom.

The rule of this module: a URL that cannot work is refused here, with what would be right, before anything is dialled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote

from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings

__all__ = ["Endpoint", "parse_url", "redact_url"]

Kind = Literal["standalone", "sentinel", "cluster", "unix"]

PORT_MAX: Final = 65_535
PORTS: Final = {"standalone": 6379, "sentinel": 26379, "cluster": 6379}
SCHEMES: Final[dict[str, tuple[Kind, bool]]] = {
    "redis": ("standalone", False),
    "rediss": ("standalone", True),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
    "unix": ("unix", False),
}
USABLE: Final = (
    "redis://host:6379/0, rediss://host (TLS), unix:///path/to/socket, "
    "redis+sentinel://host1:26379,host2:26379/service, redis+cluster://host1:6379,host2:6379"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    """Host and port: of the server, of the Sentinels, or of some nodes of the cluster."""
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    service: str = ""
    """The name that Sentinel knows the primary by."""
    path: str = ""
    """Of a unix socket."""


def redact_url(url: str) -> str:
    """The URL without its password, for messages and logs."""
    return re.sub(r"//([^@/:]*):.*@", r"//\1:***@", url)


def parse_url(settings: Settings) -> Endpoint:
    """The endpoint that the settings name.

    Raises:
        ConfigurationError: unknown scheme, no host, a port or database that is no number, a Sentinel URL without its
            service name, several hosts of one server, or a database other than 0 on a cluster.
    """
    shown = redact_url(settings.url)
    scheme, separator, rest = settings.url.partition("://")
    named = SCHEMES.get(scheme.lower().replace("valkeys", "rediss").replace("valkey", "redis"))
    if not separator or named is None:
        raise ConfigurationError(f"URL {shown!r} has an unknown scheme; use one of: {USABLE}")
    kind, tls = named
    rest, _, query = rest.partition("?")
    if query:
        raise ConfigurationError(
            f"URL {shown!r} has options after '?'; options are settings (SESSIONCACHE_*), not part of it"
        )
    credentials, _, location = rest.rpartition("@")
    username, _, password = credentials.partition(":")
    place, _, path = location.partition("/")
    secret = settings.password.get_secret_value() if settings.password else None
    user = unquote(username) or settings.username
    key = unquote(password) or secret
    if kind == "unix":
        if not f"{place}{path}":
            raise ConfigurationError(f"URL {shown!r} names no path; write unix:///path/to/socket")
        return Endpoint(kind, (), username=user, password=key, path=f"{place}/{path}")
    hosts = tuple(_host(part, kind, shown) for part in place.split(",") if part)
    if not hosts:
        raise ConfigurationError(f"URL {shown!r} names no host; use one of: {USABLE}")
    if kind == "standalone" and len(hosts) > 1:
        raise ConfigurationError(
            f"URL {shown!r} names several hosts, which one server cannot have; write redis+cluster:// or redis+sentinel://"
        )
    service, db = _service_and_db(kind, path, shown)
    return Endpoint(kind, hosts, tls=tls, username=user, password=key, db=db, service=service)


def _host(part: str, kind: Kind, shown: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+)(?::(\d+))?", part)
    if found is None:
        raise ConfigurationError(f"URL {shown!r}: {part!r} is not host or host:port")
    port = int(found.group(2) or PORTS[kind])
    if not 0 < port <= PORT_MAX:
        raise ConfigurationError(f"URL {shown!r}: port {port} is not between 1 and 65535")
    return found.group(1).strip("[]"), port


def _service_and_db(kind: Kind, path: str, shown: str) -> tuple[str, int]:
    service, _, db = path.strip("/").partition("/") if kind == "sentinel" else ("", "", path.strip("/"))
    if kind == "sentinel" and not service:
        raise ConfigurationError(f"URL {shown!r} lacks the service name; write redis+sentinel://host:26379/SERVICE")
    if db and not db.isdigit():
        raise ConfigurationError(f"URL {shown!r}: database {db!r} is not a number")
    if kind == "cluster" and db not in ("", "0"):
        raise ConfigurationError(f"URL {shown!r}: a cluster has only database 0")
    return service, int(db or 0)
