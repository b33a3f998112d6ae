"""What a cluster node says instead of an answer: the slot is elsewhere, or on its way.

The rule of this module: it reads the reply's own words. Whether the driver turns them into classes depends on which of
its clients and parsers is in use, and on its version.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from sessioncache.transport.slots import Address

__all__ = ["Ask", "Moved", "TryAgain", "is_cluster_down", "redirection_in"]


@dataclass(frozen=True, slots=True)
class Moved:
    """The slot belongs to another node now."""

    address: Address
    """An empty host means the one that was asked."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The slot is being imported by another node, which has the key: ask there, this time."""

    address: Address


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Some keys of the slot are here, some there already."""


def redirection_in(outcome: object) -> Moved | Ask | TryAgain | None:
    """The redirection that a node answered, or None for a reply or any other error."""
    if not isinstance(outcome, ResponseError):
        return None
    # The driver's classes swallow the first word of the reply.
    word = {MovedError: "MOVED", AskError: "ASK", TryAgainError: "TRYAGAIN"}.get(type(outcome), "")
    match f"{word} {outcome}".split():
        case ["MOVED", _slot, place]:
            return Moved(_address(place))
        case ["ASK", _slot, place]:
            return Ask(_address(place))
        case ["TRYAGAIN", *_]:
            return TryAgain()
    return None


def is_cluster_down(outcome: object) -> bool:
    """Whether the cluster says that it does not serve the slot at the moment."""
    return isinstance(outcome, ClusterDownError) or (
        isinstance(outcome, ResponseError) and str(outcome).startswith("CLUSTERDOWN")
    )


def _address(place: str) -> Address:
    host, _, port = place.rpartition(":")
    return host, int(port)
