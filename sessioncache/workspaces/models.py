"""What workspaces are to their users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Member", "MemberAdded", "SessionRole", "Workspace"]


class SessionRole(StrEnum):
    """What a session is to a workspace."""

    PRIMARY = "Primary"
    RELATED = "Related"
    DEPENDENCY = "Dependency"
    SHARED = "Shared"

    @classmethod
    def read(cls, text: str) -> SessionRole:
        """The role that was stored; text that this release does not know is Primary."""
        return cls(text) if text in cls._value2member_map_ else cls.PRIMARY


@dataclass(frozen=True, slots=True)
class Member:
    """A session in a workspace."""

    workspace_id: str
    session_id: str
    role: SessionRole
    added_at: datetime
    """When it became a member; a changed role does not move it."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace, with its members as they were read together with it."""

    id: str
    name: str
    description: str
    created_at: datetime
    members: tuple[Member, ...]
    """By the time at which they were added, then by session id."""


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """What adding a session to a workspace did."""

    created: bool
    """Whether this call created the session."""
    added: bool
    """False: it was a member already; its role may have changed."""
    role: SessionRole
    """The role that it has now."""
    revision: int
    """Revision of the session, for a Base."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
