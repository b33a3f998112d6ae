"""What a lease is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Lease"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is held."""

    shard: int
    job: str
    """What is done under it: one lease a shard and job."""
    holder: str
    token: int
    """Fencing token: grows with every acquisition. Scripts refuse a token that is not the newest."""
    until_ms: int
    """When it runs out, in the server's milliseconds since 1970."""
