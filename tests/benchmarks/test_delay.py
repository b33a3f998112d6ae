"""The proxy that delays replies."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.delay import DelayProxy


@contextmanager
def echo_server() -> Iterator[int]:
    """A server that answers each connection with what it gets, until that ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def echo(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if connection.recv(1) == b"q":
                connection.close()
                return
            threads.append(threading.Thread(target=echo, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    port = listener.getsockname()[1]
    try:
        yield port
    finally:
        with socket.create_connection(("127.0.0.1", port)) as last:
            last.sendall(b"q")
        for thread in (accepting, *threads):
            thread.join()
        listener.close()


@contextmanager
def proxy(port: int, delay_s: float) -> Iterator[int]:
    """A proxy in a thread."""
    serving = DelayProxy(port, delay_s)
    thread = threading.Thread(target=serving.serve)
    thread.start()
    try:
        yield serving.port
    finally:
        serving.stop()
        thread.join()


def read_until_end(connection: socket.socket) -> bytes:
    """All that comes before the other side closes."""
    parts = []
    while data := connection.recv(65_536):
        parts.append(data)
    return b"".join(parts)


def open_through(port: int) -> socket.socket:
    """A connection that the echo server has accepted: it swallows the first byte."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(30)
    connection.sendall(b"e")
    return connection


def test_bytes_arrive_unchanged_on_their_own_connection() -> None:
    """What each of several connections sends comes back to it whole and in order, and its end as well."""
    chance = random.Random(7)
    texts = [chance.randbytes(300_000) for _ in range(5)]
    with echo_server() as server, proxy(server, 0.001) as port:
        connections = [open_through(port) for _ in texts]
        received: dict[int, bytes] = {}

        def read(number: int) -> None:
            received[number] = read_until_end(connections[number])

        readers = [threading.Thread(target=read, args=(number,)) for number in range(len(texts))]
        for reader in readers:
            reader.start()
        for start in range(0, 300_000, 50_000):
            for connection, text in zip(connections, texts, strict=True):
                connection.sendall(text[start : start + 50_000])
        for connection in connections:
            connection.shutdown(socket.SHUT_WR)
        for reader in readers:
            reader.join()
        for connection in connections:
            connection.close()
    assert [received[number] for number in range(len(texts))] == texts


def test_a_reply_is_not_early() -> None:
    """No reply arrives before its delay is over."""
    with echo_server() as server, proxy(server, 0.05) as port, open_through(port) as connection:
        started = time.monotonic()
        connection.sendall(b"ping")
        assert connection.recv(4) == b"ping"
        assert time.monotonic() - started >= 0.05


def test_without_a_server_the_client_is_hung_up_on() -> None:
    """A client whose connection leads nowhere sees its end, and the proxy goes on."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nowhere = unused.getsockname()[1]
    with proxy(nowhere, 0) as port:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.settimeout(30)
                assert connection.recv(1) == b""
