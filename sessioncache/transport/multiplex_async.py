"""Nodes over one shared connection each: what all tasks of an event loop ask in one tick leaves in one write.

The rule of this module: what is sent is sent once. What was under way when a connection was lost goes up to the retry
layer, which knows the operation id. Commands that block (waiting for the feed, WAIT) never come here: they would hold
up everybody behind them.

`multiplex_sync.py` has the same name for threads.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from sessioncache.errors import ConfigurationError
from sessioncache.near import NearCache
from sessioncache.settings import Settings
from sessioncache.telemetry import Traffic
from sessioncache.transport.channel import Channel, PushListener
from sessioncache.transport.clients_async import cluster_client, sentinel_clients, server_client
from sessioncache.transport.dialling import Dialling, pack
from sessioncache.transport.driver_errors import NotSent
from sessioncache.transport.endpoint import Endpoint
from sessioncache.transport.node_async import AsyncNode, Outcome, why_not_loaded
from sessioncache.transport.slots import Address
from sessioncache.wire.call import Arg, Call
from sessioncache.wire.keys import SESSIONS_KEPT, Key
from sessioncache.wire.script import Script

__all__ = ["MultiplexNode", "multiplexed"]

ASKING: Final = pack(b"ASKING")

UNSHARED: Final = frozenset(
    {"WAIT", "WAITAOF", "XREAD", "XREADGROUP", "BLPOP", "BRPOP", "SUBSCRIBE", "MONITOR", "MULTI"}
)
"""Commands that block, that have more than one reply, or that change what the connection is: not for all tasks."""

SHORT: Final = 8
"""Most arguments of a read that is kept packed."""
PLAIN: Final = frozenset({str, int})
"""Types whose equal values are packed alike; those of an enumeration may say of themselves what they like."""

PAUSE_MS: Final = 5
"""After the first failure to connect, nobody tries again for up to so long; after each further one, for twice that."""


def multiplexed(
    settings: Settings,
    endpoint: Endpoint,
    pushes: PushListener | None = None,
    *,
    near: NearCache | None = None,
    traffic: Traffic | None = None,
) -> Callable[[Address | None], AsyncNode]:
    """What makes a node: of the cluster's server at an address, or, for None, of the server that the endpoint names.

    Args:
        settings: limits, certificates, names.
        endpoint: where the server is, and who we are.
        pushes: connections speak RESP3, and it hears what the servers say unasked.
        near: hears of that, and of writes.
        traffic: is told of every connection, and of what goes over it.

    Raises:
        ConfigurationError: writes shall wait for replicas.
    """
    if settings.durability != "primary":
        raise ConfigurationError(
            'durability="replicated" needs transport="redis-py" (or "auto"): on a shared connection every write would '
            "hold up all calls behind it until the replicas have confirmed"
        )

    carried = Traffic() if traffic is None else traffic

    def node(address: Address | None) -> AsyncNode:
        besides: Sequence[Redis] = ()
        if endpoint.kind == "sentinel":
            # Of the driver's two clients one is enough, for the feed.
            listener, _, besides = sentinel_clients(settings, endpoint)
        elif address is not None:
            listener = cluster_client(settings, endpoint, *address)
        else:
            listener = server_client(settings, endpoint)
        dialling = Dialling(settings, endpoint, address, near if pushes is None else pushes, carried)
        return MultiplexNode(dialling, listener, limit_ms=settings.command_timeout_ms, besides=besides, near=near)

    return node


class MultiplexNode(AsyncNode):
    """One server, and which scripts it is known to have; calls share a connection, blocking reads have their own."""

    def __init__(
        self,
        dialling: Dialling,
        listener: Redis,
        *,
        limit_ms: int,
        besides: Sequence[Redis] = (),
        near: NearCache | None = None,
    ) -> None:
        """Prepare; dials nothing yet.

        Args:
            dialling: how to connect.
            listener: a client for blocking reads.
            limit_ms: longest wait for an answer.
            besides: further clients to close with this node.
            near: hears of every write.
        """
        super().__init__(listener, listener, limit_ms=limit_ms, besides=besides)
        self._dialling = dialling
        self._near = near
        self._pause_max_s = dialling.settings.retry_wait_max_ms / 4000
        self._channel: Channel | None = None
        self._dial: asyncio.Task[Channel] | None = None
        self._failures = 0
        self._again_at = 0.0
        self._open: set[Channel] = set()
        """All connections that may still be there: the one in use, and those that only wait for answers."""
        self._is_closed = False

    async def run(self, calls: Sequence[Call[Any]], *, asking: bool = False) -> list[Outcome]:
        """The outcomes of the calls, in order. Nothing is raised but a cancellation."""
        if len(calls) == 1 and not asking:
            outcomes = await self._send(calls, asking=False)
            if not isinstance(outcomes[0], NoScriptError):
                return outcomes
            self._loaded.clear()
            return await self._send(calls, asking=False)
        return await self._run(calls, asking=asking)

    async def run_one(self, call: Call[Any]) -> Outcome:
        """The outcome of one call. Nothing is raised but a cancellation.

        Most calls are a script that the server has, on a connection that is there, and are answered. They take the
        short way: everything else is `run`'s.
        """
        channel, target = self._channel, call.target
        if (
            self._near is None
            and channel is not None
            and channel.is_current
            and isinstance(target, Script)
            and target.sha in self._loaded
            and channel.loop is asyncio.get_running_loop()
        ):
            try:
                (outcome,) = await channel.ask((_packed_script(target, call),))
            except RedisError as error:
                return error
            if not isinstance(outcome, ResponseError):
                return outcome
            if not isinstance(outcome, NoScriptError):
                self._leave_demoted(channel, outcome)
                return outcome
            self._loaded.clear()
        (outcome,) = await self.run((call,))
        return outcome

    async def aclose(self) -> None:
        """Close the connections. What is under way is waited for, for as long as an answer may take."""
        self._is_closed = True
        self._channel = None
        if self._near is not None:
            self._near.clear()
        dial, loop = self._dial, asyncio.get_running_loop()
        if dial is not None and not dial.done() and dial.get_loop() is loop:
            dial.cancel()
            await asyncio.wait((dial,))
        here = [channel for channel in self._open if channel.loop is loop]
        for channel in self._open.difference(here):
            _dismiss(channel)
        for end in (Channel.retire, Channel.close):
            for channel in here:
                end(channel)
            if here:
                await asyncio.wait([channel.ended for channel in here], timeout=self._limit_ms / 1000)
        self._open.clear()
        await super().aclose()

    def __del__(self) -> None:
        """Who forgets to close a cache leaves no connection behind: the loop would keep it."""
        for channel in getattr(self, "_open", ()):
            _dismiss(channel)

    async def _send(self, calls: Sequence[Call[Any]], *, asking: bool) -> list[Outcome]:
        if self._near is None:
            return await self._exchange(calls, asking=asking)
        written = [call.keys for call in calls if call.writes]
        for keys in written:
            self._near.on_write(keys)
        try:
            return await self._exchange(calls, asking=asking)
        finally:
            # Also where nobody knows whether it ran, and for what was read while it was under way.
            for keys in written:
                self._near.on_write(keys)

    async def _exchange(self, calls: Sequence[Call[Any]], *, asking: bool) -> list[Outcome]:
        channel = self._channel
        try:
            if channel is None or channel.lost is not None or channel.loop is not asyncio.get_running_loop():
                channel = await self._connected()
            unknown = self._unknown(calls)
            fronts = self._fronts(calls, channel, asking=asking)
            commands = _commands(calls, unknown, fronts)
        except (RedisError, OSError) as error:
            return [error] * len(calls)
        # Whoever asks after this comes behind it on the same connection, and need not load it again.
        self._loaded.update(unknown)
        try:
            replies = await channel.exchange(commands)
        except BaseException as error:
            self._loaded.difference_update(unknown)
            if isinstance(error, RedisError):
                return [error] * len(calls)
            raise
        not_loaded: dict[str, Exception] = {}
        if unknown:
            not_loaded = {
                sha: reply for sha, reply in zip(unknown, replies, strict=False) if isinstance(reply, Exception)
            }
            self._loaded.difference_update(not_loaded)
            replies = replies[len(unknown) :]
        outcomes = why_not_loaded(calls, _outcomes(calls, fronts, replies) if fronts else replies, not_loaded)
        if self._dialling.listener is not None:
            outcomes = [_as_resp2(outcome) for outcome in outcomes]
        for outcome in outcomes:
            if isinstance(outcome, ResponseError):
                self._leave_demoted(channel, outcome)
        return outcomes

    def _fronts(self, calls: Sequence[Call[Any]], channel: Channel, *, asking: bool) -> list[list[bytes]]:
        """What goes in front of each call; empty where nothing does."""
        if asking:
            # A slot that is on its way: who asks here is not told of changes.
            for call in calls:
                if call.watch is not None:
                    call.watch.doubt()
            return [[ASKING]] * len(calls)
        if self._near is None or all(call.watch is None for call in calls):
            return []
        return [[] if call.watch is None else [pack(*part) for part in call.watch.send(channel)] for call in calls]

    def _unknown(self, calls: Sequence[Call[Any]]) -> dict[str, Script]:
        """The scripts among the calls that the server may not have, by their hash."""
        return {
            call.target.sha: call.target
            for call in calls
            if isinstance(call.target, Script) and call.target.sha not in self._loaded
        }

    def _leave_demoted(self, channel: Channel, error: ResponseError) -> None:
        """Use a new connection if the server was demoted, as it says: an address is only looked up by a new one."""
        if not str(error).startswith("READONLY"):
            return
        if self._channel is channel:
            self._channel = None
        channel.retire()

    async def _connected(self) -> Channel:
        """The connection, made anew where there is none; all who need it wait for the same one.

        Raises:
            redis.exceptions.RedisError: the server is not there or refuses, or this node was closed.
        """
        if self._is_closed:
            raise NotSent("the cache was closed")
        loop = asyncio.get_running_loop()
        dial = self._dial
        if dial is None or dial.get_loop() is not loop or (dial.done() and not self._still_holds(dial)):
            dial = self._dial = loop.create_task(self._connect())
            # Everybody may have stopped waiting for it by then.
            dial.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A caller who is cancelled stops waiting; the others go on.
        await asyncio.wait((dial,))
        if dial.cancelled():
            raise NotSent("the cache was closed")
        error = dial.exception()
        if isinstance(error, RedisError):
            # One for each caller, as tracebacks grow on them.
            raise type(error)(*error.args) from error
        return dial.result()

    def _still_holds(self, dial: asyncio.Task[Channel]) -> bool:
        """Whether it failed so lately that its answer is good for whoever asks now, too."""
        return not dial.cancelled() and dial.exception() is not None and dial.get_loop().time() < self._again_at

    async def _connect(self) -> Channel:
        """Dial, and make the new connection the one in use."""
        loop = asyncio.get_running_loop()
        try:
            channel = await self._dialling.dial()
        except RedisError:
            longest_s = min(PAUSE_MS / 1000 * 2 ** min(self._failures, 16), self._pause_max_s)
            self._failures += 1
            self._again_at = loop.time() + random.uniform(0, longest_s)  # noqa: S311 - no secret
            raise
        self._failures = 0
        if self._is_closed:
            channel.close()
            raise NotSent("the cache was closed")
        for former in self._open:
            # A cache is used by one event loop at a time; the one before may be gone.
            if former.loop is not loop:
                _dismiss(former)
                if self._near is not None:
                    self._near.clear()
        self._open = {former for former in self._open if former.lost is None and former.loop is loop}
        self._open.add(channel)
        self._channel = channel
        self._loaded.clear()
        return channel


def _dismiss(channel: Channel) -> None:
    """Close a connection, which may live on another loop."""
    try:
        channel.loop.call_soon_threadsafe(channel.close)
    except RuntimeError:
        # The other loop has been closed, but not its connections.
        channel.abandon()


def _commands(
    calls: Sequence[Call[Any]], unknown: Mapping[str, Script], fronts: Sequence[Sequence[bytes]]
) -> list[bytes]:
    """What to send: scripts that the server may not have, then the calls, each behind what goes in front of it."""
    commands = [pack(b"SCRIPT", b"LOAD", script.text) for script in unknown.values()]
    if not fronts:
        return commands + [_packed(call) for call in calls]
    for call, front in zip(calls, fronts, strict=True):
        commands += front
        commands.append(_packed(call))
    return commands


def _outcomes(
    calls: Sequence[Call[Any]], fronts: Sequence[Sequence[bytes]], replies: Sequence[Outcome]
) -> list[Outcome]:
    """The outcomes of the calls; who wants to know hears what was answered in front of them."""
    outcomes: list[Outcome] = []
    at = 0
    for call, front in zip(calls, fronts, strict=True):
        if call.watch is not None and front != [ASKING]:
            call.watch.answered(replies[at : at + len(front)])
        at += len(front)
        outcomes.append(replies[at])
        at += 1
    return outcomes


def _as_resp2(reply: Outcome) -> Outcome:
    """A reply as decoders know it. Scripts answer alike in either protocol; of plain commands, maps were flat lists."""
    return [part for pair in reply.items() for part in pair] if isinstance(reply, dict) else reply


def _packed(call: Call[Any]) -> bytes:
    target = call.target
    if isinstance(target, Script):
        return _packed_script(target, call)
    if target in UNSHARED:
        raise ResponseError(f"{target} needs a connection of its own")
    is_kept = not call.writes and _is_short(call.args)
    return (_packed_plain_read if is_kept else pack)(target, *call.keys, *call.args)


_packed_plain_read = lru_cache(maxsize=SESSIONS_KEPT)(pack)
"""As `_packed_read`."""


def _is_short(args: tuple[Arg, ...]) -> bool:
    """Whether a read with these is kept packed: who reads a session again mostly reads the same of it."""
    return len(args) <= SHORT and PLAIN.issuperset(map(type, args))


def _packed_script(script: Script, call: Call[Any]) -> bytes:
    """EVALSHA. What is the same for all calls of a script for a session is packed but once, and so is a whole read."""
    is_kept = not call.writes and _is_short(call.args)
    return (_packed_read if is_kept else _packed_args)(script.sha, call.keys, call.args)


def _packed_args(sha: str, keys: tuple[Key, ...], args: tuple[Arg, ...]) -> bytes:
    rest = pack(*args)
    # `*3\r\n` and so on: of the whole command, not of the arguments.
    return b"*%d\r\n%b%b" % (3 + len(keys) + len(args), _packed_head(sha, keys), rest[rest.index(b"\n") + 1 :])


_packed_read = lru_cache(maxsize=SESSIONS_KEPT)(_packed_args)


@lru_cache(maxsize=SESSIONS_KEPT)
def _packed_head(sha: str, keys: tuple[Key, ...]) -> bytes:
    head = pack(b"EVALSHA", sha, len(keys), *keys)
    return head[head.index(b"\n") + 1 :]
