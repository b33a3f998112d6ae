"""What a server does, seen from its side: the commands that it runs meanwhile, also those inside scripts.

The rule of this module: it watches; the commands that it sees are judged elsewhere.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["monitored"]

ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|.)", re.DOTALL)
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


@contextmanager
def monitored(port: int) -> Iterator[list[list[str]]]:
    """The commands that the server on a port runs meanwhile, as lists of words; those of scripts begin with `lua`."""
    lines: list[list[str]] = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as watcher:
        stream = watcher.makefile("rb")
        watcher.sendall(b"MONITOR\r\n")
        assert stream.readline() == b"+OK\r\n"
        yield lines
        with socket.create_connection(("127.0.0.1", port), timeout=10) as last:
            last.sendall(b"ECHO the-tour-is-over\r\n")
            assert last.recv(100)
        for line in stream:
            if b"the-tour-is-over" in line:
                break
            lines.append(_words(line))


def unescaped(word: str) -> bytes:
    """The bytes of a word as the server was sent them."""
    return ESCAPED.sub(_character, word.encode())


def _character(found: re.Match[bytes]) -> bytes:
    code = found.group(1)
    return bytes.fromhex(code[1:].decode()) if len(code) > 1 else LETTERS.get(code, code)


def _words(line: bytes) -> list[str]:
    """`lua` or the client, then the command and its arguments."""
    head, _, rest = line.partition(b"] ")
    words = [word.decode("utf-8", "replace") for word in re.findall(rb'"((?:\\.|[^"\\])*)"', rest)]
    return ["lua" if head.endswith(b" lua") else "client", *words]
