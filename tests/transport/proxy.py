"""A TCP proxy in front of a server: it counts round trips, loses replies and cuts connections on request.

The rule of this module: what it does to a connection it does at a request, never by time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

CHUNK = 1 << 20


class Proxy:
    """Listens on a free port of 127.0.0.1, and passes everything on to another one."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests = 0
        """Writes of clients: each is one round trip, as a client waits for the answer before it writes again."""
        self.cut_after_request = 0
        """How many of the next requests are passed on, and their connections cut instead of answered."""
        self.cut_before_request = 0
        """How many of the next requests are cut without being passed on."""

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut what is left."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def move_to(self, port: int) -> None:
        """Pass connections that are made from now on to another port; those that are there stay where they are."""
        self._target = port

    async def _accept(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_in, server_out = await asyncio.open_connection("127.0.0.1", self._target)
        answers = asyncio.create_task(self._pass_answers(server_in, client_out))
        try:
            await self._pass_requests(client_in, server_in, server_out, answers)
        finally:
            answers.cancel()
            for writer in (client_out, server_out):
                writer.close()
            self._tasks.discard(task)

    async def _pass_requests(
        self,
        client_in: asyncio.StreamReader,
        server_in: asyncio.StreamReader,
        server_out: asyncio.StreamWriter,
        answers: asyncio.Task[None],
    ) -> None:
        while data := await client_in.read(CHUNK):
            self.requests += 1
            if self.cut_before_request > 0:
                self.cut_before_request -= 1
                return
            if self.cut_after_request > 0:
                self.cut_after_request -= 1
                # The answers' task must not read what shows that the server is done.
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
                server_out.write(data)
                assert await server_in.read(CHUNK)
                return
            server_out.write(data)
            await server_out.drain()

    async def _pass_answers(self, server_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        while data := await server_in.read(CHUNK):
            client_out.write(data)
            await client_out.drain()
        client_out.close()
