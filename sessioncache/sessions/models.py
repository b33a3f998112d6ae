"""What a session is to its users: the record, the line that lists show, and what writes answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sessioncache.errors import DecodeError
from sessioncache.types import Base
from sessioncache.wire.call import Arg

__all__ = ["KnownSave", "Listed", "MergeOutcome", "PreparedSave", "Saved", "Session", "SessionSummary", "Updated"]

MergeOutcome = Literal["created", "stored", "incoming"]
"""What a runtime save came to: there was no session; the stored authoritative group won; the incoming one did."""


class Session(BaseModel):
    """A session's record. Make one with an id to save a new session; `sessions.get` answers what is stored.

    Three groups of fields follow three rules when a runtime save meets a stored record:

    - the **authoritative group** (`title`, `title_version`, `pinned`, `metadata_version`, `authoritative`) wins or
    loses as
      a whole, by `metadata_version`; ties go to the stored one;
    - **host** fields always stay as they are stored;
    - **runtime** fields (`status`, `parent`, `metadata`) are taken from the save as they come.

    Labels stand beside the three: a save sets the names that it gives, and leaves the others.
    """

    model_config = ConfigDict(validate_assignment=True, extra="forbid")

    id: str
    """Any non-empty text of at most 512 bytes without control characters."""
    user: str | None = None
    """The owner. A save gives one to a session that has none, and leaves one that is there: `sessions.update` changes
    it. None is the user `default`."""

    title: str | None = None
    """What people call it. None: it has none."""
    title_version: int = Field(default=0, ge=0, le=2**53 - 1)
    """How often the title was edited."""
    pinned: bool = False
    """Whether a person pinned it. Pinned sessions do not expire, unless the policy says so."""
    metadata_version: int = Field(default=0, ge=0, le=2**53 - 1)
    """How often anything of the authoritative group was edited; decides merges."""
    authoritative: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the authoritative group: any JSON values."""

    host: dict[str, Any] = Field(default_factory=dict)
    """Fields that only `sessions.update` changes once the session exists (permissions, admissions): any JSON values."""

    status: str | None = None
    """What the agent is doing, in its own words."""
    parent: str | None = None
    """Id of the session that started this one."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """The agent's own fields: any JSON values."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Short texts that lists can show without reading anything else. A save sets those given here."""

    gen: str | None = None
    """Which incarnation of the id this is; None: never saved. Given by the server."""
    revision: int = 0
    """Bumped by every write. Given by the server."""
    fence: int = 0
    """Highest fencing token that has written. Given by the server."""
    messages: int = 0
    """Messages in the transcript. Given by the server."""
    bytes: int = 0
    """Bytes of those messages as they are stored. Given by the server."""
    first_seq: int = 0
    """Sequence number of the oldest message, 0 if there is none. Given by the server."""
    last_seq: int = 0
    """Sequence number of the newest message, 0 if there is none. Given by the server."""
    created_at: datetime | None = None
    """Given by the server."""
    updated_at: datetime | None = None
    """Time of the last write. Given by the server."""
    deadline_at: datetime | None = None
    """When it expires; None: never. Given by the server."""
    ttl_ms: int = 0
    """Time from the last write to the deadline, in milliseconds; 0: it does not expire. Given by the server."""

    @property
    def base(self) -> Base:
        """A base for writes that must not touch another incarnation of this session."""
        return Base(gen=self.gen)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as lists show it."""

    id: str
    gen: str
    revision: int
    messages: int
    bytes: int
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime | None
    user: str
    parent: str | None
    status: str | None
    title: str | None
    pinned: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those that the list was asked for and the session has."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Where a session stands in a list, and its line, or why there is none."""

    position: tuple[int, str]
    """Score and escaped id."""
    id: str
    found: SessionSummary | DecodeError


@dataclass(frozen=True, slots=True)
class Saved:
    """What a runtime save did."""

    outcome: MergeOutcome
    revision: int
    first_seq: int | None
    """Sequence number of the first message that this save appended; None: it appended none."""
    last_seq: int
    """Sequence number of the newest message of the transcript, 0 if there is none."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
    known: KnownSave | None = field(default=None, repr=False, compare=False)
    """For the next save of this session by the same caller."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSave:
    """What a save gives beside messages, encoded."""

    user: str
    shape: tuple[str, str]
    """Numbers before and after `through`."""
    appending: str
    """The shape where there is no `through`."""
    group: bytes
    pairs: tuple[Arg, ...]
    names: Sequence[object]
    """Of the runtime fields and the documents."""
    documents: Sequence[object]
    """Names and values."""
    metadata_version: int
    is_usual: bool
    """Whether it does nothing but what a save by a running agent does."""
    can_be_known: bool
    """Whether all that it names is there afterwards."""


@dataclass(slots=True, eq=False)
class KnownSave:
    """What the caller of a save knows after its answer, and for as long as nobody else writes. It never changes."""

    operation: str
    revision: int
    metadata_version: int
    given: PreparedSave
    """What it gave."""
    created: bytes
    """The time of creation, as it was answered."""
    group: Sequence[bytes]
    """The user, then name and value of every authoritative and host field and label."""
    has_won: bool
    """Whether that group is the one that it gave."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What an edit did."""

    changed: bool
    """False: everything was so already, and nothing was written or published."""
    revision: int
    title_version: int
    metadata_version: int
    updated_at: datetime
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
