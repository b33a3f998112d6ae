"""How a session, and a whole store, stand to their copy elsewhere, as contract 003 tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

__all__ = ["SessionMeta", "SyncMode", "SyncState", "SyncStatus"]


class SyncState(Enum):
    """One session."""

    LOCAL_ONLY = "local_only"
    SYNCED = "synced"
    LOCAL_AHEAD = "local_ahead"
    REMOTE_AHEAD = "remote_ahead"
    CONFLICT = "conflict"

    @property
    def is_synced(self) -> bool:
        """Whether both sides have the same."""
        return self is SyncState.SYNCED

    @property
    def has_pending_changes(self) -> bool:
        """Whether one side has something that the other has not."""
        return self in (SyncState.LOCAL_AHEAD, SyncState.REMOTE_AHEAD)

    @property
    def has_conflict(self) -> bool:
        """Whether both sides have changed."""
        return self is SyncState.CONFLICT


class SyncMode(Enum):
    """A store's connection."""

    OFFLINE = "offline"
    ONLINE = "online"
    SYNCING = "syncing"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """A whole store."""

    mode: SyncMode = SyncMode.OFFLINE
    last_sync: datetime | None = None
    """When a call succeeded last."""
    pending_uploads: int = 0
    """Writes on their way."""
    pending_downloads: int = 0
    """Reads on their way."""
    conflicts: tuple[str, ...] = ()
    """Ids of sessions whose last save met another writer."""

    @classmethod
    def offline(cls) -> SyncStatus:
        """No connection, and nothing else."""
        return cls()

    @classmethod
    def online(cls) -> SyncStatus:
        """Connected, and all done now."""
        return cls(SyncMode.ONLINE, datetime.now(UTC))

    @property
    def is_fully_synced(self) -> bool:
        """Online, with nothing on its way and no conflict."""
        pending = self.pending_uploads + self.pending_downloads
        return self.mode is SyncMode.ONLINE and pending == 0 and not self.conflicts


@dataclass(frozen=True, slots=True)
class SessionMeta:
    """A session in a list."""

    id: str
    name: str | None
    """The project's name."""
    created_at: datetime
    updated_at: datetime
    project_path: str | None
    turn_count: int
    """Turns that are there; summarised ones are not counted."""
    sync_state: SyncState = SyncState.SYNCED
