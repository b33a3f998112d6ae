"""What a lease is."""

from __future__ import annotations

from dataclasses import dataclass

from sessioncache.types import Base, SessionId

__all__ = ["SessionLease"]


@dataclass(frozen=True, slots=True)
class SessionLease:
    """A lease on a session, as it was given."""

    session_id: SessionId
    holder: str
    token: int
    """Fencing token: every lease on this session has a higher one than those before it."""
    until_ms: int
    """When it runs out, in the server's milliseconds since 1970."""

    @property
    def base(self) -> Base:
        """For writes under the lease: they are refused once somebody else has a newer one."""
        return Base(fence=self.token)
