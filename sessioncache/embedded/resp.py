"""A few commands to a server of our own, over one blocking socket: RESP2, no pool, no retry.

The rule of this module: enough to look after a private server, without the driver, which only the transport imports.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

__all__ = ["Address", "ErrorReply", "Link", "Reply", "open_link"]

LINK_TIMEOUT_S: Final = 5.0
"""How long a connection or a reply may take; a private server on this machine answers in microseconds."""


class ErrorReply(str):
    """An error that the server replied, as a value: whether it is a failure is the caller's to say."""

    __slots__ = ()


Reply: TypeAlias = "int | bytes | ErrorReply | list[Reply] | None"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a private server listens and who talks to it."""

    port: int
    """TCP port on 127.0.0.1."""

    login: tuple[str, str] | None = None
    """User name and password, if the server asks for them."""

    ca_file: Path | None = None
    """With TLS: the authority that signed the server's certificate."""

    client_cert: tuple[Path, Path] | None = None
    """With mutual TLS: certificate and key to show."""


class Link:
    """One connection; every call sends a command and reads its reply."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")

    def send(self, *command: str | bytes | int) -> Reply:
        """Send one command and read its reply.

        Raises:
            OSError: The connection failed, or the server closed it.
        """
        parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
        lines = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)]
        self._connection.sendall(b"".join(lines))
        return self._read()

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()
        self._connection.close()

    def _read(self) -> Reply:
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        mark, rest = line[:1], line[1:-2]
        if mark == b"+":
            return rest
        if mark == b"-":
            return ErrorReply(rest.decode("utf-8", "replace"))
        if mark == b":":
            return int(rest)
        if mark == b"$":
            return None if rest == b"-1" else self._read_bytes(int(rest))
        if mark == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        raise ConnectionError(f"not a RESP2 reply: {line[:80]!r}")

    def _read_bytes(self, size: int) -> bytes:
        data = self._reader.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionResetError("the server closed the connection")
        return data[:-2]


@contextmanager
def open_link(address: Address, *, timeout_s: float = LINK_TIMEOUT_S) -> Iterator[Link]:
    """Connect, log in, hand out the connection and close it.

    Raises:
        OSError: No connection.
        PermissionError: The server refused the login (an OSError too).
    """
    connection = socket.create_connection(("127.0.0.1", address.port), timeout=timeout_s)
    try:
        if address.ca_file is not None:
            connection = _wrap(connection, address.ca_file, address.client_cert)
        link = Link(connection)
    except BaseException:
        connection.close()
        raise
    try:
        if address.login is not None:
            user, password = address.login
            answer = link.send("AUTH", user, password)
            if isinstance(answer, ErrorReply):
                raise PermissionError(str(answer))
        yield link
    finally:
        link.close()


def _wrap(connection: socket.socket, ca_file: Path, client_cert: tuple[Path, Path] | None) -> socket.socket:
    """TLS over an open connection; the certificate must name 127.0.0.1."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if client_cert is not None:
        context.load_cert_chain(*client_cert)
    return context.wrap_socket(connection, server_hostname="127.0.0.1")
