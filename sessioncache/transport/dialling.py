"""How a shared connection is made: where to, and what is said first.

The rule of this module: a connection that is handed out has been greeted: logged in, named, on its database. One that
could not be is closed, and the error says where it went.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio import Sentinel
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import TimeoutError as DriverTimeoutError

from sessioncache.settings import Settings
from sessioncache.telemetry import Traffic
from sessioncache.transport.certificates import tls_context
from sessioncache.transport.channel import Channel, PushListener
from sessioncache.transport.clients_async import sentinel_options
from sessioncache.transport.endpoint import Endpoint
from sessioncache.transport.slots import Address
from sessioncache.wire.call import spelt_out

__all__ = ["Dialling", "pack"]

KEEPALIVE: Final = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A peer that vanished without a word is noticed within half a minute, by the kernel, while nobody waits for it."""

PASSING: Final = ("LOADING", "BUSY", "MASTERDOWN")
"""How servers say that they cannot tell at the moment; it says nothing about a password."""


@dataclass(frozen=True, slots=True)
class Dialling:
    """How a connection is made."""

    settings: Settings
    endpoint: Endpoint
    address: Address | None
    """Of a cluster's server; None: as the endpoint says."""
    listener: PushListener | None = None
    """With one, connections speak RESP3, and it hears of their pushes."""
    traffic: Traffic = field(default_factory=Traffic)
    """Is told of every connection, and of what goes over it."""

    async def dial(self) -> Channel:
        """A connection to the server, which has been greeted.

        Raises:
            redis.exceptions.RedisError: the server is not there, or refuses.
        """
        channel = Channel(limit_ms=self.settings.command_timeout_ms, listener=self.listener, traffic=self.traffic)
        where = self.endpoint.path
        try:
            address = await self._locate()
            where = f"{address[0]}:{address[1]}" if address else where
            async with asyncio.timeout(self.settings.connect_timeout_ms / 1000):
                await self._connect(channel, address)
                await self._greet(channel)
        except BaseException as error:
            channel.close()
            if isinstance(error, RedisError):
                raise
            if isinstance(error, TimeoutError):
                limit_ms = self.settings.connect_timeout_ms
                raise DriverTimeoutError(f"no connection to {where} within {limit_ms} ms") from None
            if isinstance(error, OSError):
                raise DriverConnectionError(f"error connecting to {where}: {error}") from error
            raise
        self.traffic.begin(channel)
        return channel

    async def _locate(self) -> Address | None:
        """Where to connect to; None: a unix socket."""
        if self.address is not None or self.endpoint.kind == "unix":
            return self.address
        if self.endpoint.kind != "sentinel":
            return self.endpoint.hosts[0]
        sentinel = Sentinel(self.endpoint.hosts, sentinel_kwargs=sentinel_options(self.settings, self.endpoint))
        try:
            host, port = await sentinel.discover_master(self.endpoint.service)
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return host, port

    async def _connect(self, channel: Channel, address: Address | None) -> None:
        if address is None:
            await channel.loop.create_unix_connection(lambda: channel, self.endpoint.path)
            return
        host, port = address
        tls = tls_context(self.settings) if self.endpoint.tls else None
        transport, _ = await channel.loop.create_connection(
            lambda: channel, host, port, ssl=tls, server_hostname=host if tls else None
        )
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def _greet(self, channel: Channel) -> None:
        """Say who we are, and which database is meant.

        Raises:
            redis.exceptions.RedisError: the server refuses.
        """
        endpoint = self.endpoint
        commands: list[tuple[str, ...]] = []
        if endpoint.password is not None or endpoint.username is not None:
            user = () if endpoint.username is None else (endpoint.username,)
            commands.append(("AUTH", *user, endpoint.password or ""))
        if self.listener is not None:
            commands.append(("HELLO", "3"))
        commands.append(("CLIENT", "SETNAME", self.settings.client_name))
        if endpoint.db:
            commands.append(("SELECT", str(endpoint.db)))
        if self.listener is not None:
            commands += self.listener.greeting
        replies = await channel.exchange([pack(*command) for command in commands])
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ResponseError):
                _judge_refusal(command, reply)


def pack(*parts: Any) -> bytes:
    """A command as the server reads it."""
    packed: bytes = pack_command(spelt_out(parts))
    return packed


def _judge_refusal(command: tuple[str, ...], error: ResponseError) -> None:
    text = str(error)
    # Servers say this in place of an answer, whatever was asked first, and hang up.
    if text.startswith("max number of clients"):
        raise DriverConnectionError(text)
    if command[0] == "AUTH" and not text.startswith(PASSING):
        raise AuthenticationError(text)
    # Who may not name his connections may still use them.
    if command[:2] != ("CLIENT", "SETNAME") or not text.startswith(("NOPERM", "unknown")):
        raise error
