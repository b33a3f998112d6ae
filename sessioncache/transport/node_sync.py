# Generated from sessioncache/transport/node_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""One server: sends calls over a pool of redis-py connections and answers raw outcomes.

The rule of this module: what is sent is sent once. The driver's own retries are off, and a call is sent again here
only if the server said that it did not run it (NOSCRIPT).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from sessioncache.transport.colour_sync import Places, exchange, time_limit
from sessioncache.transport.driver_errors import TooFewReplicas
from sessioncache.wire.call import Call, spelt_out
from sessioncache.wire.keys import Key
from sessioncache.wire.script import Script

__all__ = ["Node", "Outcome", "why_not_loaded"]

Outcome: TypeAlias = Any
"""A raw reply, or the driver's exception in its place."""


class Node:
    """One server, and which scripts it is known to have."""

    def __init__(
        self,
        client: Redis,
        listener: Redis,
        *,
        limit_ms: int,
        besides: Sequence[Redis] = (),
        wait_for: tuple[int, int] | None = None,
        owned: bool = True,
        at_once: int | None = None,
    ) -> None:
        """Wrap two clients of one server.

        Args:
            client: for calls.
            listener: for blocking reads, with connections of its own.
            limit_ms: longest wait for one answer; a connection that is not there yet is made in this time, too.
            besides: further clients to close with these.
            wait_for: replicas and milliseconds: WAIT goes out behind every write.
            owned: whether closing this node closes the clients.
            at_once: most calls under way, for a client whose pool does not limit them by waiting.
        """
        self._client = client
        self._listener = listener
        self._wait_for = wait_for
        self._owned = owned
        self._limit_ms = limit_ms
        self._besides = tuple(besides)
        self._loaded: set[str] = set()
        self._places = None if at_once is None else Places(at_once)

    def run(self, calls: Sequence[Call[Any]], *, asking: bool = False) -> list[Outcome]:
        """The outcomes of the calls, in order. Nothing is raised but a cancellation.

        Args:
            calls: sent in one write.
            asking: precede each by ASKING, for a slot that is being imported.
        """
        if self._places is None:
            return self._run(calls, asking=asking)
        with self._places:
            return self._run(calls, asking=asking)

    def run_one(self, call: Call[Any]) -> Outcome:
        """The outcome of one call. Nothing is raised but a cancellation."""
        (outcome,) = self.run((call,))
        return outcome

    def _run(self, calls: Sequence[Call[Any]], *, asking: bool) -> list[Outcome]:
        outcomes = self._send(calls, asking=asking)
        missing = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, NoScriptError)]
        if missing:
            self._loaded.clear()
            again = self._send([calls[index] for index in missing], asking=asking)
            for index, outcome in zip(missing, again, strict=True):
                outcomes[index] = outcome
        return outcomes

    def _send(self, calls: Sequence[Call[Any]], *, asking: bool) -> list[Outcome]:
        scripts = {call.target.sha: call.target for call in calls if isinstance(call.target, Script)}
        unknown = [script for sha, script in scripts.items() if sha not in self._loaded]
        waits = [self._wait_for is not None and call.writes for call in calls]
        commands, positions = self._commands(calls, unknown, waits, asking=asking)
        limit_ms = self._limit_ms + (self._wait_for[1] if self._wait_for and any(waits) else 0)
        try:
            with time_limit(limit_ms):
                replies = exchange(self._client, commands)
        except (RedisError, OSError) as error:
            return [error] * len(calls)
        shas = [script.sha for script in unknown]
        not_loaded = {sha: reply for sha, reply in zip(shas, replies, strict=False) if isinstance(reply, Exception)}
        self._loaded.update(sha for sha in shas if sha not in not_loaded)
        outcomes = [
            self._confirmed(replies[position], replies[position + 1]) if wait else replies[position]
            for position, wait in zip(positions, waits, strict=True)
        ]
        return why_not_loaded(calls, outcomes, not_loaded)

    def _commands(
        self, calls: Sequence[Call[Any]], unknown: Sequence[Script], waits: Sequence[bool], *, asking: bool
    ) -> tuple[list[tuple[Any, ...]], list[int]]:
        """The commands to send, scripts that the server may not have first, and where each call's reply will be."""
        commands: list[tuple[Any, ...]] = [(b"SCRIPT", b"LOAD", script.text) for script in unknown]
        positions: list[int] = []
        for call, wait in zip(calls, waits, strict=True):
            if asking:
                commands.append((b"ASKING",))
            positions.append(len(commands))
            commands.append(_command(call))
            if wait and self._wait_for:
                commands.append(spelt_out((b"WAIT", *self._wait_for)))
        return commands, positions

    def _confirmed(self, reply: Outcome, replicas: Outcome) -> Outcome:
        """The reply of a write, or an error where too few replicas have it."""
        wanted = self._wait_for[0] if self._wait_for else 0
        if isinstance(reply, Exception) or (isinstance(replicas, int) and replicas >= wanted):
            return reply
        return TooFewReplicas(f"the write stands, but {replicas} of {wanted} replicas confirmed it in time")

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Block until one of the streams has an entry after its id, for at most `wait_ms`."""
        command = (b"XREAD", b"COUNT", 1, b"BLOCK", max(wait_ms, 1), b"STREAMS", *streams, *streams.values())
        with time_limit(self._limit_ms + wait_ms):
            (reply,) = exchange(self._listener, [spelt_out(command)])
        if isinstance(reply, Exception):
            raise reply

    def close(self) -> None:
        """Close the clients' connections, if they are this node's own."""
        if self._owned:
            for client in (self._client, self._listener, *self._besides):
                client.close()
                # Closing a client leaves a pool that it was given open.
                client.connection_pool.disconnect()


def why_not_loaded(
    calls: Sequence[Call[Any]], outcomes: list[Outcome], not_loaded: Mapping[str, Exception]
) -> list[Outcome]:
    """The outcomes; where a script is missing because it could not be loaded, what kept it from being loaded."""
    for index, call in enumerate(calls if not_loaded else ()):
        if isinstance(outcomes[index], NoScriptError) and isinstance(call.target, Script):
            outcomes[index] = not_loaded.get(call.target.sha, outcomes[index])
    return outcomes


def _command(call: Call[Any]) -> tuple[Any, ...]:
    # Command names go out as bytes: the driver's response callbacks are found by str names, and replies must stay raw.
    if isinstance(call.target, Script):
        return spelt_out((b"EVALSHA", call.target.sha, len(call.keys), *call.keys, *call.args))
    return spelt_out((call.target.encode(), *call.keys, *call.args))
