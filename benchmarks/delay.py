"""A TCP proxy that makes the network slower, not narrower: every reply leaves it a fixed time after it came in.

    python -m benchmarks.delay PORT-OF-THE-SERVER DELAY-MS        prints its own port; ends when standard input ends

One thread reads whatever is there on any connection. Requests go on at once. Replies are put into one queue with the
time at which they are due, and a second thread sends them then; since all wait equally long, the queue is in order, and
any number of them wait at once. The rule of this module: bytes are handed on unchanged, in order, on their own
connection. Sending blocks where a client does not read; the clients measured here always do.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Final, TypeAlias

__all__ = ["DelayProxy", "delayed"]

CHUNK: Final = 262_144
HOST: Final = "127.0.0.1"
_Reply: TypeAlias = tuple[float, socket.socket, bytes]


class DelayProxy:
    """One proxy, in this process."""

    def __init__(self, port: int, delay_s: float) -> None:
        """Listen on a free port.

        Args:
            port: of the server behind it, on this machine.
            delay_s: how much later a reply arrives.
        """
        self._target = port
        self._delay_s = delay_s
        self._listener = socket.create_server((HOST, 0), backlog=1024)
        self._selector = selectors.DefaultSelector()
        self._replies: SimpleQueue[_Reply | None] = SimpleQueue()
        self._wake, self._awakened = socket.socketpair()
        self._open = {self._listener, self._wake, self._awakened}
        self.port: int = self._listener.getsockname()[1]
        """Where clients connect."""

    def serve(self) -> None:
        """Hand on until `stop`."""
        sender = threading.Thread(target=self._send_replies, daemon=True)
        sender.start()
        running = True
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._awakened, selectors.EVENT_READ, None)
        while running:
            for key, _ in self._selector.select():
                if key.data is None:
                    running = False
                else:
                    key.data()
        self._replies.put(None)
        sender.join()
        self._selector.close()
        for end in self._open:
            end.close()

    def stop(self) -> None:
        """End `serve`, from any thread; connections are closed."""
        self._wake.send(b".")

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection((HOST, self._target))
        except OSError:
            client.close()
            return
        self._open |= {client, server}
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(client, selectors.EVENT_READ, partial(self._request, client, server))
        self._selector.register(server, selectors.EVENT_READ, partial(self._reply, client, server))

    def _request(self, client: socket.socket, server: socket.socket) -> None:
        data = _receive(client)
        if data:
            with suppress(OSError):  # the server hung up; its own end of file tells the client
                server.sendall(data)
            return
        self._forget(client)
        with suppress(OSError):  # as above
            server.shutdown(socket.SHUT_WR)

    def _reply(self, client: socket.socket, server: socket.socket) -> None:
        data = _receive(server)
        if not data:
            self._forget(client)  # before the sender may close it
            self._forget(server)
            self._open.discard(server)
            server.close()
        self._replies.put((monotonic() + self._delay_s, client, data))

    def _forget(self, end: socket.socket) -> None:
        with suppress(KeyError, ValueError):  # both ends may have ended at once, in either order
            self._selector.unregister(end)

    def _send_replies(self) -> None:
        while reply := self._replies.get():
            due, client, data = reply
            wait = due - monotonic()
            if wait > 0:
                sleep(wait)
            with suppress(OSError):  # the client hung up and wants no reply
                if data:
                    client.sendall(data)
            if not data:
                self._open.discard(client)
                client.close()


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(CHUNK)
    except OSError:
        return b""


@contextmanager
def delayed(port: int, delay_ms: float) -> Iterator[int]:
    """A proxy in a process of its own; answers its port."""
    command = [sys.executable, "-m", "benchmarks.delay", str(port), str(delay_ms)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the delay proxy has no pipes")
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def _main() -> None:
    proxy = DelayProxy(int(sys.argv[1]), float(sys.argv[2]) / 1000)

    def stop_at_end() -> None:
        sys.stdin.read()
        proxy.stop()

    threading.Thread(target=stop_at_end, daemon=True).start()
    print(proxy.port, flush=True)
    proxy.serve()


if __name__ == "__main__":
    _main()
