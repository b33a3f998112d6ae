# Generated from sessioncache/transport/cluster_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""A transport over a cluster: one node object a primary, our own slot map, our own redirections.

The rule of this module: a call is sent again only when a node said that it did not run it (MOVED, ASK, TRYAGAIN).
Anything whose outcome is unknown goes up to the retry layer, which knows the operation id. redis-py's own cluster
client closes all connections at some redirections and then repeats what was in flight, scripts included; so it is not
used.

```
call ── slot ── map ── node ──▶ reply
  ▲                     │
  │  MOVED: correct the map, go there          at most REDIRECTIONS_MAX hops
  │  ASK: go there once, with ASKING           (the map stays: the slot is still on its way)
  │  TRYAGAIN: wait a little, go again
  └─ connection lost: the map is stale; the retry layer comes back and finds a new one
```
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from redis.exceptions import RedisError

from sessioncache.errors import BackendUnavailable, SessionCacheError
from sessioncache.transport.colour_sync import Lock, gather, sleep_ms
from sessioncache.transport.driver_errors import as_session_cache_error
from sessioncache.transport.node_sync import Node, Outcome
from sessioncache.transport.redirection import Ask, Moved, TryAgain, is_cluster_down, redirection_in
from sessioncache.transport.redis_sync import decode, decode_all
from sessioncache.transport.slots import Address, SlotMap, slot_of
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key

__all__ = ["ClusterTransport"]

T = TypeVar("T")

REDIRECTIONS_MAX: Final = 16
POLL_MS: Final = 50
"""How often a listener on several slots looks again: one blocking read cannot span slots."""


class ClusterTransport:
    """Calls over the primaries of a cluster."""

    def __init__(self, connect: Callable[[Address], Node], seeds: Sequence[Address]) -> None:
        """Wrap a way to make nodes.

        Args:
            connect: makes the node at an address; dials nothing yet.
            seeds: where to ask for the slot map first.
        """
        self._connect = connect
        self._seeds = tuple(seeds)
        self._nodes: dict[Address, Node] = {}
        self._map: SlotMap | None = None
        self._maps_asked = 0
        self._refreshing = Lock()

    def call(self, call: Call[T]) -> T:
        """Send one call to the node of its slot, following redirections."""
        return decode(call, self._outcome(call))

    def call_many(self, calls: Sequence[Call[Any]], *, return_errors: bool = False) -> list[Any]:
        """Send calls in one round trip a node, side by side; those that are redirected follow one by one."""
        if not calls:
            return []
        groups: dict[Address, list[int]] = {}
        for index, call in enumerate(calls):
            groups.setdefault(self._owner(call.route), []).append(index)
        replies = gather(
            *[self._node(address).run([calls[index] for index in group]) for address, group in groups.items()]
        )
        outcomes: list[Outcome] = [None] * len(calls)
        for (address, group), group_replies in zip(groups.items(), replies, strict=True):
            for index, reply in zip(group, group_replies, strict=True):
                outcomes[index] = self._followed(calls[index], reply, address)
        return decode_all(calls, outcomes, return_errors=return_errors)

    def listen(self, streams: Mapping[Key, str], *, wait_ms: int) -> None:
        """Block on a single stream; with several, which no single read can span, come back soon."""
        if len(streams) > 1:
            sleep_ms(min(wait_ms, POLL_MS))
            return
        node = self._node(self._owner(next(iter(streams))))
        try:
            node.listen(streams, wait_ms=wait_ms)
        except (RedisError, OSError) as error:
            self._map = None
            raise as_session_cache_error(error, call="feed.listen") from error

    def close(self) -> None:
        """Close the connections to every node."""
        for node in self._nodes.values():
            node.close()

    def _outcome(self, call: Call[Any]) -> Outcome:
        address = self._owner(call.route)
        outcome = self._node(address).run_one(call)
        return self._followed(call, outcome, address) if isinstance(outcome, Exception) else outcome

    def _followed(self, call: Call[Any], outcome: Outcome, asked: Address) -> Outcome:
        """The outcome of a call after redirections, if there are any. No hop repeats a call that may have run."""
        for hop in range(REDIRECTIONS_MAX):
            match redirection_in(outcome):
                case Moved((host, port)):
                    asked = (host or asked[0], port)
                    if self._map is not None:
                        self._map.move(slot_of(call.route), asked)
                    (outcome,) = self._node(asked).run((call,))
                case Ask((host, port)):
                    (outcome,) = self._node((host or asked[0], port)).run((call,), asking=True)
                case TryAgain():
                    sleep_ms(5 * (hop + 1))
                    (outcome,) = self._node(asked).run((call,))
                case None:
                    break
        if is_cluster_down(outcome) or _lost(outcome):
            self._map = None
        return outcome

    def _node(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = self._connect(address)
        return node

    def _owner(self, key: Key) -> Address:
        """The primary of a key's slot.

        Raises:
            BackendUnavailable: no node serves it, or none can be asked; the next call asks for a new map.
        """
        slots = self._slots()
        try:
            return slots.owner(slot_of(key))
        except BackendUnavailable:
            self._map = None
            raise

    def _slots(self) -> SlotMap:
        if self._map is None:
            with self._refreshing:
                if self._map is None:
                    self._map = self._ask_for_map()
        return self._map

    def _ask_for_map(self) -> SlotMap:
        """Ask the nodes that are known, and the seeds, until one answers; each time begin with another one.

        A node that was cut off from the others goes on telling its old map, so the same one is not believed twice
        running.

        Raises:
            BackendUnavailable: none did.
        """
        ask: Call[Any] = Call("cluster.slots", "CLUSTER", (), ("SLOTS",), decode=list, routed_by=Key(""))
        last: SessionCacheError | None = None
        addresses = deque(dict.fromkeys((*self._seeds, *self._nodes)))
        addresses.rotate(-self._maps_asked)
        self._maps_asked += 1
        for address in addresses:
            (outcome,) = self._node(address).run((ask,))
            if isinstance(outcome, list) and outcome:
                return SlotMap(outcome, asked=address)
            if isinstance(outcome, Exception):
                last = as_session_cache_error(outcome, call="cluster.slots")
        if last is not None and not isinstance(last, BackendUnavailable):
            raise last
        raise BackendUnavailable(f"no node of the cluster answered; asked {len(self._nodes)}: {last}") from last


def _lost(outcome: Outcome) -> bool:
    """Whether the connection broke, so that the slot map may be out of date."""
    return isinstance(outcome, Exception) and as_session_cache_error(outcome, call="").retryable
